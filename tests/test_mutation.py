"""An array that changes between its use and the backward pass: the right value, or an error.

A small array is copied each time that a rule keeps it, a larger one where no earlier copy is still
true: every change is tried on both, and on a large one.
"""

import copy
import operator

import numpy as np
import pytest

from funcgrad import grad, value_and_grad, vjp
from funcgrad.joint import Joint

VECTOR = np.array([1.25, 2.75, 0.625])
SIZES = [3, 1000, 600_000]
CHANGES = {
    "scaled": lambda c: operator.imul(c, 5),
    "shifted": lambda c: operator.iadd(c, 1),
    "cleared": lambda c: c.fill(0),
    "negated": lambda c: np.negative(c, out=c),
    "reversed": lambda c: operator.setitem(c, slice(None), c[::-1].copy()),
    "first": lambda c: operator.setitem(c, 0, 7.0),
    "last": lambda c: operator.setitem(c, -1, 7.0),
    "swapped": lambda c: operator.setitem(c, slice(0, 2), c[1::-1].copy()),
}
VIEWS = {
    "itself": lambda c: c,
    "strided": lambda c: c[::2],
    "backwards": lambda c: c[::-1],
    "column": lambda c: c.reshape(-1, 1),
    "broadcast": lambda c: np.broadcast_to(c, (2, c.size)),
    "float32": lambda c: c.astype(np.float32),
}


def right(run, want):
    np.testing.assert_array_equal(run(), want)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_constant_changed_after_its_use(size, view, change):
    def f(x, change):
        c = view(np.linspace(3.0, 4.0, size))
        y = np.sum(x * c)
        change(c if c.flags.writeable else c.base)
        return y

    x = np.full(view(np.zeros(size)).shape, 2.0)
    right(lambda: grad(f)(x, change), grad(f)(x, lambda c: None))


