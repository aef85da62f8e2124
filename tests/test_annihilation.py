"""A zero annihilates: what a mask leaves out has derivative 0, in every combination of modes.

Each row is a function that people write without a thought of the branch that is not taken, whose
value or derivative is infinite or NaN there. What is taken has the derivative that it has by
itself, and a real infinity shows.
"""

import itertools

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, jacfwd, jacrev, jvp, linearize, nn, vjp, vmap

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

NAN, INF = np.nan, np.inf


def bump(x):
    return np.exp(-1 / (1 - x**2))


def xsqrt(x):
    return x * np.sqrt(x)


# The function; what it is where it is taken; where it is not taken and where it is.
ROWS = {
    "sqrt": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), np.sqrt, [0, -1], [4]),
    "x*sqrt": (lambda x: np.where(x > 0, xsqrt(x), 0.0), xsqrt, [0, -1], [4]),
    "sin(sqrt)": (
        lambda x: np.where(x > 0, np.sin(np.sqrt(x)) * np.exp(x), 0.0),
        lambda x: np.sin(np.sqrt(x)) * np.exp(x),
        [0, -1],
        [2],
    ),
    "sqrt(where)": (lambda x: np.sqrt(np.where(x > 0, x, 0.0)), np.sqrt, [0, -1], [4]),
    "relu**0.5": (lambda x: np.maximum(x, 0.0) ** 0.5, np.sqrt, [-1], [4]),
    "x**1.5": (lambda x: np.where(x > 0, x**1.5, 0.0), lambda x: x**1.5, [0, -1], [4]),
    "x**-1": (lambda x: np.where(x > 0, x**-1.0, 0.0), lambda x: x**-1.0, [0], [4]),
    "x**x": (lambda x: np.where(x > 0, x**x, 0.0), lambda x: x**x, [0, -1], [2]),
    "cbrt": (lambda x: np.where(x != 0, np.cbrt(x), 0.0), np.cbrt, [0], [-2, 2]),
    "sin(x)/x": (
        lambda x: np.where(x == 0, 1.0, np.sin(x) / x),
        lambda x: np.sin(x) / x,
        [0],
        [1],
    ),
    "1/x": (lambda x: np.where(x != 0, 1 / x, 0.0), lambda x: 1 / x, [0], [-2, 2]),
    "x/x**2": (lambda x: np.where(x != 0, x / (x * x), 0.0), lambda x: 1 / x, [0], [2]),
    "1/norm": (
        lambda x: np.where(x != 0, 1 / np.sqrt(x * x), 0.0),
        lambda x: 1 / np.abs(x),
        [0],
        [2],
    ),
    "reciprocal": (
        lambda x: np.where(x != 0, np.reciprocal(x), 0.0),
        lambda x: 1 / x,
        [0],
        [2],
    ),
    "log": (lambda x: np.where(x > 0, np.log(x), 0.0), np.log, [0, -1], [2]),
    "log1p": (lambda x: np.where(x > -1, np.log1p(x), 0.0), np.log1p, [-1, -2], [2]),
    "log(log)": (
        lambda x: np.where(x > 1, np.log(np.log(x)), 0.0),
        lambda x: np.log(np.log(x)),
        [0, 1, -1],
        [3],
    ),
    "entropy": (
        lambda p: np.where(p > 0, -p * np.log(p), 0.0),
        lambda p: -p * np.log(p),
        [0, -1],
        [0.5],
    ),
    "two entropies": (
        lambda p: np.where((p > 0) & (p < 1), p * np.log(p) + (1 - p) * np.log1p(-p), 0.0),
        lambda p: p * np.log(p) + (1 - p) * np.log1p(-p),
        [0, 1],
        [0.3],
    ),
    "arccos": (lambda x: np.where(x < 1, np.arccos(x), 0.0), np.arccos, [1, 2], [0.5]),
    "arccosh": (lambda x: np.where(x > 1, np.arccosh(x), 0.0), np.arccosh, [1, 0], [1.5]),
    "arctanh": (lambda x: np.where(x < 1, np.arctanh(x), 0.0), np.arctanh, [1, 2], [0.5]),
    "arctan2": (lambda x: np.where(x != 0, np.arctan2(x * x, x), 0.0), np.arctan, [0], [0.5]),
    "hypot": (
        lambda x: np.where(x != 0, 1 / np.hypot(x, 2 * x), 0.0),
        lambda x: 1 / np.hypot(x, 2 * x),
        [0],
        [0.5],
    ),
    "exp(-1/x)": (
        lambda x: np.where(x > 0, np.exp(-1 / x), 0.0),
        lambda x: np.exp(-1 / x),
        [0, -1],
        [0.5],
    ),
    "bump": (lambda x: np.where(np.abs(x) < 1, bump(x), 0.0), bump, [1, -1, 2], [0.5]),
    "exp": (lambda x: np.where(x < 100, np.exp(x), 0.0), np.exp, [1000], [0.5]),
    "mod": (lambda x: np.where(x != 0, np.mod(3.3, x), 0.0), lambda x: 3.3 % x, [0], [0.7]),
    "clip": (lambda x: np.clip(1 / x, -1.0, 2.0), lambda x: 1 / x, [0], [4]),
    "sqrt(clip)": (lambda x: np.sqrt(np.clip(x, 0.0, 9.0)), np.sqrt, [-1], [4]),
    "fmax": (lambda x: np.fmax(np.log(x), -1.0), np.log, [0, -1], [0.4]),
    "nan_to_num": (lambda x: np.nan_to_num(np.log(x), neginf=0.0), np.log, [0, -1], [0.4]),
    "select": (
        lambda x: np.select([x > 1, x > 0], [np.log(x), xsqrt(x)], 0.0),
        xsqrt,
        [0, -1],
        [0.5],
    ),
    "piecewise": (lambda x: np.piecewise(x, [x > 0], [xsqrt, 0.0]), xsqrt, [0, -1], [4]),
    "choose": (lambda x: np.choose(x > 0, [0.0 * x, xsqrt(x)]), xsqrt, [0], [4]),
    "where in where": (
        lambda x: np.where(x > 0, np.where(x > 1, np.log(x), xsqrt(x)), 0.0),
        xsqrt,
        [0, -1],
        [0.4],
    ),
    "missing": (
        lambda x: np.where(np.isnan(x), 0.0, (x - 1.0) ** 2),
        lambda x: (x - 1.0) ** 2,
        [NAN],
        [0.5],
    ),
    "infinite": (
        lambda x: np.where(np.isfinite(x), np.sin(x) * x, 0.0),
        lambda x: np.sin(x) * x,
        [INF, -INF, NAN],
        [0.5],
    ),
    "a mask of 0 and 1": (lambda x: np.where(x > 0, 1.0, 0.0) * np.sqrt(x), np.sqrt, [0], [4]),
    "a mask of bools": (lambda x: (x > 0) * xsqrt(x), xsqrt, [0], [4]),
    "sum": (
        lambda x: np.where(x > 0, np.sum(np.stack([np.sqrt(x), xsqrt(x)]), axis=0), 0.0),
        lambda x: np.sqrt(x) + xsqrt(x),
        [0, -1],
        [4],
    ),
    "prod": (
        lambda x: np.where(x > 0, np.prod(np.stack([np.sqrt(x), x]), axis=0), 0.0),
        xsqrt,
        [0, -1],
        [4],
    ),
    "scan": (
        lambda x: fg.scan(lambda c, _: (np.where(x > 0, c * np.sqrt(x), 0.0), None), x, length=2)[
            0
        ],
        lambda x: x * x,
        [0, -1],
        [0.4],
    ),
    "checkpoint": (
        fg.checkpoint(lambda x: np.where(x > 0, xsqrt(x), 0.0)),
        xsqrt,
        [0, -1],
        [0.4],
    ),
}

