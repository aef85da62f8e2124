"""Results lie in memory as NumPy's own do, so that the same views of them are views.

Whether ``y.ravel()`` is a view of ``y``, which a write to it reaches, depends on the order of y's
elements in memory, and that of a result on the orders of its operands.
"""

import itertools

import numpy as np
import pytest
from numpy_rows import EXAMPLES, KEYWORDS, NO_VMAP, listed
from table import ELEMENTWISE, GENERAL, A, B, C, V, draw

import funcgrad as fg
from funcgrad.core import Tracer
from funcgrad.rules.order import example


def laid(x, axes):
    """``x`` with its axes in this order in memory, the last one being the fastest."""
    y = np.empty([x.shape[axis] for axis in axes]).transpose(np.argsort(axes))
    y[...] = x
    return y


def dense(x):
    """The same values in memory in every order of the axes."""
    return [laid(np.asarray(x), axes) for axes in itertools.permutations(range(np.ndim(x)))]


def layouts(x):
    """These, with gaps, and backwards."""
    x, orders = np.asarray(x), dense(x)
    if not x.ndim:
        return orders
    gaps = np.repeat(x, 2, axis=-1)[..., ::2]
    gaps_in_fortrans_order = np.repeat(x.T, 2, axis=0)[::2].T
    return [*orders, gaps, gaps_in_fortrans_order, x[::-1].copy()[::-1]]


def arrangements(args, layouts=layouts):
    """The arguments in memory in many ways: all alike, and each in its own while others wait."""
    ways = [layouts(x) for x in args]
    for k in range(max(map(len, ways))):
        yield [way[k % len(way)] for way in ways]
    for i, way in enumerate(ways[1:], 1):
        for x in way[1:]:
            yield [x if k == i else way[0] for k, way in enumerate(ways)]


def stack_of(x, outer):
    """Two times ``x`` in its order in memory, the batch axis being the slowest or the fastest."""
    axes = [1 + axis for axis in np.argsort(x.strides)[::-1]]
    return laid(np.stack([x, x]), [0, *axes] if outer else [*axes, 0])


def views_of(a):
    """Which ways of reshaping ``a`` make a view of it."""
    shapes = [(-1,), *((*a.shape[:i], -1, *a.shape[i + 2 :]) for i in range(a.ndim - 1))]
    reshaped = [a.reshape(shape, order=order) for shape in shapes for order in "CF"]
    return [np.may_share_memory(a, y) for y in [*reshaped, a.ravel(), a.ravel(order="F")]]


def order_of(a):
    """The order of the axes of ``a`` in memory, but for those of length 1."""
    long = a[tuple(slice(None) if n > 1 else 0 for n in a.shape)]
    return np.empty_like(long).strides


def leaves(ans):
    return [x for part in ans for x in leaves(part)] if isinstance(ans, list | tuple) else [ans]


def traced(call, args, run):
    """The results of ``call`` under a transform."""
    found = []

    def f(*args):
        found[:] = leaves(call(*args))
        return sum(np.sum(x) for x in args)

    run(f, args)
    return found


ROWS = [(row.names, row.call, row.args) for row in GENERAL]
ROWS += [
    (row.name, row.function, [draw((2, 3, 4), *d) for d in row.domains]) for row in ELEMENTWISE
]
ROWS += [(n, f, a) for rows in (EXAMPLES, KEYWORDS, NO_VMAP) for n, f, *a in listed(rows)]

