"""funcgrad.numpy: NumPy in one import, whose arrays can be written to while a transform runs."""

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, vjp, vmap

X = np.array([[0.4, -1.2, 0.7], [1.1, 0.3, -0.6]])


def with_one_import(x):
    z = fg.numpy.zeros((2, 3))
    z[0] = x[0] * x[1]
    z[1, 1:] += fg.numpy.array([x[0, 0], 2.0 * x[1, 0]])
    w = fg.numpy.full(3, x[1, 2])
    w[0] *= fg.numpy.sum(fg.numpy.asarray([[x[0, 1], 1.0]]))
    ramp = fg.numpy.arange(x[0, 0], x[0, 0] + 2.6)
    ramp = ramp * fg.numpy.zeros_like(np.ones(3)) + fg.numpy.copy(np.ones(3)) * ramp
    pair = fg.numpy.full_like(np.ones((3, 2)), x[0, 2], order="F", shape=2)
    return fg.numpy.sum(z) + np.sum(w * ramp) + pair @ w[:2]


@pytest.mark.parametrize(
    "name", "asanyarray ascontiguousarray asfortranarray asarray_chkfinite require".split()
)
def test_funcgrad_numpy_converts_what_is_traced_by_leaving_it_as_it_is(name):
    convert = getattr(fg.numpy, name)
    np.testing.assert_array_equal(grad(lambda x: np.sum(convert(x) ** 2))(X), 2.0 * X)
    np.testing.assert_array_equal(
        grad(lambda x: convert([x[0, 0], 1.0]) @ X[0, :2])(X), [[X[0, 0], 0, 0], [0, 0, 0]]
    )
    assert type(convert([1.0, 2.0])) is np.ndarray


def orders(n, x):
    m = n.outer(x, x).T
    views = [n.asarray(m, dtype=float), n.require(m, None, "F"), n.asfortranarray(m)]
    copies = [n.ascontiguousarray(m), n.asarray(m, copy=True), n.require(m, requirements=["C"])]
    copies += [n.asarray([m[0], x], order="F"), n.array(m, ndmin=3), n.ascontiguousarray(x[0])]
    for k, z in enumerate(views + copies):
        z[...] = (k + 1.0) * z
    assert [n.isfortran(z) for z in (m, m.T, copies[0])] == [True, False, False]
    return n.concatenate([n.ravel(z) for z in (m, *views, *copies)])


def test_which_conversion_is_a_copy():
    x = X[0]
    np.testing.assert_allclose(fg.vjp(lambda x: orders(fg.numpy, x), x)[0], orders(np, x))
    np.testing.assert_allclose(vmap(lambda x: orders(fg.numpy, x))(X)[1], orders(np, X[1]))
    fg.check_grads(lambda x: orders(fg.numpy, x), (x,))
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        grad(lambda x: fg.numpy.sum(fg.numpy.asarray([x[0], 1.0], copy=False)))(x)


def test_kaiser():
    for size in (0, 1, 2, 5):
        beta, window = np.float32(3.0), np.kaiser(size, 3.0)
        got, tangent = fg.jvp(lambda beta, n=size: fg.numpy.kaiser(n, beta), (beta,), (beta,))
        np.testing.assert_allclose(got, window)
        assert got.dtype == tangent.dtype == window.dtype
    fg.check_grads(lambda beta: fg.numpy.kaiser(4, beta), (2.5,), order=2)


def test_what_is_not_finite_is_said_so():
    finite = vmap(lambda x: fg.numpy.asarray_chkfinite([x[0], 1.0]))(X)
    np.testing.assert_array_equal(finite, [[X[0, 0], 1.0], [X[1, 0], 1.0]])
    with pytest.raises(ValueError, match="infs or NaNs"):
        grad(lambda x: np.sum(fg.numpy.asarray_chkfinite(x * np.inf)))(X)


def test_funcgrad_numpy_makes_arrays_to_write_to():
    np.testing.assert_allclose(fg.value_and_grad(with_one_import)(X)[0], with_one_import(X))
    fg.check_grads(with_one_import, (X,), order=2)


MAKERS = [fg.numpy.zeros, fg.numpy.ones, fg.numpy.empty, fg.numpy.eye, fg.numpy.identity]


