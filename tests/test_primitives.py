"""Every primitive, from one table: value, both derivatives, second order, dtype, edge shapes."""

import itertools

import numpy as np
import pytest
from table import CONSTANT, ELEMENTWISE, GENERAL, INTEGER_ONLY, draw

import funcgrad as fg
from funcgrad.core import Tracer
from funcgrad.trace import Trace
from funcgrad.verbs import PRIMITIVES

EPS = np.finfo(float).eps
# A five-point difference of step h is off by about h⁴ and by rounding, eps / h.
STEP = EPS ** (1 / 5)
NUMERICAL = 1e4 * EPS ** (4 / 5)


class Names(Trace):
    """A transform that only notes which primitives a call reaches."""

    transform = "names"

    def __init__(self, f, constants):
        super().__init__(f)
        self.constants = constants
        self.seen = set()

    def process(self, primitive, operands, keywords):
        self.seen.add(primitive.name)
        values = [t.value if type(t) is Tracer and t.owner is self else t for t in operands]
        ans = primitive.apply(*values, **keywords)
        if type(ans) is tuple:
            return tuple([Tracer(self, each, None) for each in ans])
        followed = primitive.pulls is not None or self.constants
        return Tracer(self, ans, None) if followed else ans


def reached(call, args, constants=False):
    trace = Names(call, constants)
    call(*[Tracer(trace, x, None) for x in args])
    return trace.seen


def inner(a, b):
    return sum(np.sum(np.multiply(x, y)) for x, y in zip(a, b))


def along(f, args, directions):
    """The derivative of f at args along directions, by a five-point difference."""

    def at(s):
        return np.asarray(f(*[x + s * STEP * d for x, d in zip(args, directions)]))

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * STEP)


def directions_like(args, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(np.shape(x)) for x in args]


def close(got, want, scale):
    assert np.shape(got) == np.shape(want)
    error = np.max(np.abs(np.asarray(got) - want), initial=0.0)
    assert error <= NUMERICAL * max(1.0, scale, np.max(np.abs(want), initial=0.0))


def check_derivatives(f, args):
    """Value, vjp and jvp against NumPy and differences, the law between them, and second order."""
    plain = f(*args)
    v = directions_like(args, 1)
    w = directions_like([plain], 2)[0]

    out, pullback = fg.vjp(f, *args)
    pulled = pullback(w)
    out_forward, pushed = fg.jvp(f, tuple(args), tuple(v))
    scale = np.max(np.abs(plain), initial=0.0)
    for traced in (out, out_forward):
        # What is put together from other functions may round differently.
        np.testing.assert_allclose(traced, plain, rtol=0, atol=16 * EPS * max(1.0, scale))
        assert np.result_type(traced) == np.result_type(plain)
        assert np.shape(traced) == np.shape(plain)
    for x, g in zip(args, pulled):
        assert np.shape(x) == np.shape(g)
        assert g.dtype == np.result_type(x)
    close(pushed, along(f, args, v), scale)
    norms = [np.sqrt(inner(a, a)) for a in (v, pulled, [pushed], [w])]
    law = abs(inner([pushed], [w]) - inner(v, pulled))
    assert law <= 1e-12 * max(norms[0] * norms[1], norms[2] * norms[3], 1e-300)

    def slope(*args):
        return inner(fg.vjp(f, *args)[1](w), v)

    # Reverse over reverse, forward over reverse and reverse over forward, against differences.
    u = directions_like(args, 3)
    curvature = along(slope, args, u)
    _, pull_slope = fg.vjp(slope, *args)
    close(inner(pull_slope(1.0), u), curvature, scale)
    close(fg.jvp(slope, tuple(args), tuple(u))[1], curvature, scale)
    _, pull_pushed = fg.vjp(lambda *a: fg.jvp(f, a, tuple(v))[1], *args)
    close(inner(pull_pushed(w), u), curvature, scale)


def check_single_precision(f, args):
    """Gradients by float32 are float32, near those by float64, and so are NumPy's own results."""
    args32 = [np.float32(x) if np.ndim(x) == 0 else x.astype(np.float32) for x in args]
    plain = f(*args32)
    out, pullback = fg.vjp(f, *args32)
    w = np.asarray(directions_like([plain], 2)[0], out.dtype)
    _, tangent = fg.jvp(f, tuple(args32), tuple(np.ones_like(x) for x in args32))
    assert tangent.dtype == out.dtype
    assert out.dtype == plain.dtype
    assert isinstance(plain, np.ndarray) or not isinstance(out, np.ndarray)
    exact = fg.vjp(f, *[x.astype(float) for x in args32])[1](w.astype(float))
    for got, want in zip(pullback(w), exact):
        assert got.dtype == np.float32
        bound = 200 * np.finfo(np.float32).eps * max(1.0, np.max(np.abs(want), initial=0.0))
        assert np.max(np.abs(got - want), initial=0.0) <= bound


