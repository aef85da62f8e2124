"""Complex numbers: every primitive in its complex form, and the conventions of the transforms.

The directions of C, seen as R², are complex numbers v. A tangent moves along one, and a cotangent w
pairs with it as Re(w·v), without conjugation: that is JAX's convention. Where a function is
holomorphic the pairing w·v holds as it is, for then the tangent of i·v is i times that of v.
"""

import warnings

import numpy as np
import pytest
from numpy_rows import EXAMPLES, KEYWORDS, NO_VMAP, listed
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
NOT_HOLOMORPHIC = {
    *"absolute real imag conjugate var std vector_norm".split(),
    *"slogdet pinv qr svd svdvals parted_singular fft.irfft fft.hfft".split(),
}


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
    """Gradients by complex64 are complex64, and what NumPy gives in single precision is."""
    args = [np.asarray(x).astype(np.complex64)[()] for x in args]
    plain = f(*args)
    out, pullback = fg.vjp(f, *args)
    assert [g.dtype for g in pullback(np.ones_like(out))] == [np.complex64] * len(args)
    assert fg.jvp(f, tuple(args), tuple(map(np.ones_like, args)))[1].dtype == out.dtype
    assert out.dtype == plain.dtype or plain.dtype not in (np.complex64, np.float32)


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


def takes_complex(call, args):
    """Whether NumPy computes with these numbers, and drops no imaginary part."""
    try:
        call(*args)
    except (TypeError, ValueError, np.exceptions.ComplexWarning):
        return False
    return True


