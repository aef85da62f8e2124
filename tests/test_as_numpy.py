"""A call on traced values gives what NumPy gives on plain ones: the same values in the same dtype,
an array or a number, in the same kind of tuple; and where NumPy raises, an error."""

import numpy as np
import pytest
from table import A, B, C, V

import funcgrad as fg

HALF, SINGLE = A.astype(np.float16), A.astype(np.float32)
ZERO_D, NUMBER, FLOAT = np.array(2.5), np.float64(2.5), 2.5
Z = A * (1 - 0.5j)
Z32 = Z.astype(np.complex64)
OFF = np.zeros((3, 4), bool)

CALLS = [
    # Methods of ufuncs.
    (lambda x: np.multiply.outer(x, 2), SINGLE),
    (lambda x, y: np.hypot.outer(x, y), SINGLE, FLOAT),
    (lambda x: np.fmax.reduce(x, axis=None), ZERO_D),
    (lambda x: np.subtract.reduce(x, axis=None), FLOAT),
    (lambda x: np.logaddexp2.reduce(x, initial=3.0, axis=None), ZERO_D),
    (lambda x: np.remainder.reduce(x, initial=7.0, axis=None), NUMBER),
    (lambda x: np.fmin.reduce(x, keepdims=True), ZERO_D),
    (lambda x: np.arctan2.reduce(x, where=OFF, initial=2.0), SINGLE),
    (lambda x: np.divide.reduce(x, axis=0), V),
    (lambda x: np.hypot.reduce(x, axis=0), A[:1]),
    (lambda x: np.hypot.reduce(x, axis=0, where=[[True], [False], [False]]), A),
    (lambda x: np.hypot.reduceat(x, [0, 1]), A[:2]),
    (lambda x: np.multiply.reduce(x, dtype=bool), A),
    (lambda x: np.add.reduceat(x, [0, 2], dtype=bool), A),
    (lambda x: np.multiply.accumulate(x, dtype=np.int32), A),
    (lambda x: np.float_power.accumulate(x), HALF[:1]),
    # Products.
    (lambda x, y: np.dot(x, y), HALF, FLOAT),
    (lambda x, y: np.inner(x, y), FLOAT, SINGLE),
    (lambda x, y: np.linalg.vecdot(x, y, axis=0), V[:3], A),
    (lambda x, y: np.linalg.multi_dot([x, A.T, y]), V, V[:3]),
    # Single places, sets and sorted values.
    (lambda x: np.insert(x, [1], [[5.0, 6.0]], axis=1), A),
    (lambda x: np.insert(x, [2], np.ones((2, 4)), axis=0), A),
    (lambda x: np.choose(1, [x, 2.0]), ZERO_D),
    (np.sort_complex, Z32[0]),
    (lambda x: np.intersect1d(x, [7, 8.0]), HALF),
    (np.unique_all, V),
    (np.unique_counts, V),
    (np.unique_inverse, A),
    (lambda x: np.quantile(x, np.array([0.1, 0.8]), axis=1), HALF),
    (lambda x: np.quantile(x, [0.1, 0.8]), SINGLE),
    # Functions that are put together.
    (lambda x: np.average([1, 3, 2, 2], weights=x), HALF[0] + 3),
    (lambda x: np.average(x, returned=True), ZERO_D),
    (lambda x, w: np.average(x, weights=w, returned=True), A, A + 3),
    (lambda x, w: np.cov(x, aweights=w), Z, np.abs(SINGLE[0])),
    (lambda x: np.cov(x, rowvar=False, bias=True), A[:1]),
    (lambda x: np.histogram2d(x[0], x[1], bins=[[-2, 0, 2.5], [-3, 3]]), A),
    (lambda x, y: np.histogramdd([x, y], 2), FLOAT, NUMBER),
    (lambda x: np.linspace(np.array([[4]], np.uint8), x, 3), Z32[0]),
    (lambda x: np.logspace(np.array([[1]], np.uint8), x, 3), Z32[0]),
    (lambda x: np.modf(x, casting="unsafe"), NUMBER),
    (np.modf, A),
    (lambda x: x.astype(np.float32), ZERO_D),
    (lambda x: x.astype(np.float32), NUMBER),
    (lambda x: x.astype(int), ZERO_D),
    (lambda x: np.linalg.vector_norm(x, ord=None), A),
    (lambda x: np.fft.rfft2(x, axes=(0, 0)), A),
    (lambda x: np.linalg.lstsq(x, np.array([True, False, True])), SINGLE[:, :2]),
    (lambda x: np.polyfit(x, A.T, 1, cov="unscaled"), V),
    (lambda x: np.resize(x, ()), A),
    (lambda x: np.std(x, dtype=complex), Z32),
    (lambda x: np.var(x, 0, complex), A),
    (lambda x: np.std(x, mean=np.mean(x, keepdims=True)), Z),
    (lambda x: np.take(x, []), V),
    # Of numbers.
    (lambda x: np.cumprod(x, axis=0), NUMBER),
    (lambda x: np.cumsum(x, axis=-1), ZERO_D),
    (np.copy, NUMBER),
    (np.copy, FLOAT),
    (lambda x: x.copy(), NUMBER),
    (lambda x: x.copy(), ZERO_D),
    (lambda x: np.pad(x, 0), NUMBER),
    (np.sign, Z[0, 0]),
    (np.sign, np.array(1j)),
    (np.poly, HALF[0]),
    (lambda x, y: np.clip(x, y, 3.0), FLOAT, SINGLE),
    (lambda x: np.clip(x, 0.0, 1.0), FLOAT),
    (lambda x, y: np.choose([0, 1, 1, 0], [x, y]), FLOAT, HALF[0]),
    (lambda x, y: np.choose([0, 1, 1, 0], [x, y]), SINGLE[0], V),
    (np.median, np.array([1.0, np.inf, 2.0, np.inf])),
    (lambda x: np.nanmedian(x, axis=1), np.array([[np.nan, np.inf, -1.0], [np.inf, np.inf, 1.0]])),
    (lambda x: np.nanmax(x, axis=1), np.empty((0, 3))),
    (np.setxor1d, V[:0], V[:0]),
    # Answers.
    (lambda x: np.allclose(x, 1.0), A),
    (lambda x: np.array_equal(x, B), A),
    (lambda x: np.array_equiv(x, x[0]), A),
    (lambda x: x == None, A),  # noqa: E711
    (lambda x: x != None, A),  # noqa: E711
    (lambda x: x == None, FLOAT),  # noqa: E711
    (lambda x: x == "a", A),
]