def same(got, want, scale):
    assert np.shape(got) == np.shape(want)
    assert np.result_type(got) == np.result_type(want)
    np.testing.assert_allclose(got, want, rtol=0, atol=64 * EPS * max(1.0, scale))


def check_vmap(f, args):
    """vmap over every choice of operands against a loop, nested, and with the derivatives."""
    stacks = [np.stack([x, x + 0.01, x - 0.01]) for x in args]
    scale = max(
        np.max(np.abs(f(*args)), initial=0.0), *(np.max(np.abs(x), initial=0.0) for x in args)
    )

    def looped(g, axes, stacks):
        rows = [[x if a is None else x[b] for x, a in zip(stacks, axes)] for b in range(3)]
        return np.stack([g(*row) for row in rows])

    for axes in itertools.product((0, None), repeat=len(args)):
        if axes == (None,) * len(args):
            continue
        given = [s if a == 0 else x for s, x, a in zip(stacks, args, axes)]
        same(fg.vmap(f, axes)(*given), looped(f, axes, given), scale)
    axes = (0,) * len(args)
    nested = [np.stack([s, s + 0.001], axis=-1) for s in stacks]
    want = [looped(f, axes, [n[..., k] for n in nested]) for k in (0, 1)]
    same(fg.vmap(fg.vmap(f), -1)(*nested), np.stack(want), scale)

    w = directions_like([f(*args)], 2)[0]

    def gradient(*args):
        return fg.vjp(f, *args)[1](w)

    def tangent(*args):
        return fg.jvp(f, args, tuple(directions_like(args, 1)))[1]

    pulled = fg.vmap(gradient)(*stacks)
    _, pull_all = fg.vjp(fg.vmap(f), *stacks)
    for i, (row, of_all) in enumerate(zip(pulled, pull_all(np.stack([w] * 3)))):
        want = looped(lambda *args, i=i: gradient(*args)[i], axes, stacks)
        bound = scale * max(1.0, np.max(np.abs(want), initial=0.0)) * 16
        same(row, want, bound)
        same(of_all, want, bound)
    want = looped(tangent, axes, stacks)
    same(fg.vmap(tangent)(*stacks), want, scale * max(1.0, np.max(np.abs(want), initial=0.0)))


SHAPES = [[(3, 4)], [()], [(0,)], [(1,)]]
PAIRS = [
    [(3, 4), (3, 4)],
    [(), ()],
    [(0,), (0,)],
    [(3, 1), (1, 4)],
    [(4,), (3, 4)],
    [(3, 4), ()],
    [(), (2,)],
    [(2, 0), (1, 1)],
]


@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda row: row.name)
def test_elementwise(row):
    for shapes in SHAPES if len(row.domains) == 1 else PAIRS:
        args = [draw(s, *d, seed=i) for i, (s, d) in enumerate(zip(shapes, row.domains))]
        check_derivatives(row.function, args)
        check_single_precision(row.function, args)
        check_vmap(row.function, args)


@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda row: row.name)
def test_elementwise_on_scalars(row):
    args = [np.float64(draw((), *d, seed=i)) for i, d in enumerate(row.domains)]
    check_derivatives(row.function, args)


@pytest.mark.parametrize("row", GENERAL, ids=str)
def test_general(row):
    check_derivatives(row.call, row.args)
    check_single_precision(row.call, row.args)
    check_vmap(row.call, row.args)


@pytest.mark.parametrize("name, call, args", CONSTANT, ids=[row[0] for row in CONSTANT])
def test_constant(name, call, args):
    seen = []

    def f(*xs):
        ans = call(*xs)
        seen.append(ans)
        return sum(np.sum(x) for x in xs)

    for g in fg.grad(f, tuple(range(len(args))))(*args):
        np.testing.assert_array_equal(g, 1.0)
    assert not fg.is_traced(seen[0])
    np.testing.assert_array_equal(seen[0], call(*args))
    if name != "stop_gradient":  # whose derivative is zero by decree
        slope = along(lambda *xs: np.sum(call(*xs), dtype=float), args, directions_like(args, 4))
        assert slope == 0


def test_every_primitive_has_a_row():
    rows = {name for row in GENERAL for name in row.names.split()}
    rows |= {row.name for row in ELEMENTWISE} | {row[0] for row in CONSTANT} | INTEGER_ONLY
    assert sorted(PRIMITIVES.keys() - rows) == []
    assert sorted(rows - PRIMITIVES.keys()) == []


@pytest.mark.parametrize("row", GENERAL, ids=str)
def test_general_row_reaches_its_primitives(row):
    assert set(row.names.split()) <= reached(row.call, row.args)


@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda row: row.name)
def test_elementwise_row_reaches_its_primitive(row):
    args = [draw((2,), *d, seed=i) for i, d in enumerate(row.domains)]
    assert row.name in reached(row.function, args)


@pytest.mark.parametrize("name, call, args", CONSTANT, ids=[row[0] for row in CONSTANT])
def test_constant_row_reaches_its_primitive(name, call, args):
    assert name in reached(call, args, constants=True)