POSITIVE, SQUARE, FOUR = abs(C) + 0.5, draw((2, 3, 3)) + 3 * np.eye(3), draw((2, 3, 4, 5))
SHARES = np.array([[0.1, 0.5], [0.7, 0.9]])
#: Calls with an axis, for which NumPy chooses an order in many ways.
ALONG = {
    "median": lambda x, axis: np.median(x, axis),
    "nanmedian": lambda x, axis: np.nanmedian(x, axis, keepdims=True),
    "quantile": lambda x, axis: np.quantile(x, SHARES, axis),
    "weighted quantile": lambda x, axis: np.quantile(
        x, 0.3, axis, weights=POSITIVE, method="inverted_cdf"
    ),
    "nanpercentile": lambda x, axis: np.nanpercentile(x, [10, 30], axis, keepdims=True),
    "average": lambda x, axis: np.average(x, axis, np.arange(1.0, 1 + x.shape[axis])),
    "std": lambda x, axis: np.nanstd(x, axis),
    "max": lambda x, axis: np.max(x, axis, keepdims=True),
    "sort": np.sort,
    "partition": lambda x, axis: np.partition(x, 1, axis),
    "cumprod": np.cumprod,
    "unwrap": lambda x, axis: np.unwrap(5 * x, axis=axis),
    "gradient": lambda x, axis: np.gradient(x, axis=axis),
    "diff": lambda x, axis: np.diff(x, axis=axis, append=x),
    "take": lambda x, axis: np.take(x, [[1, 0], [0, 1]], axis),
    "repeat": lambda x, axis: np.repeat(x, 2, axis),
    "delete one": lambda x, axis: np.delete(x, [1], axis),
    "delete some": lambda x, axis: np.delete(x, [0, 0], axis),
    "delete none": lambda x, axis: np.delete(x, slice(0, 0), axis),
    "insert": lambda x, axis: np.insert(x, [1, 0], 5.0, axis),
    "insert none": lambda x, axis: np.insert(x, [], 5.0, axis),
    "apply": lambda x, axis: np.apply_along_axis(lambda row: row * 2, axis, x),
    "stack": lambda x, axis: np.stack([x, 2 * x], axis),
    "concatenate": lambda x, axis: np.concatenate([x, 2 * x], axis),
    "norm": lambda x, axis: np.linalg.norm(x, 1, axis, keepdims=True),
    "fft": lambda x, axis: np.fft.irfft(x, axis=axis),
    "roll": lambda x, axis: np.roll(x, 1, axis),
    "accumulate": lambda x, axis: np.hypot.accumulate(x, axis),
    "reduce": lambda x, axis: np.logaddexp.reduce(x, axis),
    "reduceat": lambda x, axis: np.add.reduceat(x, [0, 1], axis),
    "linspace": lambda x, axis: np.linspace(x, x + 1, 5, axis=axis),
    "cross": lambda x, axis: np.cross(x[:, :, :3], SQUARE, axisc=axis),
    "unique": lambda x, axis: np.unique(x, axis=axis),
}
ROWS += [
    (name, lambda x, call=call, axis=axis: call(x, axis), (C,))
    for name, call in ALONG.items()
    for axis in range(3)
]
#: Calls that are told an order.
IN_ORDER = {
    "add": lambda x, order: np.add(x, POSITIVE, order=order),
    "copy": lambda x, order: np.copy(x, order=order),
    "method copy": lambda x, order: x.copy(order),
    "astype": lambda x, order: x.astype(np.float32, order=order),
    "astype itself": lambda x, order: x.astype(float, order=order, copy=False),
    "array": lambda x, order: np.array(x, order=order, like=x),
    "ndmin": lambda x, order: np.array(x, order=order, ndmin=4, like=x),
    "asarray": lambda x, order: np.asarray(x, order=order, like=x),
    "zeros_like": lambda x, order: np.zeros_like(x, order=order),
    "full_like": lambda x, order: np.full_like(x, 2.0, order=order, shape=(3, 2, 5)),
}
ROWS += [
    (f"{name} {order}", lambda x, call=call, order=order: call(x, order), (C,))
    for name, call in IN_ORDER.items()
    for order in "CFAK"
]
ROWS += [
    ("einsum", lambda x, y: np.einsum("ij,jk", x, y, order="F"), (A, B)),
    ("einsum", lambda x, y: np.einsum("ijk,kl->lij", x, y), (C, B)),
    ("multi_dot", lambda x, y: np.linalg.multi_dot([x, y]), (A, B)),
    ("tile", lambda x: np.tile(x, (1, 1)), (A,)),
    ("meshgrid", lambda x: np.meshgrid(x, x, x), (V,)),
    ("matrix_power", lambda x: np.linalg.matrix_power(x, 0) + 0 * x, (SQUARE,)),
    ("matrix_norm", lambda x: np.linalg.matrix_norm(x), (FOUR,)),
    ("matrix_norm", lambda x: np.linalg.matrix_norm(x, ord="nuc", keepdims=True), (FOUR,)),
    ("vecdot", np.vecdot, (C, A)),
    ("svd", lambda x: np.linalg.svd(x, full_matrices=False), (C,)),
    ("qr", lambda x: np.linalg.qr(x, mode="complete"), (np.moveaxis(C, 1, 2).copy(),)),
    ("cumsum", lambda x: np.cumsum(x, 0, out=np.zeros_like(x)) * 2, (C,)),
]