USES = {
    "x * x": lambda x: x * x,
    "sin": np.sin,
    "strided": lambda x: np.sin(x[::2]),
    "column": lambda x: np.sin(x.reshape(-1, 1)),
    "transpose": lambda x: np.sin(x[None].T),
    "broadcast": lambda x: np.sin(np.broadcast_to(x, (2, x.size))),
    "copy": lambda x: np.sin(x.copy()),
    "real": lambda x: np.sin(np.real(x)),
    "squeeze": lambda x: np.sin(np.squeeze(x)),
    "max": lambda x: np.max(x * x),
    "x @ x": lambda x: x @ x,
    "concatenate": lambda x: np.sin(np.concatenate([x, x])),
    "where": lambda x: np.where(x > 1.5, x * x, 0.0),
    "astype": lambda x: np.sin(x.astype(float)),
    "nested": lambda x: grad(lambda y: np.sum(y * np.sin(x) * x))(x),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_an_argument_changed_after_its_use(size, use):
    x = np.linspace(1.0, 2.0, size)
    out, pullback = vjp(use, x)
    w = np.ones_like(out)
    want = pullback(w)[0]
    x *= 5
    right(lambda: pullback(w)[0], want)


SIDE_INPUTS = {
    "index array": (lambda x, i: x[i], np.array([2, 1, 0])),
    "index in a tuple": (lambda x, i: x[(i,)], np.array([2, 1, 0])),
    "index list": (lambda x, i: x[i], [2, 1, 0]),
    "mask": (lambda x, m: x[m], np.array([True, False, False])),
    "take": (lambda x, i: np.take(x, i), np.array([2, 1, 0])),
    "take_along_axis": (lambda x, i: np.take_along_axis(x, i, 0), np.array([2, 1, 0])),
    "compress": (lambda x, m: np.compress(m, x), np.array([True, False, False])),
    "repeat": (lambda x, n: np.repeat(x, n), np.array([1, 2, 3])),
    "where": (lambda x, m: np.where(m, x, 0.0), np.array([True, False, False])),
    "sum's where": (lambda x, m: np.sum(x, where=m), np.array([True, False, False])),
    "mean's where": (lambda x, m: np.mean(x, where=m), np.array([True, True, False])),
    "max's where": (lambda x, m: np.max(x, where=m, initial=0), np.array([True, True, False])),
    "clip": (lambda x, bound: np.clip(x, bound, None), np.array(1.5)),
    "exponent": (lambda x, n: x**n, np.array(3.0)),
    "list mask": (lambda x, m: np.where(m, x, 0.0), [True, False, True]),
    "list factor": (lambda x, c: x * c, [1.0, 2.0, 3.0]),
    "matrix": (lambda x, c: x @ c, np.array([[1.0, 2.0, 3.0]] * 3)),
    "einsum": (lambda x, c: np.einsum("i,ij", x, c), np.array([[1.0, 2.0, 3.0]] * 3)),
}


@pytest.mark.parametrize("f, side", SIDE_INPUTS.values(), ids=SIDE_INPUTS.keys())
def test_a_side_input_changed_after_its_use(f, side):
    def total(x, side, change):
        y = f(x, side)
        if change and type(side) is list:
            side[0] = side[1]
        elif change:
            side[...] = side.flat[-1] + 1
        return np.sum(y)

    want = grad(total)(VECTOR, copy.deepcopy(side), False)
    right(lambda: grad(total)(VECTOR, copy.deepcopy(side), True), want)


@pytest.mark.parametrize("size", SIZES)
def test_a_buffer_used_again_with_other_values(size):
    def f(x):
        buffer = np.ones(size)
        y = x * buffer
        buffer *= 2
        y = y + x * buffer
        buffer /= 2
        return np.sum(y + x * buffer)

    right(lambda: grad(f)(np.ones(size)), np.full(size, 4.0))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("f", [np.exp, np.tanh, lambda x: np.sqrt(x).T])
def test_a_result_changed_before_its_pullback(f, size):
    out, pullback = vjp(f, np.linspace(1.0, 2.0, size))
    want = pullback(np.ones(size))[0]
    out *= 0
    right(lambda: pullback(np.ones(size))[0], want)


@pytest.mark.parametrize("size", SIZES)
def test_an_auxiliary_result_changed_before_its_pullback(size):
    def f(x):
        y = np.exp(x)
        return np.sum(y * y), {"y": y}

    _, pullback, aux = vjp(f, np.linspace(0.0, 1.0, size), has_aux=True)
    want = pullback(1.0)[0]
    aux["y"] *= 0
    right(lambda: pullback(1.0)[0], want)


class Holder:
    """Something with __array__, as data frames have."""

    def __init__(self):
        self.data = np.ones(3)

    def __array__(self, dtype=None, copy=None):
        return self.data


@pytest.mark.parametrize("multiply", [np.multiply, operator.mul, np.dot])
def test_an_array_like_changed_after_its_use(multiply):
    def f(x):
        holder = Holder()
        y = np.sum(multiply(x, holder))
        holder.data *= 5
        return y

    right(lambda: grad(f)(VECTOR), np.ones(3))


def test_an_array_changed_before_its_use_counts_as_changed():
    def f(x):
        c = np.ones(1000)
        y = x * c
        c = c * 5
        return np.sum(y + x * c)

    assert grad(f)(1.0) == 6000


# Changes whose bits would cancel in a sum of words.
@pytest.mark.parametrize("change", [np.negative, np.flip])
@pytest.mark.parametrize("at", range(8))
def test_small_changes_of_a_large_array(change, at):
    def f(x, changed):
        c = np.linspace(3.0, 4.0, 600_000)
        pair = c[2 * at : 2 * at + 2]
        pair[:] = 2.0, 4.0
        y = np.sum(x * c)
        if changed:
            pair[:] = change(pair).copy()
        return y

    x = np.ones(600_000)
    right(lambda: grad(f)(x, True), grad(f)(x, False))


# A read-only view, of data that can change all the same.
@pytest.mark.parametrize("size", [10, 1000])
def test_sliding_window_of_a_constant(size):
    def f(x, changed):
        data = np.linspace(1.0, 2.0, size)
        y = np.sum(np.lib.stride_tricks.sliding_window_view(data, 3) @ x)
        data *= 0 if changed else 1
        return y

    x = np.ones(3)
    right(lambda: grad(f)(x, True), grad(f)(x, False))


@pytest.mark.parametrize("size", [10, 1000])
def test_sliding_window_as_argument(size):
    data = np.linspace(1.0, 2.0, size)
    out, pullback = vjp(np.sin, np.lib.stride_tricks.sliding_window_view(data, 2))
    want = pullback(np.ones_like(out))[0]
    data *= 0
    right(lambda: pullback(np.ones_like(out))[0], want)


def test_read_only_buffer():
    def f(x, changed):
        buffer = bytearray(np.ones(3).tobytes())
        y = np.sum(x * np.frombuffer(memoryview(buffer).toreadonly()))
        if changed:
            buffer[:] = bytes(len(buffer))
        return y

    right(lambda: grad(f)(VECTOR, True), grad(f)(VECTOR, False))


@pytest.mark.parametrize("size", [3, 1000])
def test_a_memory_map_as_argument(tmp_path, size):
    x = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=(size,))
    x[:] = 2
    _, pullback = vjp(lambda x: x * x, x)
    x *= 5
    right(lambda: pullback(np.ones(size))[0], np.full(size, 4.0))


