"""hvp, vhp, ggnvp and elementwise_grad. That hvp and vhp agree with Hessians is in test_laws.py."""

import numpy as np
import pytest

from funcgrad import (
    elementwise_grad,
    ggnvp,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jvp,
    linearize,
    tree,
    vhp,
    vmap,
)

PRODUCTS = pytest.mark.parametrize("product", [hvp, vhp])
X = np.array([0.5, -1.0, 2.0])
V = np.array([1.0, 3.0, -2.0])


def energy(p, x):
    return np.sum(np.tanh(p["w"] * x) * p["b"]) * x[0]


PRIMALS = {"w": np.array([0.1, 0.2, 0.3]), "b": 2.0}, X
VECTORS = {"w": V, "b": -1.0}, V + 1


@PRODUCTS
def test_products_are_like_the_primals(product):
    """One entry an argument, in a tuple, and blocks of the Hessian summed over the arguments."""
    by_p, by_x = product(energy, PRIMALS, VECTORS)
    (h_p, h_x) = hessian(energy, argnums=(0, 1))(*PRIMALS)
    v_p, v_x = VECTORS

    def row(blocks):
        return blocks[0]["w"] @ v_p["w"] + blocks[0]["b"] * v_p["b"] + blocks[1] @ v_x

    np.testing.assert_allclose(by_p["w"], row(h_p["w"]), rtol=1e-13)
    np.testing.assert_allclose(by_x, row(h_x), rtol=1e-13)
    want = h_p["b"][0]["w"] @ v_p["w"] + h_p["b"][0]["b"] * v_p["b"] + h_p["b"][1] @ v_x
    np.testing.assert_allclose(by_p["b"], want, rtol=1e-13)
    assert isinstance(by_p["b"], np.float64)


@PRODUCTS
def test_aux_of_a_product(product):
    (got,), aux = product(lambda x: (np.sum(x**3), {"n": "a", "x": x}), (X,), (V,), has_aux=True)
    np.testing.assert_allclose(got, 6 * X * V)
    assert aux["n"] == "a"
    np.testing.assert_array_equal(aux["x"], X)


@PRODUCTS
def test_products_go_through_other_transforms(product):
    def f(x):
        return np.sum(np.sin(x) * x[0])

    def along(x, v):
        return product(f, (x,), (v,))[0]

    stack = np.stack([X, 2 * X])
    want = np.stack([hessian(f)(x) @ V for x in stack])
    np.testing.assert_allclose(vmap(along, (0, None))(stack, V), want, rtol=1e-13)
    np.testing.assert_allclose(linearize(lambda v: along(X, v), V)[1](V), along(X, V))
    third = jacfwd(hessian(f))(X)
    np.testing.assert_allclose(jacobian(lambda x: along(x, V))(X), V @ third, atol=1e-14)


@PRODUCTS
def test_float32_stays_float32(product):
    (got,) = product(lambda x: np.sum(x**3), (X.astype(np.float32),), (V,))
    assert got.dtype == np.float32


@PRODUCTS
@pytest.mark.parametrize(
    "f, primals, vectors, message",
    [
        (3.0, (X,), (V,), "takes a function"),
        (np.sum, X, V, r"primals must be a tuple.*\(f, \(x,\), \(v,\)\)"),
        (np.sum, (X,), V, r"tangents must be a tuple|cotangents must be a tuple"),
        (np.sum, (X,), (1.0,), r"of argument 0 is shape \(\)"),
        (np.sum, (X,), ({"a": V},), "a dict"),
        (np.sum, (np.arange(3),), (V,), "argument 0 has dtype int64"),
        (np.sin, (X,), (V,), "must return one real float"),
    ],
)
def test_what_has_no_product(product, f, primals, vectors, message):
    with pytest.raises((TypeError, ValueError), match=message):
        product(f, primals, vectors)


# Gauss–Newton.


def network(p, x):
    return {"z": np.tanh(x @ p["w"]) * p["b"]}


def loss(out):
    return np.sum(np.exp(out["z"]))


def test_gauss_newton_is_the_jacobian_around_the_curvature_of_the_loss():
    """Jᵀ·H·J·v, one argument of the model held fixed by a closure."""
    x = np.arange(6.0).reshape(2, 3) / 6
    p = {"w": np.ones((3, 2)), "b": 0.5}
    v = {"w": np.arange(6.0).reshape(3, 2), "b": -1.0}
    (got,) = ggnvp(lambda p: network(p, x), loss, (p,), (v,))

    def flat(q):
        return np.concatenate([np.ravel(q["w"]), np.stack([q["b"]])])

    j = jacobian(network)(p, x)["z"]
    j = np.concatenate([j["w"].reshape(4, 6), j["b"].reshape(4, 1)], axis=1)
    h = np.diag(np.exp(np.ravel(network(p, x)["z"])))
    np.testing.assert_allclose(flat(got), j.T @ h @ j @ flat(v), rtol=1e-12)