#: Calls whose result has a dtype that depends on the values, which no graph can run again.
BY_VALUE = [
    (lambda x, y: np.setxor1d(x, y), V, V[[0, 0, 2]]),
    (lambda x, y: np.setxor1d(x, y, assume_unique=True), V, V[[0, 0, 2]]),
    *[(f, -SINGLE) for f in (np.emath.sqrt, np.emath.log)],
    *[(f, -abs(HALF)) for f in (np.emath.sqrt, np.emath.log10)],
    (np.emath.arccos, 2 + abs(A.astype(np.longdouble))),
]

HOLED = np.where(np.eye(3, 4) > 0, np.nan, A)
CALLS += [
    (lambda x, k=k: np.pad(x, ((2, 4), (3, 0)), **k), z)
    for z in (A, SINGLE, Z32, HOLED)
    for k in (
        {"mode": "mean"},
        {"mode": "mean", "stat_length": 2},
        {"mode": "linear_ramp", "end_values": ((1.0, -2.0), (3.0, 4.0))},
        {"mode": "reflect", "reflect_type": "odd"},
        {"mode": "symmetric", "reflect_type": "odd"},
    )
]

if hasattr(np, "cumulative_sum"):  # from NumPy 2.1 on
    CALLS += [
        (np.cumulative_sum, ZERO_D),
        (lambda x: np.cumulative_prod(x, axis=0), NUMBER),
        (lambda x: np.cumulative_sum(x, axis=(0,)), A),
    ]

