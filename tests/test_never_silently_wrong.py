"""Where gradients elsewhere come out wrong without a word: here the right value, or an error.

Singular points follow one convention, the least-norm subgradient with ties split evenly, at first
and second order and in both modes. A cotangent that is exactly zero annihilates an infinite local
derivative; an infinity on the branch that was taken shows.
"""

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, jacrev, jvp, vjp

VECTOR = np.array([0.5, -1.0, 2.0])
MASK = np.array([True, False, True])


def assert_derivative(f, x, want):
    """``want`` by grad, and column by column by jvp."""
    np.testing.assert_array_equal(grad(f)(x), want)
    directions = np.eye(np.size(x)).reshape(np.size(x), *np.shape(x))
    pushed = [jvp(f, (x,), (v,))[1] for v in directions]
    np.testing.assert_array_equal(pushed, np.ravel(want))


# Mistakes that were met in other libraries.


@pytest.mark.parametrize(
    "f, x, want",
    [
        (lambda x: np.sum(x, where=MASK), VECTOR, [1, 0, 1]),
        (lambda x: np.mean(x, where=MASK), VECTOR, [0.5, 0, 0.5]),
        (lambda x: np.max(x, where=MASK, initial=-9), VECTOR, [0, 0, 1]),
        (lambda x: np.sum(np.full_like(x, x[0])), VECTOR, [3, 0, 0]),
        (lambda x: np.prod(x), np.array([0.0, 2.0, 3.0]), [6, 0, 0]),
        (lambda x: np.sum(x.copy()), VECTOR, [1, 1, 1]),
        (lambda x: np.sum(x.astype(np.float32)), VECTOR, [1, 1, 1]),
        (lambda x: np.sum(np.hypot(x, 0.0)), VECTOR, [1, -1, 1]),
        (lambda x: np.sum(np.tanh(x)), np.array([-800.0, 800.0]), [0, 0]),
        (lambda x: np.linalg.norm(x, np.inf), VECTOR, [0, 0, 1]),
        (lambda x: np.linalg.norm(x), np.zeros(3), [0, 0, 0]),
    ],
)
def test_what_has_a_derivative_has_the_right_one(f, x, want):
    assert_derivative(f, x, want)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.full_like(np.ones(6), x[0])),
        lambda x: x[0].item() * x[0],
        lambda x: float(x[0]) * x[0],
    ],
)
def test_what_would_lose_a_derivative_is_refused(f):
    with pytest.raises(fg.DerivativeLostError):
        grad(f)(VECTOR)


@pytest.mark.parametrize("f", [np.mean, np.max, np.min, np.std, np.var, np.sum, np.prod])
def test_reductions_of_float32_have_float32_derivatives(f):
    x = VECTOR.astype(np.float32)
    assert grad(f)(x).dtype == np.float32
    assert jvp(f, (x,), (x,))[1].dtype == np.float32


def test_a_tracer_out_of_its_transform_is_refused():
    kept = []
    grad(lambda x: kept.append(x) or x * x)(2.0)
    with pytest.raises(fg.LeakedTracerError, match="grad of <lambda>"):
        kept[0] * 2.0


@pytest.mark.parametrize("traced", [True, False])
def test_an_index_out_of_bounds_is_an_index_error(traced):
    with pytest.raises(IndexError):
        grad(lambda x: (x if traced else np.arange(3.0))[10] * np.sum(x))(VECTOR)


@pytest.mark.parametrize("f", [lambda x: np.hypot(x, 1.5), lambda x: x.astype(np.float32) * 1.5])
def test_both_modes_at_second_order(f):
    x = np.float64(2.0)
    over = [grad(grad(f))(x), jvp(grad(f), (x,), (1.0,))[1]]
    over += [grad(lambda x: jvp(f, (x,), (1.0,))[1])(x)]
    np.testing.assert_allclose(over, over[0], rtol=1e-6)


# Singular points of scalar functions: the first and second derivative at a point.

