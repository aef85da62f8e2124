"""Threads and tasks do not disturb each other: nothing is global but a counter."""

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from funcgrad import grad, jacrev, jvp, vjp

WAIT = 30  # seconds, after which a barrier breaks and the test fails


def cubed(x, pause=lambda: None):
    """3x²·x as x·d/dx(x·y²) at y = x: its gradient at 2 is 24, and 9 or 16 if levels mix."""

    def inner(y):
        pause()
        z = x * y
        pause()
        return z * y

    return x * grad(inner)(x)


def test_a_nested_gradient_stands_still_while_another_thread_runs_a_whole_one():
    entered, done = threading.Barrier(2, timeout=WAIT), threading.Barrier(2, timeout=WAIT)

    def stands_still():
        entered.wait()
        done.wait()

    def other():
        for _ in range(2):
            entered.wait()
            assert grad(cubed)(2.0) == 24
            done.wait()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(other)
        assert grad(lambda x: cubed(x, stands_still))(2.0) == 24
        running.result(WAIT)


def test_a_thread_that_enters_first_and_leaves_last():
    steps = threading.Barrier(2, timeout=WAIT)

    def run(_):
        return grad(lambda x: cubed(x, steps.wait))(2.0)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, range(2))) == [24, 24]


def test_sixteen_threads_of_nested_gradients():
    start = threading.Barrier(16, timeout=WAIT)
    third = grad(grad(grad(lambda x: np.sin(x) * x)))

    def run(k):
        start.wait()
        x = 1.0 + k
        got = [(grad(cubed)(x), third(x), jvp(cubed, (x,), (1.0,))[1]) for _ in range(20)]
        want = 3 * x * x * 2, -3 * np.sin(x) - x * np.cos(x), 3 * x * x * 2
        np.testing.assert_allclose(got, [want] * 20, rtol=1e-13)
        return True

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(run, range(16)))


def test_one_pullback_called_from_many_threads():
    x = np.linspace(0.0, 1.0, 100)
    _, pullback = vjp(lambda x: np.sin(x[::2]) * x[1::2] + np.sum(x), x)
    cotangents = np.random.default_rng(0).standard_normal((32, 50))
    want = [pullback(w)[0] for w in cotangents]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda w: pullback(w)[0], cotangents))
    np.testing.assert_array_equal(got, want)


def test_threads_inside_one_gradient():
    """They record on one tape; the interpreter changes threads as often as it can."""

    def work(y):
        z = y
        for _ in range(100):
            z = z * y * 0.999 + y
        return z

    x = np.array([0.5, 0.6, 0.7, 0.8])
    want = grad(lambda x: sum(map(work, x)))(x)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(20):
                got = grad(lambda x: sum(pool.map(work, list(x))))(x)
                np.testing.assert_allclose(got, want, rtol=1e-13)
    finally:
        sys.setswitchinterval(interval)


def test_one_gradient_function_shared_by_threads():
    jacobian = jacrev(lambda x: np.cumsum(x * x))
    x = np.arange(4.0)
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(lambda _: jacobian(x), range(32)):
            np.testing.assert_array_equal(got, np.tril(np.tile(2 * x, (4, 1))))


@pytest.mark.parametrize("tasks", [2, 16])
def test_tasks_that_take_turns_between_operations(tasks):
    """Every task stops between any two operations of its traced function."""
    turns = []

    def run(x, k, loop):
        def pause():
            turns.append(k)
            # The function is not async, so its thread waits for a turn of the event loop.
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(WAIT)

        return grad(lambda x: cubed(x, pause))(x)

    async def main():
        loop = asyncio.get_running_loop()
        runs = [asyncio.to_thread(run, 2.0, k, loop) for k in range(tasks)]
        return await asyncio.gather(*runs)

    assert asyncio.run(main()) == [24] * tasks
    assert sorted(turns) == sorted([*range(tasks)] * 2)


def test_tasks_interleaved_at_awaits_inside_their_functions():
    """Coroutines traced by hand-driven steps: vjp of each segment, interleaved at awaits."""

    async def descend(x):
        for _ in range(5):
            out, pullback = vjp(lambda x: x * cubed(x), x)  # x⁴·2
            await asyncio.sleep(0)
            (g,) = pullback(1.0)
            await asyncio.sleep(0)
            assert out == 2 * x**4
            assert g == 8 * x**3
            x = x / 2
        return x

    async def main():
        return await asyncio.gather(*[descend(float(2**k)) for k in range(8)])

    assert asyncio.run(main()) == [2.0**k / 32 for k in range(8)]


def test_an_async_function_traced_across_its_awaits():
    """A traced coroutine is driven inside grad; two of them in threads with their own loops."""

    async def loss(x):
        y = x * x
        await asyncio.sleep(0)
        z = grad(lambda y: x * y * y)(x)
        await asyncio.sleep(0)
        return y * z  # 2x⁴

    def run(x):
        return grad(lambda x: asyncio.run(loss(x)))(x)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, [2.0, 3.0])) == [64, 216]


def test_concurrent_tasks_on_one_tape():
    """Tasks of one traced function take turns at awaits, all recording on the same tape."""

    async def power(x, n):
        y = x
        for _ in range(n - 1):
            await asyncio.sleep(0)
            y = y * x
        return y

    async def total(x):
        return sum(await asyncio.gather(*[power(x, n) for n in (1, 2, 3, 4)]))

    assert grad(lambda x: asyncio.run(total(x)))(2.0) == 1 + 4 + 12 + 32