def test_gauss_newton_of_a_linear_model_is_the_hessian():
    a = np.arange(6.0).reshape(2, 3)
    (got,) = ggnvp(lambda x: a @ x, lambda z: np.sum(z**4), (X,), (V,))
    (want,) = hvp(lambda x: np.sum((a @ x) ** 4), (X,), (V,))
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_gauss_newton_of_a_convex_loss_is_positive():
    rng = np.random.default_rng(0)
    model = lambda x: np.sin(3 * x) * x[0]  # noqa: E731
    for v in rng.standard_normal((20, 3)):
        (product,) = ggnvp(model, lambda z: np.sum(z**2), (X,), (v,))
        assert v @ product >= 0


def test_aux_and_errors_of_gauss_newton():
    (got,), aux = ggnvp(lambda x: (x, "aux"), lambda z: np.sum(z**3), (X,), (V,), has_aux=True)
    np.testing.assert_allclose(got, 6 * X * V)
    assert aux == "aux"
    with pytest.raises(TypeError, match="ggnvp takes a function"):
        ggnvp(np.sin, 2.0, (X,), (V,))
    with pytest.raises(TypeError, match=r"Write ggnvp\(model, loss, \(x,\), \(v,\)\)"):
        ggnvp(np.sin, np.sum, X, V)
    with pytest.raises(TypeError, match="must return one real float"):
        ggnvp(np.sin, np.cos, (X,), (V,))


# Elementwise derivatives.


@pytest.mark.parametrize(
    "f, derivative",
    [
        (np.sin, np.cos),
        (lambda x: np.where(x > 0, x**2, -x), lambda x: np.where(x > 0, 2 * x, -1)),
        (lambda x: np.ones(3), lambda x: np.zeros(3)),
        (lambda x: 1e8 * x - 1e8 * np.sin(x), lambda x: 1e8 * (1 - np.cos(x))),
        (lambda x: np.stack([np.exp(x[i]) for i in range(3)]), np.exp),
        (lambda x: np.sort(x)[np.argsort(np.argsort(x))] ** 2, lambda x: 2 * x),
    ],
)
def test_elementwise_derivative(f, derivative):
    np.testing.assert_allclose(elementwise_grad(f)(X), derivative(X), rtol=1e-15)


def test_elementwise_derivatives_of_higher_order():
    third = elementwise_grad(elementwise_grad(elementwise_grad(np.sin)))
    np.testing.assert_allclose(third(X), -np.cos(X), rtol=1e-15)
    np.testing.assert_allclose(vmap(third)(np.stack([X, V])), -np.cos(np.stack([X, V])))
    np.testing.assert_allclose(jvp(elementwise_grad(np.sin), (X,), (V,))[1], -np.sin(X) * V)
    got = grad(lambda x: np.sum(elementwise_grad(np.sin)(x) * x))(X)
    np.testing.assert_allclose(got, np.cos(X) - X * np.sin(X))


def test_elementwise_derivatives_of_pytrees_and_several_arguments():
    def f(p, q):
        return tree.map(lambda x, y: x**2 * y, p, q)

    p, q = {"a": X, "b": 3.0}, {"a": V, "b": 2.0}
    by_p, by_q = elementwise_grad(f, argnums=(0, 1))(p, q)
    np.testing.assert_array_equal(by_p["a"], 2 * X * V)
    np.testing.assert_array_equal(by_q["a"], X**2)
    assert (by_p["b"], by_q["b"]) == (12, 9)
    derivative, aux = elementwise_grad(lambda x, k: (k * x, "aux"), has_aux=True)(X, k=2.0)
    np.testing.assert_array_equal(derivative, [2, 2, 2])
    assert aux == "aux"


def test_infinite_elementwise_derivatives_show():
    got = elementwise_grad(np.sqrt)(np.array([0.0, 1.0, 4.0], np.float32))
    assert got.tolist() == [np.inf, 0.5, 0.25]


@pytest.mark.parametrize(
    "f",
    [
        np.cumsum,
        np.sort,
        lambda x: x[::-1],
        lambda x: x - np.mean(x),
        lambda x: x + 1e-6 * np.sum(x),
        lambda x: x * x[0],
        lambda x: np.stack([x[0], x[0], x[2]]),  # each depends on one element, but not its own
        lambda x: x * np.array([1.0, 0.0, 1.0]) + 1e-3 * x[0] * np.array([0.0, 1.0, 0.0]),
    ],
)
def test_functions_that_mix_elements_are_refused(f):
    with pytest.raises(ValueError, match=r"elementwise_grad of .*argument 0.*funcgrad.jacobian"):
        elementwise_grad(f)(np.array([2.0, 0.5, -1.0]))


def test_functions_that_mix_leaves_are_refused():
    with pytest.raises(ValueError, match=r"argument 0, leaf \['a'\]"):
        elementwise_grad(lambda p: {"a": p["b"], "b": p["a"]})({"a": X, "b": V})


@pytest.mark.parametrize("f", [np.sum, lambda x: x[:2], lambda x: x > 0, lambda x: {"a": x}])
def test_results_unlike_the_argument_are_refused(f):
    with pytest.raises(ValueError, match="argument 0"):
        elementwise_grad(f)(X)