SINGULAR = {
    "abs": (abs, 0, 0, 0),
    "np.abs": (np.abs, 0, 0, 0),
    "np.fabs": (np.fabs, 0, 0, 0),
    "x ** 0": (lambda x: x**0, 0, 0, 0),
    "x ** 0.0": (lambda x: x**0.0, 0, 0, 0),
    "0 ** x": (lambda x: 0.0**x, 2, 0, 0),
    "x ** 1": (lambda x: x**1, 0, 1, 0),
    "x ** 2": (lambda x: x**2, 0, 0, 2),
    "x ** 2.0": (lambda x: x**2.0, 0, 0, 2),
    "x ** 3": (lambda x: x**3, 0, 0, 0),
    "np.square": (np.square, 0, 0, 2),
    "maximum, tie": (lambda x: np.maximum(x, 0.0), 0, 0.5, 0),
    "maximum, tie, reversed": (lambda x: np.maximum(0.0, x), 0, 0.5, 0),
    "maximum of itself": (lambda x: np.maximum(x, x), 0, 1, 0),
    "minimum, tie": (lambda x: np.minimum(x, 0.0), 0, 0.5, 0),
    "fmax, tie": (lambda x: np.fmax(x, 0.0), 0, 0.5, 0),
    "fmin, tie": (lambda x: np.fmin(x, 0.0), 0, 0.5, 0),
    "tie, branches that bend": (lambda x: np.maximum(x * x, x), 1, 1.5, 1),
    "clip at the lower bound": (lambda x: np.clip(x, 0.0, 1.0), 0, 0.5, 0),
    "clip at the upper bound": (lambda x: np.clip(x, -1.0, 0.0), 0, 0.5, 0),
    "clip inside": (lambda x: np.clip(x, -1.0, 1.0), 0, 1, 0),
    "clip between equal bounds": (lambda x: np.clip(x, 0.0, 0.0), 0, 0.25, 0),
    "hypot": (lambda x: np.hypot(x, 0.0), 0, 0, 0),
    "sqrt": (np.sqrt, 0, np.inf, -np.inf),
    "x ** 0.5": (lambda x: x**0.5, 0, np.inf, -np.inf),
    "log": (np.log, 0, np.inf, -np.inf),
    "sqrt taken": (lambda x: np.where(x >= 0, np.sqrt(x), 0.0), 0, np.inf, -np.inf),
    "sqrt not taken": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0, 0, 0),
    "sqrt not taken, NaN": (lambda x: np.where(x > 0, np.sqrt(x), x), -1, 1, 0),
    "log not taken": (lambda x: np.where(x > 0, np.log(x), 0.0), 0, 0, 0),
    "x log x not taken": (lambda x: np.where(x > 0, x * np.log(x), 0.0), 0, 0, 0),
    "sin x / x not taken": (lambda x: np.where(x != 0, np.sin(x) / x, 1.0), 0, 0, 0),
    "1 / x not taken": (lambda x: np.where(x != 0, 1 / x, 0.0), 0, 0, 0),
    "1 / x**2 not taken": (lambda x: np.where(x != 0, 1 / x**2, 0.0), 0, 0, 0),
    "sqrt log not taken": (lambda x: np.where(x > 1, np.sqrt(np.log(x)), 0.0), 0, 0, 0),
    "sqrt indexed away": (lambda x: np.sqrt(np.stack([x, x + 1]))[1], 0, 0.5, -0.25),
    "log summed away": (
        lambda x: np.sum(np.log(np.stack([x, x + 1])), where=[False, True]),
        0,
        1,
        -1,
    ),
    "relu": (lambda x: np.where(x > 0, x, 0.0), 0, 0, 0),
    "sinc": (np.sinc, 0, 0, -(np.pi**2) / 3),
    "tanh far out": (lambda x: np.tanh(x + 800), 0, 0, 0),
    "sign": (np.sign, 0, 0, 0),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("f, at, first, second", SINGULAR.values(), ids=SINGULAR.keys())
