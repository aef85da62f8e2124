"""Plain Python in a traced function: control flow, iteration, and every operator."""

import math
import operator

import numpy as np
import pytest

from funcgrad import grad, value_and_grad

VECTOR = np.array([1.25, 2.75, 0.625])
# A central difference of step h is off by about h² and eps/h.
STEP = np.finfo(float).eps ** (1 / 3)


def difference(f, x):
    """The gradient of the sum of f by central differences."""
    flat = [np.reshape(STEP * e, np.shape(x)) for e in np.eye(np.size(x))]
    slopes = [(np.sum(f(x + e)) - np.sum(f(x - e))) / (2 * STEP) for e in flat]
    return np.reshape(slopes, np.shape(x))


def check(f, x):
    """The value as NumPy gives it without tracing, its dtype, and the gradient by differences."""
    value, gradient = value_and_grad(lambda x: np.sum(f(x)))(x)
    plain = np.sum(f(x))
    assert value == plain and value.dtype == plain.dtype
    assert gradient.dtype == x.dtype and gradient.shape == x.shape
    np.testing.assert_allclose(gradient, difference(f, x), rtol=1e-8, atol=1e-8)


def halve_while(x):
    while x > 1:
        x = x / 2
    return x


def horner(x):
    total = 0.0
    for coefficient in (3.0, 2.0, 1.0):
        total = total * x + coefficient
    return total


def recurse(x, n=3):
    return x if n == 0 else x * recurse(x, n - 1)


def augmented(x):
    y = x
    y *= x
    y += 1
    y -= x
    y /= 2.0
    y **= 2
    return y + 0 * x


MATRIX = np.arange(6.0).reshape(3, 2) + 1

PYTHON = {
    "if": (lambda x: x * x if x > 1 else x, 3.0, 6),
    "else": (lambda x: x * x if x > 1 else x, 0.5, 1),
    "and, or, not": (lambda x: x * x if (x > 1 and not x > 5) or x == 0 else x, 3.0, 6),
    "while": (halve_while, 5.0, 1 / 8),
    "for": (horner, 2.0, 14),
    "recursion": (recurse, 2.0, 32),
    "augmented assignment": (augmented, 2.0, 4.5),
    "int": (lambda x: int(x) * x, 2.5, 2),
    "round": (lambda x: round(x) * x, 2.6, 3),
    "floor, ceil, trunc": (lambda x: math.floor(x) * math.ceil(x) * math.trunc(x) * x, 2.6, 12),
    "abs": (abs, -2.0, -1),
    "neg, pos": (lambda x: -x + +x - x, 2.0, -1),
    "divmod": (lambda x: sum(divmod(x, 1.5)), 2.0, 1),
    "divmod, reversed": (lambda x: sum(divmod(3.5, x)), 2.0, -1),
    "pow": (lambda x: pow(x, 3), 2.0, 12),
    "max": (lambda x: max(x * x, 1.0), 3.0, 6),
    "sorted": (lambda x: sorted([x, 1.0, x * x])[-1], 3.0, 6),
    "sum": (lambda x: sum([x, x, 1.0]), 3.0, 2),
    "comparison chain": (lambda x: x * (1 < x < 4), 3.0, 1),
    "reduce over rows": (lambda x: sum(row[0] * row[1] for row in x), MATRIX, MATRIX[:, ::-1]),
    "unpacking": (lambda x: x[0] @ x[1] + len(x) * x[2, 0], MATRIX, [[3, 4], [1, 2], [3, 0]]),
    "starred": (
        lambda x: (lambda a, *rest: a[0] * rest[1][1])(*x),
        MATRIX,
        [[6, 0], [0, 0], [0, 1]],
    ),
    "zip": (lambda x: sum(a @ b for a, b in zip(x, MATRIX)), MATRIX, MATRIX),
    "enumerate": (
        lambda x: sum(i * row[0] for i, row in enumerate(x)),
        MATRIX,
        [[0, 0], [1, 0], [2, 0]],
    ),
    "in": (lambda x: np.sum(x) * (6.0 in x) + np.sum(x) * (-1.0 in x), MATRIX, np.ones((3, 2))),
    "last": (lambda x: x[-1][-1], MATRIX, [[0, 0], [0, 0], [0, 1]]),
    "comprehension": (
        lambda x: np.sum(np.stack([row * i for i, row in enumerate(x)])),
        MATRIX,
        [[0, 0], [1, 1], [2, 2]],
    ),
    "reversed": (lambda x: next(iter(x[::-1]))[0], MATRIX, [[0, 0], [0, 0], [1, 0]]),
    "methods": (
        lambda x: x.T.reshape(-1).sum() + x.mean(0).max() + x.ravel().min(),
        MATRIX,
        [[2, 4 / 3], [1, 4 / 3], [1, 4 / 3]],
    ),
    "any": (
        lambda x: np.sum(x) if (x > 5).any() and (x > 0).all() else 0.0,
        MATRIX,
        np.ones((3, 2)),
    ),
    "argmax": (lambda x: x.ravel()[np.argmax(x)], MATRIX, [[0, 0], [0, 0], [0, 1]]),
    "shape, size, ndim": (
        lambda x: x[0, 0] * x.size * x.ndim * x.shape[0] * np.shape(x)[1],
        MATRIX,
        [[72, 0], [0, 0], [0, 0]],
    ),
}