@pytest.mark.parametrize("make", MAKERS)
def test_outside_of_a_transform_arrays_are_plain(make):
    def f(x):
        assert fg.is_traced(make(3))
        np.testing.assert_array_equal(make(3), make(3))
        return x

    assert type(make(3)) is np.ndarray
    assert grad(f)(1.0) == 1.0


def test_everything_else_is_numpys():
    assert fg.numpy.sin is np.sin
    assert fg.numpy.linalg is np.linalg
    assert fg.numpy.float32 is np.float32
    assert {"sin", "zeros", "at"} <= set(dir(fg.numpy))
    signatures = [
        ("full", 3, 2.0, {"device": "cpu"}),
        ("full_like", X, 2.0, {"shape": 2, "device": "cpu"}),
        ("asarray", X, {"order": "F", "copy": True, "device": "cpu"}),
        ("arange", 1, {"stop": 3, "device": "cpu", "like": X}),
        ("take", X, [0, 1], {"out": np.zeros(2)}),
        ("kaiser", 5, 2.0, {}),
        ("isfortran", X.T, {}),
    ]
    for name, *args, keywords in signatures:
        got = getattr(fg.numpy, name)(*args, **keywords)
        np.testing.assert_array_equal(got, getattr(np, name)(*args, **keywords))
    with pytest.raises(ValueError, match="copy"):
        fg.numpy.array([1.0], copy=False)
    assert not hasattr(fg.numpy, "no_such_function")


def test_arrays_of_integers_stay_plain_to_index_with():
    def f(x):
        table = np.array([1.0, 2.0, 3.0])
        return np.sum(table[fg.numpy.array([0, 2])] * fg.numpy.take(table, [1, 1]) * x)

    assert grad(f)(2.0) == 8.0
    places = np.array([2, 0])
    np.testing.assert_array_equal(vmap(lambda i: fg.numpy.take(X[0], i))(places), X[0][places])


def test_vectorize():
    def f(a, b):
        return a * b if a > b else a - b

    g = fg.numpy.vectorize(f)
    np.testing.assert_array_equal(g(X, X[0]), np.vectorize(f)(X, X[0]))
    fg.check_grads(lambda x: g(x, 0.2), (X,), order=2)
    parts = fg.numpy.vectorize(lambda a: (a, a * a))
    fg.check_grads(lambda x: parts(x)[0] * parts(x)[1], (X,))
    with pytest.raises(fg.UnsupportedError, match="signature"):
        grad(lambda x: fg.numpy.vectorize(np.sum, signature="(n)->()")(x))(X[0])


JOINED = {
    "r_": lambda n, x: n.r_[x[0], 1, 0:3, [4.0, x[0, 0]]],
    "r_ of matrices": lambda n, x: n.r_[x, np.ones((1, 3))],
    "r_ of ranges": lambda n, x: n.r_[x[0, 0] : 3.0, x[1, 0] : x[0, 0] : 3j, : 0.5 + x[1, 0]],
    "c_": lambda n, x: n.c_[np.ones(2), x[:, 0], x],
    "c_ of numbers": lambda n, x: n.c_[x[0, 0], 2.0],
}


@pytest.mark.parametrize("f", JOINED.values(), ids=JOINED)
def test_r_and_c_join_traced_values(f):
    np.testing.assert_array_equal(f(fg.numpy, X), f(np, X))
    out, _ = vjp(lambda x: f(fg.numpy, x), X)
    np.testing.assert_array_equal(out, f(np, X))
    fg.check_grads(lambda x: f(fg.numpy, x), (X,), modes=["fwd", "rev"])


def test_r_of_a_directive_is_refused():
    with pytest.raises(fg.UnsupportedError, match=r"np\.column_stack"):
        grad(lambda x: np.sum(fg.numpy.r_["0,2", x[0], x[1]]))(X)


def test_a_range_up_to_a_traced_number_is_of_floats_and_written_to():
    def total(x):
        z = fg.numpy.arange(x)
        z[0] = x / 2
        return z.sum()

    assert fg.value_and_grad(total)(3.0) == (4.5, 0.5)