@pytest.mark.parametrize("kind", [float, np.float64, np.array])
def test_singular_point(kind, f, at, first, second):
    x = kind(float(at))
    one = np.float64(1)
    np.testing.assert_allclose(grad(f)(x), first, rtol=1e-15)
    np.testing.assert_allclose(jvp(f, (x,), (one,))[1], first, rtol=1e-15)
    np.testing.assert_allclose(grad(grad(f))(x), second, rtol=1e-15)
    np.testing.assert_allclose(jvp(grad(f), (x,), (one,))[1], second, rtol=1e-15)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("f, at, first, second", SINGULAR.values(), ids=SINGULAR.keys())
def test_a_singular_point_leaves_its_neighbour_alone(f, at, first, second):
    def total(x):
        return f(x[0]) + 2 * f(x[1])

    x = np.array([at, 1.7])
    beside = 2 * grad(f)(1.7), 2 * grad(grad(f))(1.7)
    np.testing.assert_allclose(grad(total)(x), [first, beside[0]], rtol=1e-14)
    got = grad(lambda x: np.sum(grad(total)(x)))(x)
    np.testing.assert_allclose(got, [second, beside[1]], rtol=1e-14)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * np.log(x),
        lambda x: np.where(x > 0, x, 1.0) * np.sqrt(x),
        lambda x: np.sum(np.sqrt(np.stack([x, x]))),
    ],
)
def test_an_infinite_derivative_on_the_branch_taken_shows(f):
    assert np.isinf(grad(f)(0.0))


# Singular points of functions of a vector: gradient and Hessian.

ONES = np.ones(3)
THIRD = np.full(3, 1 / 3)
FLAT = np.zeros((3, 3))

VECTOR_SINGULAR = {
    "max, all tied": (np.max, ONES, THIRD, FLAT),
    "min, all tied": (np.min, ONES, THIRD, FLAT),
    "max, two tied": (np.max, np.array([2.0, 1.0, 2.0]), [0.5, 0, 0.5], FLAT),
    "max of infinities": (np.max, np.array([np.inf, 0.0, np.inf]), [0.5, 0, 0.5], FLAT),
    "maximum.reduce": (np.maximum.reduce, ONES, THIRD, FLAT),
    "ptp of constants": (np.ptp, ONES, [0, 0, 0], FLAT),
    "std of constants": (np.std, ONES, [0, 0, 0], FLAT),
    "std with ddof": (lambda x: np.std(x, ddof=1), ONES, [0, 0, 0], FLAT),
    "std of constants whose mean rounds": (np.std, np.full(3, 0.1), [0, 0, 0], FLAT),
    "prod, one zero": (
        np.prod,
        np.array([0.0, 2.0, 3.0]),
        [6, 0, 0],
        [[0, 3, 2], [3, 0, 0], [2, 0, 0]],
    ),
    "prod, two zeros": (
        np.prod,
        np.array([0.0, 0.0, 3.0]),
        [0, 0, 0],
        [[0, 3, 0], [3, 0, 0], [0, 0, 0]],
    ),
    "multiply.reduce": (
        np.multiply.reduce,
        np.array([0.0, 2.0, 3.0]),
        [6, 0, 0],
        [[0, 3, 2], [3, 0, 0], [2, 0, 0]],
    ),
    # a + ab + abc
    "cumprod, one zero": (
        lambda x: np.sum(np.cumprod(x)),
        np.array([2.0, 0.0, 3.0]),
        [1, 8, 0],
        [[0, 4, 0], [4, 0, 2], [0, 2, 0]],
    ),
    "cumprod, two zeros": (
        lambda x: np.sum(np.cumprod(x)),
        np.array([0.0, 0.0, 3.0]),
        [1, 0, 0],
        [[0, 4, 0], [4, 0, 0], [0, 0, 0]],
    ),
}


@pytest.mark.parametrize(
    "f, x, first, second", VECTOR_SINGULAR.values(), ids=VECTOR_SINGULAR.keys()
)
def test_singular_point_of_a_vector(f, x, first, second):
    assert_derivative(f, x, first)
    np.testing.assert_array_equal(jacrev(jacrev(f))(x), second)
    pushed = [jvp(grad(f), (x,), (e,))[1] for e in np.eye(3)]
    np.testing.assert_array_equal(pushed, second)