RAISE = [
    (lambda x: np.pad(x, 1, "mean"), V[:0]),
    (lambda x: np.std(x, ddof=1, correction=1), A),
    (lambda x: np.nanvar(x, ddof=1, correction=1), A),
    (lambda x: np.take(x, [0], mode="bad"), A),
    (lambda x: np.polyfit(x, V, -1), V),
    (lambda x: np.sort(x, kind="bad"), A),
    (lambda x: np.sort(x, kind="stable", stable=True), A),
    (lambda x: np.fmod.reduce(x), Z),
    (lambda x: np.arctan2.accumulate(x, dtype=int), A),
    (lambda x: np.add.accumulate(x), ZERO_D),
    (lambda x: np.fmax.reduce(x, where=OFF), A),
    (lambda x: np.subtract.reduce(x, axis=(0, 1)), A),
    (lambda x: np.add.reduceat(x, 1), A),
    (lambda x: np.greater.reduce(x), A),
    (lambda x: np.sin(x, order="Z"), A),
    (lambda x, y: np.linalg.vecdot(x, y), A, A[:, :1]),
    (lambda x, y: np.vecdot(x, y), A, A[:, :1]),
    (np.diag, ZERO_D),
    (np.diag, C),
    (lambda x: x.choose([1, 2]), A),
    (lambda x: np.average(x, weights=x - x), A),
    (lambda x: np.cov(x, fweights=[1, -1, 1, 1]), A),
    (lambda x: np.histogram(x, [1, 0]), A),
    (lambda x: np.geomspace(x, 2.0), A - A),
    (lambda x: np.quantile(x, np.nan), A),
    (np.diagonal, V),
    (np.nanmax, V[:0]),
    (np.nanmin, V[:0]),
    (lambda x: np.quantile(V, x), 1.25),
    (lambda x: np.percentile(V, x), np.array([50.0, np.nan])),
    (np.histogram, np.array([1.0, np.inf])),
    (np.histogram_bin_edges, np.array([1.0, np.nan])),
    (lambda x: np.histogram2d(x, x), np.array([1.0, np.nan])),
    (lambda x: np.diagonal(x, axis2=3), A),
    (lambda x: np.take_along_axis(x, np.array([[1]]), None), A),
    (lambda x: np.place(np.copy(x), [True] * 4, []), V),
]


def described(result):
    """What the result is, and in what."""
    if isinstance(result, tuple | list):
        return type(result), [described(x) for x in result]
    return type(result), getattr(result, "dtype", None), np.shape(result)


def leaves(result):
    if isinstance(result, tuple | list):
        return [x for part in result for x in leaves(part)]
    return [result]


def check(got, want):
    assert described(got) == described(want)
    for x, y in zip(leaves(got), leaves(want)):
        eps = np.finfo(np.result_type(y, np.float16)).eps
        np.testing.assert_allclose(x, y, rtol=8 * eps, atol=8 * eps)


@pytest.mark.parametrize("call, args", [(f, args) for f, *args in CALLS + BY_VALUE])
def test_result(call, args):
    check(fg.vjp(call, *args)[0], call(*args))
    check(fg.jvp(call, tuple(args), tuple(args))[0], call(*args))


@pytest.mark.parametrize("call, args", [(f, args) for f, *args in CALLS])
def test_result_of_a_graph(call, args):
    got, want = fg.make_graph(call)(*args)(*args), call(*args)
    check(
        np.bool_(got) if isinstance(got, bool) else got,
        np.bool_(want) if isinstance(want, bool) else want,
    )


@pytest.mark.parametrize("call, args", [(f, args) for f, *args in RAISE])
def test_error(call, args):
    with pytest.raises((TypeError, ValueError, ZeroDivisionError)) as error:
        call(*args)
    with pytest.raises((TypeError, ValueError, ZeroDivisionError)) as own:
        fg.vjp(call, *args)
    assert issubclass(error.type, own.type)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
@pytest.mark.parametrize(
    "call, x",
    [
        (lambda x: np.median(x), V[:0]),
        (lambda x: np.median(x, axis=1), A[:, :0]),
        (lambda x: np.median(x, axis=0), A[:, :0]),
        (lambda x: np.nanmedian(x, axis=1, keepdims=True), SINGLE[:, :0]),
        (lambda x: np.nanmedian(x, axis=0), A[:, :0]),
        (lambda x: np.nanquantile(x, 0.3), V[:0]),
        (lambda x: np.nanpercentile(x, [30, 40], axis=1), HALF[:, :0]),
    ],
)
def test_an_order_statistic_of_nothing(call, x):
    check(fg.vjp(call, x)[0], call(x))


def test_a_variance_in_complex_numbers_is_real():
    z, v = Z[0], Z[1]
    for f in (np.std, np.var, np.nanvar):
        _, tangent = fg.jvp(lambda x, f=f: f(x, dtype=complex), (z,), (v,))
        _, want = fg.jvp(f, (z,), (v,))
        assert tangent == want.astype(complex)


@pytest.mark.parametrize("keywords", [{}, {"fweights": [1, 1]}, {"aweights": [1.0, 1.0]}])
def test_a_covariance_of_fewer_observations_than_ddof(keywords):
    with pytest.warns(RuntimeWarning):
        want = np.cov(A[:, :2], ddof=3, **keywords)
    with np.errstate(all="ignore"):
        got, _ = fg.vjp(lambda x: np.cov(x, ddof=3, **keywords), A[:, :2])
    np.testing.assert_array_equal(got, want)