@pytest.mark.parametrize("size", SIZES)
def test_the_argument_of_an_outer_transform(size):
    x = np.linspace(1.0, 2.0, size)

    def outer(t, changed):
        def inner(y):
            z = np.sum(y * t)
            x[:] *= 5 if changed else 1
            return z

        return np.sum(grad(inner)(np.ones(size)))

    want = value_and_grad(outer)(x, False)[0]
    assert value_and_grad(outer)(x, True)[0] == want


@pytest.mark.parametrize("size", SIZES)
def test_an_argument_changed_between_two_uses(size):
    """From its first use in a rule on, the traced value is what it was there."""
    x = np.full(size, 2.0)

    def f(t):
        y = np.sum(t * t)
        x[:] *= 5
        return y + np.sum(np.reshape(t, (1, -1)) + 0 * x)

    value, gradient = value_and_grad(f)(x)
    x[:] = 0
    np.testing.assert_array_equal(gradient, np.full(size, 5.0))
    assert value == 6.0 * size


SCALED = Joint(
    "scaled",
    impl=lambda x, c: x * x * c,
    forward=lambda x, c: (x * x * c, (x, c)),
    pull=lambda g, residual: (2.0 * g * residual[0] * residual[1], None),
    push=lambda operands, tangents: (None, None),
)


@pytest.mark.parametrize("size", SIZES)
def test_the_operands_of_a_joint_primitive_changed_after_their_use(size):
    x, c = np.linspace(1.0, 2.0, size), np.linspace(3.0, 4.0, size)
    _, pullback = vjp(lambda x: SCALED(x, c), x)
    want = 2.0 * x * c
    x *= 5
    c *= 5
    right(lambda: pullback(np.ones(size))[0], want)


def test_an_operand_whose_cotangent_is_none_has_derivative_zero():
    np.testing.assert_array_equal(grad(lambda x: np.sum(SCALED(x, x)))(VECTOR), 2.0 * VECTOR**2)


def test_a_complex_constant_changed_after_its_use():
    def f(x):
        c = np.full(1000, 1.0 + 2.0j)
        y = np.sum(np.real(x * c)) + np.sum(np.imag(c * x))
        c *= 5
        return y

    np.testing.assert_array_equal(grad(f)(np.ones(1000)), np.full(1000, 3.0))