def test_ties_along_an_axis():
    x = np.array([[1.0, 1.0], [0.0, 1.0]])
    got = grad(lambda x: np.sum(np.max(x, axis=0) * [2, 4]))(x)
    np.testing.assert_array_equal(got, [[2, 2], [0, 2]])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", [int, float, np.array])
def test_powers_at_zero_past_their_degree(n, kind):
    f, want = (lambda x: x ** kind(n)), 1.0
    for k in range(n + 2):
        f, want = grad(f), want * (n - k)
        assert f(0.0) == (want if k + 1 == n else 0)


# A zero cotangent annihilates, and only where the local derivative is not finite.


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("x, want", [(0.0, 0.0), (4.0, 0.25)])
def test_an_annihilated_position_still_has_its_other_derivatives(x, want):
    def f(x, y):
        return y * np.sqrt(x)

    assert grad(f)(x, 0.0) == 0
    assert grad(grad(f, 0), 1)(x, 0.0) == want
    assert jvp(lambda y: grad(f)(x, y), (0.0,), (1.0,))[1] == want


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_annihilation_is_elementwise():
    x, y = np.array([0.0, 4.0, 0.0]), np.array([0.0, 0.0, 1.0])

    def f(x, y):
        return np.sum(y * np.sqrt(x))

    np.testing.assert_array_equal(grad(f)(x, y), [0, 0, np.inf])
    got = grad(lambda y: np.sum(grad(f)(x[:2], y)))(y[:2])
    np.testing.assert_array_equal(got, [0, 0.25])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_pullback_of_zero_is_zero():
    pulled = vjp(np.log, np.array([0.0, 1.0]))[1](np.array([0.0, 3.0]))[0]
    np.testing.assert_array_equal(pulled, [0, 3])
    np.testing.assert_array_equal(jacrev(np.sqrt)(np.array([0.0, 4.0])), [[np.inf, 0], [0, 0.25]])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_tangent_of_zero_annihilates_too():
    def f(x):
        return np.sqrt(np.where(x > 0, x, 0.0))

    assert grad(f)(0.0) == 0
    assert jvp(f, (0.0,), (1.0,))[1] == 0


def test_a_nan_in_the_argument_shows():
    got = grad(lambda x: np.sum(np.where(MASK, x * x, 0.0)))(np.array([np.nan, np.nan, 1.0]))
    np.testing.assert_array_equal(got, [np.nan, 0, 2])


def test_annihilated_positions_warn_nobody():
    assert grad(lambda x: np.where(x > 0, np.sqrt(x), 0.0))(0.0) == 0


# Arrays with an arithmetic of their own.

MATRIX = np.array([[1.0, 2.0], [3.0, 4.0]])
MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])


@pytest.mark.parametrize(
    "f, x",
    [
        (lambda x: np.sum(x * MATRIX.view(np.matrix)), MATRIX),
        (lambda x: np.sum(MATRIX.view(np.matrix) * x), MATRIX),
        (lambda x: np.sum(x * MASKED), VECTOR),
        (lambda x: np.sum(MASKED * x), VECTOR),
        (lambda x: np.sum(np.multiply(x, MASKED)), VECTOR),
    ],
)
def test_matrices_and_masked_arrays_are_refused_as_constants(f, x):
    with pytest.raises((fg.UnsupportedError, fg.DerivativeLostError), match=r"np\.asarray"):
        grad(f)(x)


@pytest.mark.parametrize("f", [np.sqrt, np.cbrt, np.log, lambda x: x**0.5])
@pytest.mark.parametrize("outer", [fg.jacfwd, fg.jacrev])
@pytest.mark.parametrize("inner", [fg.jacfwd, fg.jacrev])
def test_the_second_derivative_where_the_first_is_infinite(f, outer, inner):
    with np.errstate(divide="ignore"):
        assert outer(inner(f))(0.0) == -np.inf
