"""Complex numbers: every primitive in its complex form, and the conventions of the transforms.

The directions of C, seen as R², are complex numbers v. A tangent moves along one, and a cotangent w
pairs with it as Re(w·v), without conjugation: that is JAX's convention. Where a function is
holomorphic the pairing w·v holds as it is, for then the tangent of i·v is i times that of v.
"""

import numpy as np
import pytest
from table import (
    COMPLEX,
    CONSTANT,
    ELEMENTWISE,
    GENERAL,
    INTEGER_ONLY,
    REAL_HELPERS,
    REAL_ONLY,
    draw,
)
from test_primitives import along, check_vmap, close, inner, reached

import funcgrad as fg
from funcgrad.verbs import PRIMITIVES

EPS = np.finfo(float).eps
NOT_HOLOMORPHIC = {"absolute", "real", "imag", "conjugate", "var", "std"}


def turned(x, seed=0):
    """A complex array with the real part x; exact zeros stay."""
    imaginary = draw(np.shape(x), 0.2, 0.8, seed=seed + 10)
    return (x + 1j * np.where(x == 0, 0.0, imaginary))[()]


def random_like(x, seed):
    rng = np.random.default_rng(seed)
    v = rng.standard_normal(np.shape(x))
    return v + 1j * rng.standard_normal(np.shape(x)) if np.iscomplexobj(x) else v


def check_complex(f, args, holomorphic):
    """Both derivatives against differences along complex directions, the law between them, and
    second order by three routes."""
    plain = f(*args)
    scale = np.max(np.abs(plain), initial=0.0)
    v = [random_like(x, i) for i, x in enumerate(args)]
    w = random_like(plain, 20)

    out, pullback = fg.vjp(f, *args)
    pulled = pullback(w)
    pushed = fg.jvp(f, tuple(args), tuple(v))[1]
    np.testing.assert_allclose(out, plain, rtol=0, atol=16 * EPS * max(1.0, scale))
    assert np.result_type(out) == np.result_type(pushed) == np.result_type(plain)
    assert [np.result_type(g) for g in pulled] == [np.result_type(x) for x in args]
    close(pushed, along(f, args, v), scale)
    forward, reverse = inner([pushed], [w]), inner(v, pulled)
    norms = [np.sqrt(sum(np.sum(np.abs(x) ** 2) for x in xs)) for xs in (v, pulled, [pushed], [w])]
    bound = 1e-12 * max(norms[0] * norms[1], norms[2] * norms[3], 1e-300)
    assert abs(np.real(forward - reverse)) <= bound

    if all(map(np.iscomplexobj, args)):
        iv = [1j * t for t in v]
        pushed_iv = fg.jvp(f, tuple(args), tuple(iv))[1]
        close(pushed_iv, along(f, args, iv), scale)
        if holomorphic:
            assert abs(forward - reverse) <= bound
            close(pushed_iv, 1j * pushed, scale)

    def slope(*args):
        return np.real(inner(fg.vjp(f, *args)[1](w), v))

    u = [random_like(x, i + 30) for i, x in enumerate(args)]
    curvature = along(slope, args, u)
    close(np.real(inner(fg.vjp(slope, *args)[1](1.0), u)), curvature, scale)
    close(fg.jvp(slope, tuple(args), tuple(u))[1], curvature, scale)
    _, pull_pushed = fg.vjp(lambda *a: fg.jvp(f, a, tuple(v))[1], *args)
    close(np.real(inner(pull_pushed(w), u)), curvature, scale)


def check_complex_single(f, args):
    """complex64 in, complex64 or float32 out, and so are the derivatives."""
    args = [np.asarray(x).astype(np.complex64)[()] for x in args]
    plain = f(*args)
    if plain.dtype not in (np.complex64, np.float32):  # float_power, and casts
        return
    w = np.ones_like(plain)
    assert [g.dtype for g in fg.vjp(f, *args)[1](w)] == [np.complex64] * len(args)
    assert fg.jvp(f, tuple(args), tuple(map(np.ones_like, args)))[1].dtype == plain.dtype


def check_all(f, args, names):
    holomorphic = not names & NOT_HOLOMORPHIC
    variants = [[turned(x, i) for i, x in enumerate(args)]]
    for real in range(len(args)) if len(args) > 1 else ():  # one operand real
        variants.append([x if i == real else turned(x, i) for i, x in enumerate(args)])
    for variant in variants:
        check_complex(f, variant, holomorphic)
    check_complex_single(f, variants[0])
    check_vmap(f, variants[0])


REAL = REAL_ONLY | REAL_HELPERS
COMPLEX_ELEMENTWISE = [row for row in ELEMENTWISE if row.name not in REAL]
COMPLEX_GENERAL = COMPLEX + [row for row in GENERAL if not set(row.names.split()) & REAL]


@pytest.mark.parametrize("row", COMPLEX_ELEMENTWISE, ids=lambda row: row.name)
def test_elementwise(row):
    for shape in [(3, 4), ()]:
        args = [draw(shape, *d, seed=i) for i, d in enumerate(row.domains)]
        check_all(row.function, args, reached(row.function, [turned(x) for x in args]))


@pytest.mark.parametrize("row", COMPLEX_GENERAL, ids=str)
def test_general(row):
    names = reached(row.call, [turned(x) for x in row.args])
    assert names >= set(row.names.split())
    check_all(row.call, row.args, names)


CALLS = [
    *[(row.name, row.function, [np.ones(2)] * len(row.domains)) for row in ELEMENTWISE],
    *[(row.names, row.call, row.args) for row in GENERAL],
    *CONSTANT,
]


@pytest.mark.parametrize("name", sorted(REAL_ONLY))
def test_what_has_no_complex_form(name):
    calls = [(f, args) for names, f, args in CALLS if names == name]
    for f, args in calls:
        with pytest.raises(TypeError):
            f(*map(turned, args))
    assert calls


COMPLEX_CONSTANT = [
    row for row in CONSTANT if row[0] not in REAL | {"sign", "to_integers", "stop_gradient"}
]


@pytest.mark.parametrize("name, call, args", COMPLEX_CONSTANT, ids=[r[0] for r in COMPLEX_CONSTANT])
def test_constant(name, call, args):
    args = [turned(x, i) for i, x in enumerate(args)]
    seen = []

    def f(*xs):
        seen.append(call(*xs))
        return sum(np.sum(np.real(x)) for x in xs)

    for g in fg.grad(f, tuple(range(len(args))))(*args):
        np.testing.assert_array_equal(g, 1.0)
    assert not fg.is_traced(seen[0])
    np.testing.assert_array_equal(seen[0], call(*args))


def test_every_primitive_is_in_the_complex_column():
    checked = {name for row in COMPLEX_GENERAL for name in row.names.split()}
    checked |= {row.name for row in COMPLEX_ELEMENTWISE} | {row[0] for row in CONSTANT}
    assert sorted(PRIMITIVES.keys() - checked - REAL - INTEGER_ONLY) == []
    assert sorted(REAL - PRIMITIVES.keys()) == []
