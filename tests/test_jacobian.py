"""jacfwd, jacrev, jacobian and hessian: arrangement, dtypes, chunks, errors."""

import tracemalloc

import numpy as np
import pytest

from funcgrad import grad, hessian, jacfwd, jacobian, jacrev, tree, vmap

BOTH = pytest.mark.parametrize("jac", [jacfwd, jacrev, jacobian])
X = np.array([0.5, -1.0, 2.0])


def sums(x):
    return np.cumsum(np.sin(x)) * x[0]


def sums_jacobian(x):
    lower = np.tril(np.ones((3, 3))) * np.cos(x) * x[0]
    lower[:, 0] += np.cumsum(np.sin(x))
    return lower


@BOTH
@pytest.mark.parametrize("chunk_size", [None, 1, 2, 3, 100])
def test_jacobian_of_a_vector_function(jac, chunk_size):
    got = jac(sums, chunk_size=chunk_size)(X)
    np.testing.assert_allclose(got, sums_jacobian(X), rtol=1e-15)
    assert got.flags.c_contiguous
    assert got.flags.owndata


@BOTH
@pytest.mark.parametrize("chunk_size", [None, 3])
def test_pytrees_in_and_out(jac, chunk_size):
    """The output's tree of the argument's trees; a leaf has both shapes."""

    def f(p, n, x):
        return {"z": p["w"] * x * n, "s": (np.sum(p["w"]) * p["b"], x)}

    p, x = {"w": np.ones((2, 3)), "b": 2.0}, X
    got = jac(f, argnums=(0, -1), chunk_size=chunk_size)(p, 2, x)
    shapes = tree.map(np.shape, got)
    assert shapes["z"] == ({"w": (2, 3, 2, 3), "b": (2, 3)}, (2, 3, 3))
    assert shapes["s"][0] == ({"w": (2, 3), "b": ()}, (3,))
    assert shapes["s"][1] == ({"w": (3, 2, 3), "b": (3,)}, (3, 3))
    identity = np.eye(6).reshape(2, 3, 2, 3)
    np.testing.assert_array_equal(got["z"][0]["w"], 2 * identity * x[:, None, None])
    np.testing.assert_array_equal(got["s"][0][0]["w"], np.full((2, 3), 2.0))
    np.testing.assert_array_equal(got["s"][1][1], np.eye(3))
    leaves = tree.leaves(got)
    for i, a in enumerate(leaves):
        assert not any(np.shares_memory(a, b) for b in leaves[:i])


@BOTH
def test_keyword_arguments_and_aux(jac):
    got, aux = jac(lambda x, k: (k * x, {"x": x, "note": "a"}), has_aux=True)(X, k=2.0)
    np.testing.assert_array_equal(got, 2 * np.eye(3))
    assert aux["note"] == "a"
    np.testing.assert_array_equal(aux["x"], X)
    assert not np.shares_memory(aux["x"], X)
    with pytest.raises(TypeError, match=r"jac.* of <lambda>.*pair \(result, aux\), not one array"):
        jac(lambda x: x, has_aux=True)(X)


@BOTH
@pytest.mark.parametrize("kind", [float, np.float64, np.array])
def test_kinds_of_scalar_jacobians(jac, kind):
    got = jac(lambda x: x * x)(kind(3.0))
    assert got == 6
    assert isinstance(got, np.ndarray if kind is np.array else np.float64)


def test_dtypes():
    """jacrev gives cotangents, of the argument's dtype, and jacfwd tangents, of the result's."""
    x = X.astype(np.float32)
    for jac in (jacfwd, jacrev):
        assert jac(lambda x: x * x)(x).dtype == np.float32
    assert jacrev(lambda x: x.astype(float))(x).dtype == np.float32
    assert jacfwd(lambda x: x.astype(float))(x).dtype == float


@BOTH
def test_sizes_of_zero(jac):
    empty = np.zeros((0, 2))
    assert jac(np.sin)(empty).shape == (0, 2, 0, 2)
    assert jac(lambda x: x[:0])(X).shape == (0, 3)
    assert jac(lambda x: np.sum(x))(empty).shape == (0, 2)


@BOTH
def test_a_result_that_does_not_depend_on_the_argument(jac):
    got = jac(lambda x: {"c": np.ones(2), "f": 1.0})(X)
    np.testing.assert_array_equal(got["c"], np.zeros((2, 3)))
    np.testing.assert_array_equal(got["f"], np.zeros(3))