@pytest.mark.parametrize("f, x, want", PYTHON.values(), ids=PYTHON.keys())
def test_python(f, x, want):
    value, g = value_and_grad(f)(x)
    assert value == f(x)
    np.testing.assert_allclose(g, want, rtol=1e-15)
    assert np.shape(g) == np.shape(x)


def test_a_closure_over_a_list_of_traced_values():
    def f(x):
        history = [x]
        for _ in range(3):
            history.append(history[-1] * x)
        return history.pop() + history[0]

    assert grad(f)(2.0) == 33


# Operators with everything that may stand on the other side.

OPERATORS = "add sub mul truediv floordiv mod pow".split()
OTHERS = {
    "int": 2,
    "float": 2.0,
    "float64": np.float64(2),
    "float32": np.float32(2),
    "int64": np.int64(2),
    "0-d": np.array(2.0),
    "0-d int": np.array(2),
    "array": np.array([2.1, 3.2, 1.5]),
    "int array": np.array([2, 3, 1]),
    "column": np.array([[2.1], [3.2]]),
    "list": [2.0, 3.0, 1.0],
    "tuple": (2, 3, 1),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_operator(name, other):
    op = getattr(operator, name)
    # NumPy scalars and Python floats do not multiply lists.
    for x in [VECTOR] if isinstance(other, list | tuple) else [VECTOR, np.float64(1.25)]:
        check(lambda x: op(x, other), x)
        check(lambda x: op(other, x), x)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("other", [2, 2.0, np.float64(2), np.array([2.1, 3.2])])
def test_operator_on_a_python_float(name, other):
    op = getattr(operator, name)

    def f(x):
        return np.sum(op(x, other) + op(other, x))

    value, g = value_and_grad(f)(1.25)
    assert value == f(1.25)
    np.testing.assert_allclose(g, difference(f, np.float64(1.25)), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_between_traced_values(name):
    op = getattr(operator, name)
    y = np.array([2.1, 3.2, 1.5])
    g, h = grad(lambda x, y: np.sum(op(x, y)), (0, 1))(VECTOR, y)
    np.testing.assert_allclose(g, difference(lambda x: op(x, y), VECTOR), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(h, difference(lambda y: op(VECTOR, y), y), rtol=1e-8, atol=1e-8)
    # One of them an outer transform's.
    got = grad(lambda x: grad(lambda y: np.sum(op(x, y) * y))(y)[0])(VECTOR)
    np.testing.assert_allclose(
        got,
        difference(lambda x: grad(lambda y: np.sum(op(x, y) * y))(y)[0], VECTOR),
        rtol=1e-8,
        atol=1e-8,
    )


@pytest.mark.parametrize(
    "other", [np.ones((3, 2)), np.ones(3), [1.0, 2.0, 3.0], np.ones((2, 3, 4))]
)
def test_matmul(other):
    check(lambda x: x @ other, VECTOR)
    check(lambda x: x @ other, np.outer(VECTOR, VECTOR))
    if np.ndim(other) < 3:
        check(lambda x: np.transpose(other) @ x, VECTOR)


@pytest.mark.parametrize(
    "f",
    [
        np.add,
        np.inner,
        np.dot,
        np.vdot,
        np.outer,
        np.hypot,
        lambda x, y: np.einsum("i,i", x, y),
        lambda x, y: np.tensordot(x, y, 1),
        lambda x, y: np.where(x > 1, x, y),
        lambda x, y: np.concatenate([x, y]),
        lambda x, y: np.stack([x, y]),
    ],
)
def test_functions_of_lists(f):
    others = [2.0, 3.0, 1.0]
    want = grad(lambda x: np.sum(f(x, np.array(others))))(VECTOR)
    np.testing.assert_array_equal(grad(lambda x: np.sum(f(x, others)))(VECTOR), want)


@pytest.mark.parametrize("name", "lt le gt ge eq ne".split())
@pytest.mark.parametrize("other", [1.25, np.float64(1.25), [1.25, 0, 9], np.array([1.25, 0, 9])])
def test_comparison(name, other):
    op = getattr(operator, name)

    def f(x):
        for got, want in ((op(x, other), op(VECTOR, other)), (op(other, x), op(other, VECTOR))):
            assert type(got) is np.ndarray and got.dtype == bool
            np.testing.assert_array_equal(got, want)
        return np.sum(x)

    np.testing.assert_array_equal(grad(f)(VECTOR), 1)


def test_comparison_with_what_is_not_a_number():
    def f(x):
        assert x != "a"
        assert x not in (None, "a")
        return x * 2

    assert grad(f)(2.0) == 2
