"""The gradient checker agrees with right derivatives and says where wrong ones are."""

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import verbs
from funcgrad.batching import front
from funcgrad.check import GradientCheckError, check_grads, numerical_grad

X = np.array([0.3, -1.2, 2.5])


@pytest.mark.parametrize(
    "f, args",
    [
        (np.sin, (0.3,)),
        (lambda x: np.exp(x) * np.cumsum(x), (X,)),
        (lambda p: {"sum": np.sum(p["w"] @ p["x"]), "tanh": (np.tanh(p["x"]),)},
         ({"w": np.outer(X, X), "x": X},)),
        (lambda x, labels, mode: np.log(np.abs(x))[labels], (X, np.array([0, 2, 2]), "any")),
        (lambda x: np.exp(1j * x) * x, (X,)),
        (lambda x: (np.sum(x**2), x > 0, "text"), (X,)),
        (lambda x: np.sum(x**3), (X.astype(np.float32),)),
        (lambda x: np.sum(x.astype(np.float32) ** 2), (X,)),
        (lambda x: np.sin(1e3 * x), (X,)),
        (lambda x: x**2 + 1e8, (3.0,)),
        (lambda x: 1.0 / x, (1e-3,)),
        (lambda x: np.exp(x), (100.0,)),
        (lambda x: np.sin(x) ** 2 + np.cos(x) ** 2, (X,)),
        (lambda x: x - x, (X,)),
        (lambda x: np.sum(np.tanh(x @ np.array([0.5, -0.5])) ** 2), (np.ones((3, 2)),)),
    ],
)  # fmt: skip
def test_right_derivatives_pass(f, args):
    assert check_grads(f, args) is None


def test_third_order():
    check_grads(lambda x: np.cumprod(x), (np.array([0.0, 1.0, 2.0, 0.0]),), order=3)


def test_arguments_are_float64_and_integers_stay():
    seen = []

    def f(x, n):
        seen.append((fg.value(x).dtype, n))
        return x**n

    check_grads(f, (np.float32(1.5), 2))
    assert set(seen) == {(np.dtype(float), 2)}


def test_a_wrong_derivative_is_named_by_its_leaf_with_both_numbers():
    def f(p):
        return np.sum(p["a"] * fg.stop_gradient(p["b"][0]) + p["c"])

    with pytest.raises(GradientCheckError, match=r"the vjp of f .* at p\['b'\]\[0\]:") as error:
        check_grads(f, ({"a": X, "b": (X + 1.0,), "c": X},))
    assert "and 0 by the derivative" in str(error.value)
    assert "kink" not in str(error.value)


def test_a_wrong_second_derivative_is_found_at_second_order():
    def f(x):
        # The value and the slope of x², but a slope that transforms take for a constant.
        at = fg.stop_gradient(x)
        return at**2 + 2.0 * at * (x - at)

    check_grads(f, (1.5,), order=1)
    with pytest.raises(GradientCheckError, match="the vjp of the vjp of f "):
        check_grads(f, (1.5,))


@pytest.mark.parametrize(
    "f", [lambda x: np.where(x < 0.0, x, 2.0 * x), lambda x: np.where(x < 0.0, x, x + 1.0)]
)
def test_a_kink_or_a_jump_is_suggested(f):
    with pytest.raises(GradientCheckError, match=r"one-sided slopes .* kink or a jump"):
        check_grads(f, (0.0,), order=1)


def test_a_derivative_that_is_not_a_number_is_an_error():
    with pytest.raises(GradientCheckError, match="nan"):
        check_grads(lambda x: np.sqrt(np.sum(x**2)), (np.zeros(2),))


def test_what_cannot_be_checked_is_an_error():
    with pytest.raises(TypeError, match=r"check_grads\(sin, \(x,\)\)"):
        check_grads(np.sin, 1.0)
    with pytest.raises(ValueError, match="no float among the arguments"):
        check_grads(lambda x: x, (1,))
    with pytest.raises(ValueError, match="no float among the results"):
        check_grads(lambda x: x > 0, (1.0,))
    with pytest.raises(ValueError, match=r"among rev, fwd; got .*sideways"):
        check_grads(np.sin, (1.0,), modes=("sideways",))
    with pytest.raises(ValueError, match="order=0"):
        check_grads(np.sin, (1.0,), order=0)


