"""What a gradient costs beyond its numbers: no leaks, little for each operation, nothing twice."""

import contextlib
import gc
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, jacrev, jvp, value_and_grad, vjp
from funcgrad.core import raw


@contextlib.contextmanager
def measured():
    """A function that gives the bytes allocated since, now and at most."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: [n - before for n in tracemalloc.get_traced_memory()]
    finally:
        tracemalloc.stop()


def energy(x):
    return np.sum(np.sin(x) * x)


def lost(x):
    with contextlib.suppress(fg.DerivativeLostError):
        float(energy(x))
    return float(energy(x))


def attempt(f, x):
    with contextlib.suppress(TypeError):
        grad(f)(x)


def growth(gradient, times):
    """The bytes that so many calls leave behind while the garbage collector is off."""
    x = np.linspace(0.0, 1.0, 1000)
    gradient(x)
    with measured() as memory:
        gc.disable()
        try:
            for _ in range(times):
                gradient(x)
        finally:
            gc.enable()
        return memory()[0]


def test_a_thousand_gradients_leave_nothing_to_the_collector():
    assert growth(grad(energy), 1000) < 1_000_000


@pytest.mark.parametrize(
    "gradient",
    [
        value_and_grad(energy),
        grad(lambda x: np.sum(grad(energy)(x))),
        lambda x: vjp(energy, x),
        lambda x: vjp(energy, x)[1](1.0),
        lambda x: jacrev(np.cumsum)(x[:3]),
        lambda x: jvp(energy, (x,), (x,)),
        grad(lambda x: sum(row @ row for row in x.reshape(5, -1))),
        grad(fg.checkpoint(energy)),
        lambda x: jacrev(fg.checkpoint(np.cumsum))(x[:3]),
        grad(lambda x: np.sum(fg.linear_solve(lambda v: (x[:3] + 1.0) * v, x[:3]))),
        grad(lambda x: np.sum(fg.fixed_point(lambda y, x: 1.0 + x / 4.0 * y, x, x))),
        lambda x: jvp(lambda x: fg.fixed_point(lambda y, x: 1.0 + x / 4.0 * y, x, x), (x,), (x,)),
        lambda x: attempt(np.sin, x),
        lambda x: attempt(lost, x),
    ],
    ids="value_and_grad nested vjp pullback jacrev jvp rows checkpoint jacrev_of_checkpoint "
    "linear_solve fixed_point jvp_of_fixed_point refused lost".split(),
)
def test_no_transform_leaves_its_tape_to_the_collector(gradient):
    # A tape of energy holds 8 kB and the smallest tape over 1 kB; the interpreter's own free lists
    # grow to some 200 kB and then no more.
    assert growth(gradient, 300) < 300_000


def chain(step, n):
    def f(x):
        y = x
        for _ in range(n):
            y = step(y, x)
        return np.sum(y)

    return f


CHAINS = {
    "x · 1.0001": lambda y, x: y * 1.0001,
    "sin": lambda y, x: np.sin(y),
    "y · x": lambda y, x: y * x,
    "y + x": lambda y, x: y + x,
    "tanh(y) + 1": lambda y, x: np.tanh(y + 1.0),
}


def with_shallow_stack(run):
    """``run()`` on a fresh stack of at most 200 frames."""
    result = []
    limit = sys.getrecursionlimit()

    def body():
        sys.setrecursionlimit(200)
        try:
            result.append(run())
        finally:
            sys.setrecursionlimit(limit)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return result[0]


def test_a_chain_of_a_million_operations():
    f = chain(CHAINS["x · 1.0001"], 1_000_000)
    got = with_shallow_stack(lambda: grad(f)(1.0))
    np.testing.assert_allclose(got, 1.0001**1e6, rtol=1e-9)


def test_a_long_chain_at_second_order_and_forward():
    f = chain(CHAINS["x · 1.0001"], 20_000)
    second = with_shallow_stack(lambda: grad(grad(lambda x: f(x) ** 2))(1.0))
    np.testing.assert_allclose(second, 2 * 1.0001**4e4, rtol=1e-9)
    tangent = with_shallow_stack(lambda: jvp(f, (1.0,), (1.0,))[1])
    np.testing.assert_allclose(tangent, 1.0001**2e4, rtol=1e-9)


@pytest.mark.parametrize("step", CHAINS.values(), ids=CHAINS.keys())
def test_bytes_of_an_operation(step):
    """At most 400 bytes beyond the arrays, and as many for each of twice as many operations."""
    costs = []
    for n in (5_000, 10_000):
        with measured() as memory:
            grad(chain(step, n))(0.5)
            costs.append(memory()[1] / n)
    assert costs[1] < 400
    assert costs[1] < 1.3 * costs[0]


def test_a_chain_on_an_array_keeps_one_array_an_operation():
    x, n = np.full(10_000, 0.5), 100
    with measured() as memory:
        grad(chain(CHAINS["tanh(y) + 1"], n))(x)
        assert memory()[1] < 1.2 * n * x.nbytes


LOOPS = {
    "x[i]": lambda x: sum(x[i] * x[-i] for i in range(100)),
    "slices": lambda x: sum(np.sum(x[i : i + 2]) for i in range(100)),
    "index arrays": lambda x: sum(np.sum(x[[i, 2 * i]]) for i in range(100)),
    "before a sum": lambda x: sum(x[i] for i in range(100)) + np.sum(x),
    "split": lambda x: sum(np.sum(part) for part in np.split(x, 100)),
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS.keys())
def test_a_loop_over_elements_adds_in_place(loop):
    """Beside the copy of x and its gradient no array of that size is ever alive."""
    x = np.ones(200_000)
    with measured() as memory:
        grad(loop)(x)
        assert memory()[1] < 2.5 * x.nbytes


def test_a_nested_loop_over_elements_is_linear():
    """At second order too the arrays of the size of x are few."""

    def f(x):
        return np.sum(grad(lambda x: sum(x[i] ** 3 for i in range(50)))(x))

    x = np.ones(50_000)
    with measured() as memory:
        g = grad(f)(x)
        assert memory()[1] < 8 * x.nbytes
    np.testing.assert_array_equal(g[:51], [6.0] * 50 + [0.0])


@pytest.mark.parametrize("op", [np.multiply, np.divide, np.matmul])
def test_a_constant_that_stays_as_it_is_is_copied_once(op):
    constant = np.ones((300, 300))

    def f(x):
        return sum(op(x * i, constant)[0, 0] for i in range(1, 40))

    x = np.ones((1, 300))
    with measured() as memory:
        vjp(f, x)
        assert memory()[1] < 6 * constant.nbytes


# What no rule needs is not kept.

CONSTANT = np.ones((50, 50))
FREES = {
    "y + c": lambda y: y + CONSTANT,
    "c - y": lambda y: CONSTANT - y,
    "-y": lambda y: -y,
    "2 y": lambda y: 2.0 * y,
    "y * c": lambda y: y * CONSTANT,
    "y / c": lambda y: y / CONSTANT,
    "y @ c": lambda y: y @ CONSTANT,
    "c @ y": lambda y: CONSTANT @ y,
    "einsum": lambda y: np.einsum("ij,jk->ik", y, CONSTANT),
    "y[0]": lambda y: y[0] + 1.0,
    "y[[0, 1]]": lambda y: y[[0, 1]],
    "y[mask]": lambda y: y[CONSTANT > 0],
    "sum": np.sum,
    "mean": lambda y: np.mean(y, axis=0),
    "cumsum": np.cumsum,
    "exp": np.exp,
    "exp2": np.exp2,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "sigmoid": lambda y: 1.0 / (1.0 + np.exp(-y)),
    "concatenate": lambda y: np.concatenate([y, CONSTANT]),
    "stack": lambda y: np.stack([y, CONSTANT]),
    "where": lambda y: np.where(CONSTANT > 0, y, 0.0),
    "pad": lambda y: np.pad(y, 1),
    "tile": lambda y: np.tile(y, 2),
    "repeat": lambda y: np.repeat(y, 2),
    "roll": lambda y: np.roll(y, 1),
    "sort": np.sort,
    "astype": lambda y: y.astype(np.float32),
    "reshape": lambda y: y.reshape(-1) + 1.0,
    "transpose": lambda y: y.T + 1.0,
    "trace": np.trace,
    "floor": lambda y: np.floor(y) + 0.0 * y,
    "comparison": lambda y: np.sum(y) + np.sum(y > 0),
}


@pytest.mark.parametrize("op", FREES.values(), ids=FREES.keys())
def test_a_large_operand_that_no_rule_needs_is_freed(op):
    def f(x):
        y = x * 1.5
        operand = weakref.ref(raw(y))
        z = op(y)
        del y
        assert operand() is None
        return np.sum(z)

    grad(f)(CONSTANT)


def test_an_operand_that_a_rule_needs_is_kept():
    def f(x):
        y = x * 1.5
        operand = weakref.ref(raw(y))
        z = np.sin(y)
        del y
        assert operand() is not None
        return np.sum(z)

    grad(f)(CONSTANT)


def test_a_value_computed_without_recording_costs_no_tape():
    def f(x):
        plain = fg.value(x)
        for _ in range(1000):
            plain = np.sin(plain)
        return x * plain

    with measured() as memory:
        grad(f)(1.0)
        assert memory()[1] < 20_000