# From a function of each element to its derivative.
MODES = {
    "grad": lambda f: grad(lambda x: np.sum(f(x))),
    "jvp": lambda f: lambda x: jvp(f, (x,), (np.ones_like(x),))[1],
    "linearize": lambda f: lambda x: linearize(f, x)[1](np.ones_like(x)),
}


def diagonal(jacobian, order):
    """The derivatives of each element by itself, of a Jacobian function of some order."""
    return lambda x: np.einsum(f"{'i' * (order + 1)}->i", jacobian(x))


def routes(f, order):
    """All ways to the derivative of ``f`` of some order, by name."""
    for names in itertools.product(MODES, repeat=order):
        derivative = f
        for name in names[::-1]:
            derivative = MODES[name](derivative)
        yield " of ".join(names), derivative
        if order < 3:
            yield f"vmap of {' of '.join(names)}", vmap(derivative)
    if order < 3:
        for jacobians in itertools.product((jacfwd, jacrev), repeat=order):
            derivative = f
            for jacobian in jacobians[::-1]:
                derivative = jacobian(derivative)
            name = " of ".join(jacobian.__name__ for jacobian in jacobians)
            yield name, diagonal(derivative, order)
    if order == 2:
        total = lambda x: np.sum(f(x))  # noqa: E731
        yield "hvp", lambda x: fg.hvp(total, (x,), (np.ones_like(x),))[0]
        yield "vhp", lambda x: fg.vhp(total, (x,), (np.ones_like(x),))[0]
        yield "hessian", diagonal(fg.hessian(total), 1)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("row", ROWS)
