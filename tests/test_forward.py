"""jvp and linearize: kinds, dtypes and ownership. The rules are tested with the primitives."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from funcgrad import grad, jacfwd, jvp, linearize, tree, vjp, vmap


def test_the_modulus_of_a_complex_number_on_the_way():
    def f(x):
        return np.abs(1 + 1j * x) ** 2

    np.testing.assert_allclose(grad(f)(3.0), 6.0)
    np.testing.assert_allclose(jvp(f, (3.0,), (1.0,))[1], 6.0)
    np.testing.assert_allclose(grad(grad(f))(3.0), 2.0)
    np.testing.assert_allclose(jvp(grad(f), (3.0,), (1.0,))[1], 2.0)


# A tangent has its primal's dtype.

CONSTANT = np.ones(3)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + CONSTANT,
        lambda x: CONSTANT - x,
        lambda x: np.maximum(x, CONSTANT),
        lambda x: np.where(CONSTANT > 0, x, CONSTANT),
        lambda x: np.copysign(x, CONSTANT),
        lambda x: x % (2 * CONSTANT),
        lambda x: np.prod(x, dtype=float),
    ],
)
def test_dtype_of_a_tangent(f):
    x = np.ones(3, np.float32)
    out, tangent = jvp(f, (x,), (x,))
    assert tangent.dtype == out.dtype


def test_dtype_of_a_tangent_of_a_weak_float():
    out, tangent = jvp(lambda x: x + np.ones(3, np.float32), (2.0,), (1.0,))
    assert tangent.dtype == out.dtype


def test_result_of_jvp_is_the_callers():
    x = np.ones(3)
    assert not np.shares_memory(jvp(lambda x: x, (x,), (x,))[0], x)


def test_jvp_carries_aux():
    out, tangent, aux = jvp(lambda x: (x * x, {"x": x, "n": "a"}), (3.0,), (1.0,), has_aux=True)
    assert (out, tangent, aux) == (9, 6, {"x": 3, "n": "a"})
    with pytest.raises(TypeError, match=r"jvp of <lambda>.*pair \(result, aux\)"):
        jvp(lambda x: x, (3.0,), (1.0,), has_aux=True)


def test_a_pytree_of_tangents():
    def f(p, x):
        return {"y": p["w"] * x, "w": p["w"]}

    p, x = {"w": np.ones(2)}, np.array([2.0, 3.0])
    _, tangent = jvp(f, (p, x), ({"w": x}, np.ones(2)))
    np.testing.assert_array_equal(tangent["y"], x * x + 1)
    np.testing.assert_array_equal(tangent["w"], x)


def test_jvp_takes_constant_memory():
    def chain(x):
        for _ in range(200):
            x = np.sin(x)
        return x

    x = np.ones(100_000)
    tracemalloc.start()
    jvp(chain, (x,), (x,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * x.nbytes


def test_warnings_are_those_of_the_function():
    def not_taken(x):
        with np.errstate(divide="ignore"):
            y = np.log(x)
        return np.where(x > 0, y, 0.0)

    assert jvp(not_taken, (np.float64(0),), (1.0,))[1] == 0
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        jvp(np.log, (np.float64(0),), (1.0,))


def test_threads_inside_one_jvp():
    def f(x):
        with ThreadPoolExecutor(4) as pool:
            return sum(pool.map(chain, list(x)))

    def chain(y):
        for _ in range(100):
            y = np.sin(y) * 1.1
        return y

    x = np.array([0.5, 0.6, 0.7, 0.8])
    np.testing.assert_allclose(jvp(f, (x,), (x,))[1], grad(f)(x) @ x)


# linearize.


def curved(p, x):
    return {"a": np.tanh(p["w"] @ x) * x[:2], "b": p["c"] ** 2, "n": 3}


PRIMALS = {"w": np.arange(6.0).reshape(2, 3) / 6, "c": 2.0}, np.array([0.5, -1.0, 2.0])
TANGENTS = {"w": np.ones((2, 3)), "c": 0.5}, np.array([1.0, 2.0, -1.0])


def test_linearize_is_jvp_without_running_again():
    calls = []

    def counted(p, x):
        calls.append(p)
        return curved(p, x)

    out, f_jvp = linearize(counted, *PRIMALS)
    for scale in (1.0, 0.0, -3.0):
        tangents = tree.map(lambda t: scale * t, TANGENTS)  # noqa: B023
        want, pushed = jvp(curved, PRIMALS, tangents)
        got = f_jvp(*tangents)
        for name in want:
            np.testing.assert_allclose(out[name], want[name])
            np.testing.assert_allclose(got[name], pushed[name], atol=1e-15)
            assert type(got[name]) is type(pushed[name])
    assert len(calls) == 1


def test_the_linear_function_is_a_function_like_any_other():
    _, f_jvp = linearize(lambda x: np.cumsum(x**3), PRIMALS[1])
    matrix = jacfwd(lambda x: np.cumsum(x**3))(PRIMALS[1])
    np.testing.assert_allclose(vmap(f_jvp)(np.eye(3)), matrix.T)
    np.testing.assert_allclose(vjp(f_jvp, np.ones(3))[1](np.ones(3))[0], matrix.sum(0))
    np.testing.assert_allclose(jvp(f_jvp, (np.ones(3),), (PRIMALS[1],))[1], matrix @ PRIMALS[1])
    np.testing.assert_allclose(linearize(f_jvp, np.ones(3))[1](PRIMALS[1]), matrix @ PRIMALS[1])


def test_what_the_linear_function_keeps_and_gives_is_nobody_elses():
    x, c = np.ones(3), np.full(3, 2.0)
    (y, same, again), f_jvp = linearize(lambda x: (x * x * c, x, x), x)
    x += 1
    c += 1
    y += 1
    same += 1
    np.testing.assert_array_equal(again, [1, 1, 1])
    t = np.ones(3)
    tangent, through, again = f_jvp(t)
    np.testing.assert_array_equal(tangent, [4, 4, 4])
    assert not np.shares_memory(through, t)
    assert not np.shares_memory(through, again)
    tangent += 1
    np.testing.assert_array_equal(f_jvp(t)[0], [4, 4, 4])


def test_a_zero_tangent_annihilates_in_every_replay():
    """Where the local derivative is not finite: on the branch that is taken, and on the other."""

    def f(x, y):
        root = np.sqrt(x)
        return np.where(x > 0, root, 0.0), root * y, root

    x = np.array([0.0, 4.0])
    _, f_jvp = linearize(f, x, 1.0)
    for t in (np.zeros(2), np.ones(2), np.array([1.0, 0.0])):
        for got, want in zip(f_jvp(t, 1.0), jvp(f, (x, 1.0), (t, 1.0))[1], strict=True):
            np.testing.assert_array_equal(got, want)
    assert f_jvp(np.zeros(2), 1.0)[2].tolist() == [0, 0]
    assert f_jvp(np.ones(2), 1.0)[2].tolist() == [np.inf, 0.25]


def test_linearize_carries_aux_and_constant_results():
    out, f_jvp, aux = linearize(lambda x: ((x * 2.0, np.ones(2)), "aux"), 3.0, has_aux=True)
    assert aux == "aux"
    assert out[0] == 6
    tangent, zero = f_jvp(1.0)
    assert tangent == 2
    np.testing.assert_array_equal(zero, [0, 0])


@pytest.mark.parametrize(
    "tangents, message",
    [
        ((np.ones(2),), r"linearize of sin: the tangent of argument 0 is shape \(2,\)"),
        ((1j * np.ones(3),), "dtype complex128, and must be of shape"),
        ((np.ones(3), 1.0), r"has no \[1\]"),
    ],
)
def test_what_the_linear_function_refuses(tangents, message):
    _, f_jvp = linearize(np.sin, np.ones(3))
    with pytest.raises((TypeError, ValueError), match=message):
        f_jvp(*tangents)


def test_linearize_takes_a_function_and_floats():
    with pytest.raises(TypeError, match="linearize takes a function"):
        linearize(np.sin(1.0), 1.0)
    with pytest.raises(TypeError, match="linearize of sin: argument 0 has dtype int64"):
        linearize(np.sin, np.arange(3))