@BOTH
def test_one_infinite_derivative_leaves_the_others_alone(jac):
    got = jac(np.sqrt)(np.array([0.0, 1.0, 4.0]))
    np.testing.assert_array_equal(got, np.diag([np.inf, 0.5, 0.25]))


@BOTH
def test_the_function_runs_once_or_twice(jac):
    calls = []
    jac(lambda x: calls.append(x) or x * x)(X)
    jac(lambda x: calls.append(x) or np.sum(x))(X)
    assert len(calls) == 2
    jacobian(lambda x: calls.append(x) or np.concatenate([x, x]))(X)  # where jacfwd is cheaper
    assert len(calls) == 4


@BOTH
def test_jacobians_of_a_batch(jac):
    stack = np.stack([X, 2 * X])
    got = vmap(jac(sums))(stack)
    np.testing.assert_allclose(got, np.stack([sums_jacobian(X), sums_jacobian(2 * X)]), rtol=1e-15)


def peak_of(compute):
    tracemalloc.start()
    compute()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("jac", [jacfwd, jacrev])
def test_chunks_bound_the_memory(jac):
    """A thousand steps on stacks of 8 vectors in place of 200, beside the result itself."""
    n = 200

    def f(x):
        z = np.tile(x, 50)
        for _ in range(10):
            z = np.sin(z)
        return np.reshape(z, (50, n))[0]

    x = np.linspace(0.0, 1.0, n)
    whole = n * n * x.itemsize
    assert peak_of(lambda: jac(f)(x)) > 50 * whole
    assert peak_of(lambda: jac(f, chunk_size=8)(x)) < 15 * whole


@pytest.mark.parametrize("jac", [jacfwd, jacrev])
def test_a_chunked_jacobian_takes_little_more_than_itself(jac):
    x = np.linspace(0.0, 1.0, 1000)
    whole = 1000 * 1000 * x.itemsize
    assert peak_of(lambda: jac(np.sin, chunk_size=10)(x)) < 2.5 * whole


# Hessians; that every route agrees is in test_laws.py.


def test_hessian_of_a_pytree():
    def f(p, x):
        return np.sum(p["w"] ** 3) * x * p["b"]

    p = {"w": np.ones(2), "b": 2.0}
    by_p, by_x = hessian(f, argnums=(0, 1))(p, 3.0)
    np.testing.assert_array_equal(by_p["w"][0]["w"], 36 * np.eye(2))
    np.testing.assert_array_equal(by_p["w"][0]["b"], [9, 9])
    np.testing.assert_array_equal(by_p["w"][1], [6, 6])
    np.testing.assert_array_equal(by_p["b"][0]["w"], [9, 9])
    np.testing.assert_array_equal(by_x[0]["w"], [6, 6])
    assert (by_p["b"][0]["b"], by_p["b"][1], by_x[0]["b"], by_x[1]) == (0, 2, 2, 0)


def test_hessian_of_a_vector_function_and_aux():
    got, aux = hessian(lambda x: (x**3, "aux"), has_aux=True)(X)
    want = np.zeros((3, 3, 3))
    want[range(3), range(3), range(3)] = 6 * X
    np.testing.assert_allclose(got, want)
    assert aux == "aux"


def test_hessian_of_a_scalar():
    assert hessian(np.exp)(0.0) == 1
    assert grad(hessian(lambda x: x**4))(2.0) == 48


# What is refused.


@pytest.mark.parametrize("jac", [jacfwd, jacrev, jacobian, hessian])
@pytest.mark.parametrize(
    "f, args, error, message",
    [
        (lambda x: x > 0, (X,), TypeError, "the result has dtype bool"),
        (lambda x: {"a": "b"}, (X,), TypeError, r"the result\['a'\] is 'b'"),
        (np.sin, (np.arange(3),), TypeError, "argument 0 has dtype int64"),
        (np.sin, ({"a": "b"},), TypeError, r"argument 0, leaf \['a'\] is 'b'"),
        (np.sin, (), ValueError, "argnums=0 names argument 0"),
    ],
)
def test_what_has_no_jacobian(jac, f, args, error, message):
    with pytest.raises(error, match=rf"{jac.__name__} of .*: {message}"):
        jac(f)(*args)


@pytest.mark.parametrize("jac", [jacfwd, jacrev, jacobian, hessian])
def test_what_is_no_function_and_no_chunk_size(jac):
    with pytest.raises(TypeError, match=f"{jac.__name__} takes a function"):
        jac(3.0)
    for chunk_size in (0, -1, 2.0, "all"):
        with pytest.raises(ValueError, match=rf"{jac.__name__}\(sin\): chunk_size"):
            jac(np.sin, chunk_size=chunk_size)