def test_what_is_not_taken_has_derivative_zero(row, order):
    f, taken, masked, kept = ROWS[row]
    derivative = taken
    for _ in range(order):
        derivative = MODES["grad"](derivative)
    want = np.concatenate([np.zeros(len(masked)), derivative(np.array(kept, float))])
    x = np.array([*masked, *kept], float)
    for name, route in routes(f, order):
        np.testing.assert_allclose(route(x), want, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", [float, np.float32, np.array])
@pytest.mark.parametrize("row", ROWS)
def test_a_number_is_annihilated_as_an_array_is_and_keeps_its_dtype(row, kind):
    f, _, masked, _ = ROWS[row]
    for x in masked:
        point, one = kind(float(x)), kind(1.0)
        slope, curvature = grad(f), grad(grad(f))
        for got in (slope(point), curvature(point), jvp(slope, (point,), (one,))[1]):
            assert got == 0
            assert got.dtype == (np.float32 if kind is np.float32 else np.float64)


# Functions of rows, one of which is left out: in rules over axes a zero row of the cotangent
# annihilates, in products of matrices a zero in each term.

DATA = np.random.default_rng(0).normal(size=(4, 3))
KEPT = np.array([0, 2, 3])
GIVEN = np.array([True, False, True, True])
WEIGHTS = np.array([0.5, -1.0, 2.0])

OF_ROWS = {
    "matmul": lambda x: x @ DATA.T,
    "matvec": lambda x: (x * x) @ WEIGHTS,
    "einsum": lambda x: np.einsum("ij,jk,ij->ik", x, DATA.T, x),
    "tensordot": lambda x: np.tensordot(x * x, DATA, axes=(1, 1)),
    "norm": lambda x: np.linalg.norm(x, axis=1),
    "unit": lambda x: x / np.linalg.norm(x, axis=1, keepdims=True),
    "root of squares": lambda x: np.sqrt(np.sum(x * x, axis=1)),
    "var": lambda x: np.var(x, axis=1),
    "z-score": lambda x: (x - np.mean(x, axis=1, keepdims=True)) / np.std(x, axis=1, keepdims=True),
    "prod": lambda x: 1 / np.prod(x, axis=1),
    "cumprod": lambda x: np.cumprod(x, axis=1),
    "max": lambda x: np.max(x, axis=1),
    "logsumexp": lambda x: nn.logsumexp(x, axis=1),
    "softmax": lambda x: nn.softmax(x, axis=1),
    "log_softmax": lambda x: nn.log_softmax(x, axis=1),
}


def weighted(f):
    def total(x):
        ans = f(x)
        return np.sum(ans * np.arange(1.0, 1.0 + ans.shape[-1]) if ans.ndim > 1 else ans)

    return total


def first_and_second(f, x):
    ones = np.ones_like(x)
    return {
        "grad": grad(f)(x),
        "jvp": jvp(f, (x,), (ones,))[1],
        "linearize": linearize(f, x)[1](ones),
        "jacfwd": jacfwd(f)(x),
        "hvp": fg.hvp(f, (x,), (ones,))[0],
        "vhp": fg.vhp(f, (x,), (ones,))[0],
        "hessian": fg.hessian(f)(x),
        "grad of jvp": grad(lambda x: jvp(f, (x,), (ones,))[1])(x),
        "linearize of grad": linearize(grad(f), x)[1](ones),
    }


def assert_same(f, kept, x):
    want = first_and_second(kept, x)
    for name, got in first_and_second(f, x).items():
        np.testing.assert_allclose(got, want[name], rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("missing", [0.0, NAN, INF])
@pytest.mark.parametrize("name", OF_ROWS)
def test_a_row_that_is_left_out(name, missing):
    f = OF_ROWS[name]
    x = np.where(GIVEN[:, None], DATA, missing)

    def masked(x):
        ans = f(x)
        return np.where(GIVEN if ans.ndim == 1 else GIVEN[:, None], ans, 0.0)

    assert_same(weighted(masked), weighted(lambda x: f(x[KEPT])), x)


@pytest.mark.parametrize("missing", [NAN, INF])
@pytest.mark.parametrize(
    "predict",
    [
        lambda data, w: data @ w,
        lambda data, w: w @ data.T,
        lambda data, w: np.tanh(np.einsum("ij,j,j->i", data, w, w)),
        lambda data, w: np.tanh(data @ np.outer(w, w)) @ np.ones(3),
        lambda data, w: nn.linear(3, 1).apply({"w": w[:, None], "b": w[:1]}, data)[:, 0] ** 2,
    ],
)
def test_rows_of_data_that_are_missing(predict, missing):
    data, y = np.where(GIVEN[:, None], DATA, missing), np.arange(4.0)

    def masked(w):
        return np.sum(np.where(GIVEN, (predict(data, w) - y) ** 2, 0.0))

    assert_same(masked, lambda w: np.sum((predict(data[KEPT], w) - y[KEPT]) ** 2), WEIGHTS)


@pytest.mark.parametrize("missing", [NAN, INF])
@pytest.mark.parametrize(
    "predict",
    [
        lambda data, w: data @ w,
        lambda data, w: (w.T @ data.T).T,
        lambda data, w: nn.linear(*w.shape).apply({"w": w, "b": w[0]}, data),
        lambda data, w: vmap(lambda row: row @ w)(data),
        lambda data, w: np.reshape(np.reshape(data, (2, 30, 90)) @ w, (60, 70)),
    ],
)
def test_rows_of_data_that_are_missing_in_a_large_product(predict, missing):
    random = np.random.default_rng(1)
    data, w = random.normal(size=(60, 90)), random.normal(size=(90, 70))
    given, taken = np.arange(60)[:, None] != 5, np.arange(70) != 3

    def left_out(w, data):
        return np.sum(np.where(given & taken, predict(data, w), 0.0) ** 2)

    holes = np.where(given | (np.arange(90) != 7), data, missing)
    without = np.where(taken | (np.arange(90)[:, None] != 7), w, missing)
    for argnum, args in ((0, (w, holes)), (1, (without, data))):
        gradient = grad(left_out, argnum)
        want = gradient(w, data)
        np.testing.assert_allclose(gradient(*args), want)
        np.testing.assert_allclose(vmap(gradient, (0, None))(args[0][None], args[1])[0], want)


def test_what_is_added_to_a_large_product_is_looked_at_too():
    x, w = np.ones((60, 90)), np.pad(np.zeros((1, 1)), ((5, 84), (6, 63)), constant_values=4.0)
    for f in (
        lambda w: np.sum(np.where(w > 0, np.sqrt(w), 0.0)) + np.sum(x @ w),
        lambda w: np.sum(x @ w) + np.sum(np.where(w > 0, np.sqrt(w), 0.0)),
    ):
        np.testing.assert_array_equal(grad(f)(w), np.where(w > 0, 60.25, 60.0))


def test_what_is_multiplied_by_zero_adds_nothing_to_a_sum():
    x, m = np.array([0.0, 4.0]), np.array([[0.0, 1.0], [0.0, 2.0]])
    for f in (lambda x: m @ np.sqrt(x), lambda x: np.einsum("ij,j->i", m, np.sqrt(x))):
        columns = vmap(linearize(f, x)[1])(np.eye(2))
        for jacobian in (jacfwd(f)(x), jacrev(f)(x), columns.T):
            np.testing.assert_array_equal(jacobian, [[0, 0.25], [0, 0.5]])
    infinite = np.array([[1.0, 1.0], [0.0, 2.0]])
    got = jvp(lambda x: infinite @ np.sqrt(x), (x,), (np.ones(2),))[1]
    np.testing.assert_array_equal(got, [INF, 0.5])
    # An infinite constant makes the first infinity of all.
    weights = np.array([[1.0, INF], [2.0, 3.0]])
    for f in (lambda x: weights @ x, lambda x: np.einsum("ij,j->i", weights, x)):
        rows = vmap(linearize(f, x)[1])(np.eye(2)).T
        for jacobian in (jacfwd(f)(x), jacrev(f)(x), rows):
            np.testing.assert_array_equal(jacobian, weights)
    # Whether terms cancel is not asked, nor how many there are.
    difference = jvp(lambda x: np.array([1, -1]) @ np.sqrt(x), (np.zeros(2),), (np.ones(2),))[1]
    assert np.isnan(difference)


# A rule of one's own annihilates where all of its cotangent is zero: under vmap, of the example.


@fg.custom_vjp
def pulled_root(x):
    return np.sqrt(x)


pulled_root.defvjp(lambda x: (np.sqrt(x), np.sqrt(x)), lambda r, g: (0.5 * g / r,))


@fg.custom_jvp
def pushed_root(x):
    return np.sqrt(x)


@pushed_root.defjvp
def _(primals, tangents):
    root = pushed_root(*primals)
    return root, 0.5 * tangents[0] / root


@pytest.mark.parametrize("root", [pulled_root, pushed_root])
def test_rules_of_ones_own(root):
    def f(x):
        return np.where(x > 0, x * root(x), 0.0)

    x = np.array([0.0, 4.0, -1.0])
    for order in (1, 2):
        for name, route in routes(f, order):
            if name.startswith("vmap"):
                want = [0, 3, 0] if order == 1 else [0, 0.375, 0]
                np.testing.assert_allclose(route(x), want, err_msg=name)


# A real infinity shows, and so does a NaN.


@pytest.mark.parametrize(
    "f, x, slope, curvature",
    [
        (np.sqrt, 0.0, INF, -INF),
        (np.log, 0.0, INF, -INF),
        (lambda x: x**0.5, 0.0, INF, -INF),
        (lambda x: x**1.5, 0.0, 0.0, INF),
        (xsqrt, 0.0, 0.0, INF),
        (lambda x: x * np.log(x), 0.0, -INF, INF),
        (lambda x: np.where(x >= 0, np.sqrt(x), 0.0), 0.0, INF, -INF),
        (lambda x: x * x, NAN, NAN, 2.0),
    ],
)
def test_an_infinity_that_counts(f, x, slope, curvature):
    for order, want in ((1, slope), (2, curvature)):
        for name, route in routes(f, order):
            if "vmap" not in name and "jac" not in name and name != "hessian":
                np.testing.assert_array_equal(route(np.array([x])), [want], err_msg=name)


def test_a_nan_that_counts_shows_in_a_product():
    data = np.where(GIVEN[:, None], DATA, NAN)
    assert np.isnan(grad(lambda w: np.sum(data @ w))(WEIGHTS)).all()
    some = grad(lambda x: np.sum(np.where(GIVEN, x @ WEIGHTS, 0.0)))(data)
    np.testing.assert_array_equal(some, np.where(GIVEN[:, None], WEIGHTS, 0.0))


def test_zero_by_value():
    """What is multiplied by a computed zero: see docs/singular-points.md."""
    for f in (lambda x: 0.0 * np.sqrt(x), lambda x: np.exp(-1 / x), lambda x: np.sqrt(x) ** 2):
        for name, route in routes(f, 1):
            if "vmap" not in name:
                assert route(np.array([0.0])) == 0, name
    # An infinite cotangent is not annihilated by a derivative of zero.
    assert np.isnan(grad(lambda x: np.sqrt(x * x))(0.0))
    assert np.isnan(vjp(lambda x: np.log(np.exp(x)), -800.0)[1](1.0)[0])


def test_a_python_number_as_the_argument_of_select_and_piecewise():
    assert grad(lambda x: np.select([x > 1, x > 0], [np.log(x), np.sqrt(x)], 0.0))(0.25) == 1
    assert grad(lambda x: np.piecewise(x, [x > 0], [np.sqrt, 0.0]))(0.25) == 1


@pytest.mark.parametrize("axis", [None, 0])
def test_a_product_that_is_not_taken(axis):
    def f(x):
        return np.where(False, np.prod(x, axis=axis), np.sum(x[2:]))

    assert grad(f)(np.array([INF, 0.0, 1.0])).tolist() == [0.0, 0.0, 1.0]


def test_a_complex_quotient_that_is_not_taken():
    value, tangent = jvp(
        lambda z: np.where(z == 0, z, 1.0 / z), (np.zeros(1, complex),), (np.ones(1, complex),)
    )
    assert value.tolist() == [0.0] and tangent.tolist() == [1.0]