@pytest.mark.parametrize("name, call, args", ROWS)
def test_a_result_lies_in_memory_as_numpys(name, call, args):
    for xs in arrangements(args):
        want = leaves(call(*xs))
        for t, a in zip(traced(call, xs, lambda f, xs: fg.vjp(f, *xs)), want, strict=True):
            if np.ndim(a) == 0:
                continue
            one = example(t)
            assert order_of(one) == order_of(a)
            # Of a view it is known how it came from which array.
            is_view = type(t) is Tracer and t.origin is not None
            assert is_view or views_of(one) == views_of(a)


@pytest.mark.parametrize("name, call, args", [row for row in ROWS if row[0] not in NO_VMAP])
@pytest.mark.parametrize("outer", [True, False])
def test_an_example_is_in_order_only_where_it_is_for_numpy(name, call, args, outer):
    for xs in arrangements(args, dense):
        want = leaves(call(*xs))
        got = traced(call, xs, lambda f, xs: fg.vmap(f)(*[stack_of(x, outer) for x in xs]))
        for t, a in zip(got, want, strict=True):
            if np.ndim(a) and example(t).flags.c_contiguous and t.origin is None:
                assert views_of(example(t)) == views_of(a)


#: What is written to, in one order in memory or another.
MAKE = {
    "argument": lambda x: x,
    "sin": lambda x: np.sin(x),
    "T": lambda x: x.T,
    "sin T": lambda x: np.sin(x).T,
    "sort": lambda x: np.sort(x, axis=0),
    "full_like": lambda x: np.full_like(x, x[0, 0, 0]) * 2,
    "take": lambda x: np.take(x, [1, 0], axis=1),
    "list": lambda x: x[:, [0, 1]],
    "pad": lambda x: np.pad(x, 1),
    "part": lambda x: x[:, 1:],
    "backwards": lambda x: x[::-1],
    "mixed": lambda x: np.moveaxis(x, 0, 1) * np.swapaxes(x, 0, 1),
    "written": lambda x: np.add(np.zeros_like(x), x, out=np.ones_like(x)) * x,
}
RESHAPE = {
    **{f"ravel {k}": lambda y, k=k: np.ravel(y, k) for k in "CFAK"},
    **{f"reshape {k}": lambda y, k=k: y.reshape(-1, order=k) for k in "CFA"},
    "merged": lambda y: y.reshape(-1, y.shape[-1]),
    "T": lambda y: y.T.reshape(-1),
}


def written(x, make, reshape, first):
    y = make(x)
    flat = reshape(y)
    if first == "the array":
        y[-1] = 5.0
        y *= 0.5
    else:
        flat[0] = 7.0
        flat[1:3] *= y[0, 1, 1]
    return y, flat, np.sum(y * np.arange(float(y.size)).reshape(y.shape))


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE.keys())
@pytest.mark.parametrize("reshape", RESHAPE.values(), ids=RESHAPE.keys())
@pytest.mark.parametrize("first", ["the array", "the elements"])
def test_a_write_reaches_what_it_reaches_in_numpy(make, reshape, first):
    def f(x):
        return written(x, make, reshape, first)

    for x, changed in zip(layouts(C), layouts(C), strict=True):
        want = f(changed)
        for got in (fg.vjp(f, x)[0], fg.jvp(f, (x,), (x,))[0]):
            for a, b in zip(got, want, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE.keys())
@pytest.mark.parametrize("reshape", RESHAPE.values(), ids=RESHAPE.keys())
@pytest.mark.parametrize("outer", [True, False])
def test_a_write_under_vmap_reaches_the_same_or_is_refused(make, reshape, outer):
    def f(x):
        return written(x, make, reshape, "the elements")

    for x in dense(C):
        want = f(x.copy("K"))
        try:
            got = fg.vmap(f)(stack_of(x, outer))
        except (TypeError, fg.UnsupportedError) as error:
            assert "in memory" in str(error)
            continue
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, np.stack([b, b]), rtol=1e-14)


def test_an_order_in_memory_is_differentiated():
    def f(x):
        y = np.sort(x, axis=0)
        np.ravel(y, "K")[1:4] *= x[0, 1, 1]
        return np.sum(np.ravel(y * y, "K") * np.arange(24.0))

    for x, v in zip(layouts(C), layouts(draw(C.shape, seed=1)), strict=True):
        step = 1e-6 * v
        slope = (f(x + step) - f(x - step)) / 2e-6
        np.testing.assert_allclose(np.sum(fg.grad(f)(x) * v), slope, rtol=1e-7)
        np.testing.assert_allclose(fg.jvp(f, (x,), (v,))[1], slope, rtol=1e-7)