def is_refused(call, args):
    """Whether NumPy raises a TypeError, but for a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call(*args)
        except TypeError:
            return True
    return False


#: These count and order real numbers; what they say of complex ones has no meaning.
OF_REAL_NUMBERS = {"histogram", "histogram_bin_edges"}
NUMPY_ROWS = [row for row in listed(EXAMPLES) + listed(KEYWORDS) if row[0] not in OF_REAL_NUMBERS]


@pytest.mark.parametrize(
    "call, args",
    [pytest.param(call, args, id=name) for name, call, *args in NUMPY_ROWS + listed(NO_VMAP)],
)
def test_a_function_of_numpy(call, args):
    """The first operand complex by itself, and all of them."""
    first, *others = [turned(x, i) for i, x in enumerate(args)]
    for variant in ([first, *args[1:]], [first, *others]):
        if takes_complex(call, variant):
            check_complex(call, variant, holomorphic=False)
        elif is_refused(call, variant):
            with pytest.raises(TypeError):
                fg.vjp(call, *variant)


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


# The transforms.

Z = np.array([1.0 + 2.0j, 3.0 - 1.0j])


def power_of(z):
    return np.sum(np.abs(z) ** 2)


def test_the_gradient_of_a_real_function():
    np.testing.assert_allclose(fg.grad(power_of)(Z), 2 * np.conj(Z))  # ∂f/∂x − i·∂f/∂y
    value, gradient = fg.value_and_grad(np.abs)(3.0 + 4.0j)
    np.testing.assert_allclose([value, gradient], [5.0, 0.6 - 0.8j])
    assert type(gradient) is np.complex128
    assert fg.grad(power_of)(Z.astype(np.complex64)).dtype == np.complex64
    np.testing.assert_allclose(fg.vmap(fg.grad(power_of))(Z), 2 * np.conj(Z))
    rows = fg.jacrev(lambda z: np.stack([np.sum(z.real), np.sum(z.imag)]))(Z)
    np.testing.assert_allclose(rows, [[1.0, 1.0], [-1.0j, -1.0j]])


def test_a_real_argument_with_complex_values_on_the_way_has_a_real_gradient():
    x = np.array([0.5, 2.0])
    gradient = fg.grad(lambda x: np.sum(np.abs(np.exp(1j * x) + x) ** 2))(x)
    np.testing.assert_allclose(gradient, 2 * x + 2 * np.cos(x) - 2 * x * np.sin(x))
    assert gradient.dtype == np.float64
    columns = fg.jacfwd(lambda x: np.exp(1j * x))(x)
    np.testing.assert_allclose(columns, np.diag(1j * np.exp(1j * x)))


def test_a_cotangent_is_transposed_and_not_conjugated():
    matrix = np.array([[1.0, 2.0j], [3.0, 1.0 + 1.0j]])
    _, pullback = fg.vjp(lambda z: matrix @ z, Z)
    np.testing.assert_allclose(pullback(Z)[0], matrix.T @ Z)
    np.testing.assert_allclose(fg.jvp(np.conj, (Z,), (1j * Z,))[1], np.conj(1j * Z))
    np.testing.assert_allclose(fg.vjp(np.conj, Z)[1](1j * Z)[0], np.conj(1j * Z))


def test_the_derivative_of_a_holomorphic_function():
    def f(z):
        return np.sum(z**3)

    np.testing.assert_allclose(fg.grad(f, holomorphic=True)(Z), 3 * Z**2)
    np.testing.assert_allclose(fg.value_and_grad(f, holomorphic=True)(Z)[1], 3 * Z**2)
    np.testing.assert_allclose(fg.hessian(f, holomorphic=True)(Z), np.diag(6 * Z))
    for jacobian in (fg.jacrev, fg.jacfwd, fg.jacobian):
        np.testing.assert_allclose(jacobian(np.sin, holomorphic=True)(Z), np.diag(np.cos(Z)))
    second = fg.grad(fg.grad(np.sin, holomorphic=True), holomorphic=True)
    np.testing.assert_allclose(second(1.0 + 1.0j), -np.sin(1.0 + 1.0j))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: fg.grad(np.sin)(1j), "one real float.*complex128.*holomorphic=True"),
        (lambda: fg.grad(lambda x: 1j * x)(1.0), "one real float.*complex128"),
        (lambda: fg.jacrev(np.sin)(Z), "complex128.*holomorphic=True"),
        (lambda: fg.jacfwd(np.sin)(Z), "argument 0 has.*must be real.*holomorphic=True"),
        (lambda: fg.jacobian(np.abs)(Z), "must be real"),
        (lambda: fg.hessian(power_of)(Z), "must be real"),
        (lambda: fg.grad(np.sin, holomorphic=True)(1.0), r"must be complex.*astype\(complex\)"),
        (lambda: fg.jacfwd(np.sin, holomorphic=True)(1.0), "must be complex"),
        (lambda: fg.jacrev(np.sin, holomorphic=True)(1.0), "must be complex"),
        (lambda: fg.grad(np.abs, holomorphic=True)(1j), "one complex number.*float64"),
        (lambda: fg.jacrev(np.abs, holomorphic=True)(1j), "results must be complex"),
        (lambda: fg.jacfwd(np.abs, holomorphic=True)(1j), "results must be complex"),
        (lambda: fg.jvp(np.sin, (1.0,), (1j,)), "tangent of argument 0.*complex128"),
        (lambda: fg.optim.adam(0.1).init({"z": Z}), r"adam: \['z'\] is complex"),
        (lambda: fg.optim.sgd(0.1).init(Z), "sgd: the parameter is complex"),
        (lambda: fg.optim.clip_by_global_norm(1.0).update(Z, ()), "is complex"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises((TypeError, fg.UnsupportedError), match=message):
        call()


def test_products_with_the_second_derivatives_of_a_real_function():
    def f(z):
        return np.sum(np.abs(z) ** 4)

    v = np.array([1.0 - 1.0j, 2.0j])
    (product,) = fg.hvp(f, (Z,), (v,))
    close(product, along(fg.grad(f), [Z], [v]), 1.0)
    np.testing.assert_allclose(fg.vhp(f, (Z,), (v,))[0], product)
    _, push = fg.linearize(fg.grad(f), Z)
    np.testing.assert_allclose(push(v), product)


# Singular points, and branch cuts.


def test_a_zero_cotangent_annihilates():
    def f(z):
        return np.sum(np.where(z == 0, 1.0, np.sin(z) / z))

    z = np.array([0.0, 1.0j])
    with np.errstate(all="ignore"):
        gradient = fg.grad(f, holomorphic=True)(z)
    np.testing.assert_allclose(gradient, [0.0, (np.cos(1j) * 1j - np.sin(1j)) / (1j) ** 2])
    assert fg.grad(np.abs)(0j) == 0
    assert fg.grad(lambda z: np.abs(fg.grad(np.abs)(z)))(0j) == 0


def test_powers_of_zero():
    def slope(x, y, argnum):
        return fg.grad(lambda x, y: x**y, argnum, holomorphic=True)(x, y)

    assert slope(0j, 1 + 0j, 0) == 1
    assert slope(0j, 0j, 0) == 0
    assert slope(0j, 2 + 1j, 0) == 0
    assert slope(0j, 2 + 1j, 1) == 0
    assert slope(0j, 0j, 1) == 0


def test_a_complex_power_of_a_negative_number():
    np.testing.assert_allclose(
        fg.grad(lambda y: np.float64(-2.0) ** y, holomorphic=True)(1.0 + 1.0j),
        (-2.0 + 0j) ** (1 + 1j) * np.log(-2.0 + 0j),
    )


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize(
    "function, x",
    [
        *[(f, x) for f in (np.arcsin, np.arccos, np.arctanh) for x in (2.0, -2.0)],
        *[(np.arccosh, x) for x in (0.5, -0.5, -2.0)],
        *[(f, -2.0) for f in (np.log, np.sqrt, np.log2, np.log10, np.log1p)],
        *[(lambda z: z**1.5, -2.0), (lambda z: z ** (1 + 1j), -2.0)],
    ],
)
def test_on_a_branch_cut_along_the_real_axis_the_sign_of_zero_is_the_side(function, x, zero):
    def f(t):
        return function(np.array(complex(t, zero)))

    tangent = fg.jvp(function, (np.array(complex(x, zero)),), (np.array(1.0),))[1]
    close(tangent, along(f, [x], [1.0]), 1.0)


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("function", [np.arcsinh, np.arctan])
@pytest.mark.parametrize("y", [2.0, -2.0])
def test_on_a_branch_cut_along_the_imaginary_axis_too(function, y, zero):
    def f(t):
        return function(np.array(complex(zero, t)))

    tangent = fg.jvp(function, (np.array(complex(zero, y)),), (np.array(1j),))[1]
    close(tangent, along(f, [y], [1.0]), 1.0)


# Pytrees.


def test_a_pytree_of_real_and_complex_leaves():
    p = {"z": Z, "r": np.array([2.0, 1.0])}
    gradient = fg.grad(lambda p: power_of(p["z"] * p["r"]))(p)
    np.testing.assert_allclose(gradient["z"], 2 * np.conj(Z) * p["r"] ** 2)
    np.testing.assert_allclose(gradient["r"], 2 * p["r"] * np.abs(Z) ** 2)
    raveled = fg.grad(lambda p: power_of(fg.tree.ravel(p)[0]))(p)
    np.testing.assert_allclose(raveled["z"], 2 * np.conj(Z))
    np.testing.assert_allclose(raveled["r"], 2 * p["r"])
    assert [g.dtype for g in fg.tree.leaves(raveled)] == [x.dtype for x in fg.tree.leaves(p)]


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize("spread", [np.var, np.std, np.nanvar, np.nanstd])
@pytest.mark.parametrize("z", [[1 + 1j, 2, 3 - 2j], [2 + 3j], [2 + 3j, 2 + 3j, np.nan]])
def test_a_spread_in_real_precision_is_about_the_mean_of_the_real_parts(spread, z):
    z, step = np.array(z), 1e-6
    if np.any(np.isnan(z)) and spread in (np.var, np.std):
        z = z[:2]

    def f(z):
        return spread(z, dtype=float)

    assert fg.vmap(f)(z[None]) == pytest.approx(f(z))
    for direction in [unit * part for unit in np.eye(len(z)) for part in (1j, 1 + 0j)]:
        ahead, behind = f(z + step * direction), f(z - step * direction)
        for slope in (
            fg.jvp(f, (z,), (direction,))[1],
            np.sum(np.real(fg.grad(f)(z) * direction)),
            fg.vmap(lambda z, t: fg.jvp(f, (z,), (t,))[1])(z[None], direction[None])[0],
        ):
            np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), 1e-8, 1e-9)
