"""The examples of single transforms, as a person runs them with --quick."""

import numpy as np
import pytest
from loading import load

from funcgrad import grad, hessian, numerical_grad, random, tree

newton = load("newton_hvp")
per_example = load("per_example_gradients")
recurrent = load("recurrent_network")
ode_fit = load("ode_fit")


def test_newton_finds_the_minimum_and_ends_quadratically(capsys):
    x, path = newton.main(["--quick"])
    np.testing.assert_allclose(x, np.ones(10), rtol=0, atol=1e-8)
    values = [value for value, _, _ in path]
    assert values == sorted(values, reverse=True)
    assert path[-1][1] < path[-2][1] ** 1.2 < 1.0
    assert "from the minimum" in capsys.readouterr().out


def test_a_newton_direction_solves_the_equation_that_the_hessian_states():
    x = np.array([1.1, 1.2, 1.4])
    gradient = grad(newton.rosenbrock)(x)
    p, products = newton.newton_direction(newton.rosenbrock, x, 1e-20 * gradient)
    np.testing.assert_allclose(hessian(newton.rosenbrock)(x) @ p, -1e-20 * gradient, rtol=1e-9)
    assert products <= 3


def test_private_training_learns_the_digits(capsys):
    assert per_example.main(["--quick"]) > 0.6
    assert "clipped to 1.00" in capsys.readouterr().out


def test_a_clipped_gradient_keeps_its_direction():
    gradients = {"w": np.array([[3.0, 0.0], [0.3, 0.0]]), "b": np.array([[4.0], [0.4]])}
    np.testing.assert_allclose(per_example.lengths(gradients), [5.0, 0.5])
    short = per_example.clipped(gradients)
    np.testing.assert_allclose(short["w"], [[0.6, 0.0], [0.3, 0.0]])
    np.testing.assert_allclose(short["b"], [[0.8], [0.4]])


def test_no_gradient_stays_none_when_clipped():
    zero = {"w": np.zeros((2, 3))}
    assert np.all(per_example.clipped(zero)["w"] == 0.0)


def test_the_recurrent_network_remembers(capsys):
    assert recurrent.main(["--quick"]) > 0.99
    assert "before: 5" in capsys.readouterr().out  # it guesses


def test_the_gradient_through_the_recurrent_network():
    init_key, bits_key = random.split(random.key(0))
    params, bits = recurrent.init(init_key), recurrent.sequences(bits_key)

    def along(h):
        return recurrent.loss_fn(tree.map(lambda p: p * (1.0 + h), params), bits)

    moved = grad(recurrent.loss_fn)(params, bits)
    slope = sum(np.sum(moved[name] * params[name]) for name in params)
    np.testing.assert_allclose(slope, numerical_grad(along)(0.0), rtol=1e-7)


def test_the_rates_of_an_equation_are_found_in_noise(capsys):
    found, errors = ode_fit.main(["--quick"])
    np.testing.assert_allclose(np.exp(found), ode_fit.TRUTH, rtol=0.1)
    assert errors == pytest.approx(sorted(errors, reverse=True))
    assert "birth" in capsys.readouterr().out


def test_without_noise_the_rates_are_exact():
    times = np.linspace(0.0, 5.0, 10)
    truth = np.log(ode_fit.TRUTH)
    counts = np.exp(ode_fit.logarithms(truth, times))
    found, _, errors = ode_fit.fit(truth + 0.1, times, counts)
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-6)
    assert errors[-1] < 1e-6