def test_numerical_grad_is_the_gradient():
    def f(p, scale):
        return scale * np.sum(np.sin(p["w"]) * p["b"])

    p = {"w": np.array([[0.5, 1.0]]), "b": 3.0}
    numerical, by_scale = numerical_grad(f, (0, 1))(p, 2.0)
    exact = fg.grad(f)(p, 2.0)
    assert np.allclose(numerical["w"], exact["w"], rtol=1e-9)
    assert np.isclose(numerical["b"], exact["b"], rtol=1e-9)
    assert np.isclose(by_scale, f(p, 1.0), rtol=1e-9)
    assert numerical_grad(f)(p, scale=2.0)["b"] == numerical["b"]


def test_numerical_grad_is_computed_in_float64():
    gradient = numerical_grad(lambda x: np.sum(x**3))(X.astype(np.float32))
    assert gradient.dtype == np.float64
    assert np.allclose(gradient, 3 * X.astype(np.float32).astype(float) ** 2, rtol=1e-9)


def test_numerical_grad_refuses_what_has_no_gradient():
    with pytest.raises(TypeError, match=r"shape \(3,\)"):
        numerical_grad(np.sin)(X)
    with pytest.raises(TypeError, match="floats, got 3"):
        numerical_grad(np.sin)(3)


def test_complex_arguments_are_checked_as_two_floats():
    def f(p):
        return np.abs(p["z"]) * np.exp(p["z"]) * p["r"]

    check_grads(f, ({"z": np.array([1.0 + 2.0j, -0.5j]), "r": 2.0},))
    wrong = fg.custom_vjp(lambda z: np.conj(z))
    wrong.defvjp(lambda z: (np.conj(z), None), lambda _, g: (g,))
    with pytest.raises(GradientCheckError, match="the imaginary part of z"):
        check_grads(lambda z: wrong(z), (1.0 + 2.0j,), order=1)


def test_numerical_grad_by_complex_numbers_is_the_gradient():
    def f(p):
        return np.sum(np.abs(p["z"]) ** 2 * p["r"]) + np.imag(p["z"][0] ** 3)

    p = {"z": np.array([1.0 + 2.0j, -0.5j]), "r": 3.0}
    numerical, exact = numerical_grad(f)(p), fg.grad(f)(p)
    assert np.allclose(numerical["z"], exact["z"], rtol=1e-9)
    assert np.allclose(numerical["r"], exact["r"], rtol=1e-9)
    assert numerical["z"].dtype == np.complex128
    assert numerical["r"].dtype == np.float64
    with pytest.raises(TypeError, match=r"one real number.*imaginary"):
        numerical_grad(lambda z: z)(1j)


def test_forward_mode_is_checked_too_and_both_in_every_combination():
    check_grads(
        lambda p: {"y": np.sin(p["x"]) * p["x"]}, ({"x": X},), modes=("fwd", "rev"), order=3
    )


@pytest.mark.parametrize("wrong_mode, named", [("fwd", "jvp"), ("rev", "vjp")])
def test_a_mode_is_checked_by_itself(wrong_mode, named):
    def tripled(x):
        return 3.0 * x

    slopes = {"fwd": 3.0, "rev": 3.0, wrong_mode: 2.0}
    f = verbs.rule(
        tripled,
        vjp=lambda g: slopes["rev"] * g,
        jvp=lambda t: slopes["fwd"] * t,
        batch=front,
    )
    (right_mode,) = slopes.keys() - {wrong_mode}
    check_grads(f, (X,), modes=(right_mode,), order=1)
    with pytest.raises(GradientCheckError, match=f"the {named} of .* disagrees"):
        check_grads(f, (X,), modes=("rev", "fwd"), order=1)
