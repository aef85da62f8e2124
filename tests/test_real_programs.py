"""Ten programs of the kind people bring, differentiated as they stand.

Differences of the fourth order with the step h err by about h⁴ in the truncation and eps / h in the
rounding. At h = eps^(1/5) both are eps^(4/5), 3e-13 of the size of what is differenced; a factor of
1000 is for how steep a program is.
"""

import numpy as np
import pytest
from real_programs import (
    PROGRAMS,
    black_scholes,
    gaussian_process,
    heat_equation,
    kalman_filter,
)

from funcgrad import grad, hessian, hvp, jacfwd, jvp, tree, vhp, vmap

H = float(np.finfo(np.float64).eps) ** 0.2
NAMES = list(PROGRAMS)


def flat(params):
    return tree.ravel(params)[0]


def along(name):
    """A program, its parameters and data, and a direction of length 1 in the parameters."""
    f, params, data = PROGRAMS[name]
    x, unravel = tree.ravel(params)
    v = np.random.default_rng(1).normal(size=x.size)
    return f, params, data, unravel(v / np.linalg.norm(v))


def slope(phi):
    """φ'(0) by differences, and what they may err by."""
    near, far = [(phi(h), phi(-h)) for h in (H, 2.0 * H)]
    estimate = (8.0 * (near[0] - near[1]) - (far[0] - far[1])) / (12.0 * H)
    size = np.max(np.abs(np.stack([*near, *far, estimate])))
    return estimate, 1000.0 * H**4 * size


def moved(params, direction, h):
    return tree.map(lambda x, v: x + h * v, params, direction)


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_is_what_differences_say(name):
    f, params, data, v = along(name)
    estimate, error = slope(lambda h: f(moved(params, v, h), data))
    found = flat(grad(f)(params, data)) @ flat(v)
    np.testing.assert_allclose(found, estimate, rtol=0, atol=error)
    assert abs(found) > error  # so that there was something to find


@pytest.mark.parametrize("name", NAMES)
def test_a_product_with_the_hessian_is_what_differences_of_gradients_say(name):
    f, params, data, v = along(name)
    estimate, error = slope(lambda h: flat(grad(f)(moved(params, v, h), data)))
    (found,) = hvp(lambda p: f(p, data), (params,), (v,))
    np.testing.assert_allclose(flat(found), estimate, rtol=0, atol=error)
    assert np.max(np.abs(flat(found))) > error


@pytest.mark.parametrize("name", NAMES)
def test_all_modes_agree(name):
    f, params, data, v = along(name)
    gradient = flat(grad(f)(params, data))
    size = np.linalg.norm(gradient)
    np.testing.assert_allclose(flat(jacfwd(f)(params, data)), gradient, rtol=0, atol=1e-12 * size)
    _, tangent = jvp(lambda p: f(p, data), (params,), (v,))
    np.testing.assert_allclose(tangent, gradient @ flat(v), rtol=0, atol=1e-12 * size)
    (one,), (other,) = (product(lambda p: f(p, data), (params,), (v,)) for product in (hvp, vhp))
    size = np.linalg.norm(flat(one))
    np.testing.assert_allclose(flat(one), flat(other), rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("name", NAMES)
def test_vmap_is_the_loop(name):
    f, params, data, v = along(name)
    several = [moved(params, v, h) for h in (-0.01, 0.0, 0.01)]
    batch = tree.map(lambda *xs: np.stack(xs), *several)
    together = vmap(grad(f), in_axes=(0, None))(batch, data)
    for i, single in enumerate(several):
        expected = flat(grad(f)(single, data))
        found = flat(tree.map(lambda x, i=i: x[i], together))
        size = np.linalg.norm(expected)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32_and_keeps_half_its_digits(name):
    f, params, data, _ = along(name)

    def single(x):
        return np.asarray(x, np.float32)[()] if np.asarray(x).dtype == np.float64 else x

    gradient = grad(f)(tree.map(single, params), tree.map(single, data))
    assert {leaf.dtype for leaf in tree.leaves(gradient)} == {np.dtype(np.float32)}
    expected = flat(grad(f)(params, data))
    size = np.linalg.norm(expected)
    half = float(np.finfo(np.float32).eps) ** 0.5
    np.testing.assert_allclose(flat(gradient), expected, rtol=0, atol=half * size)


def test_the_greeks_are_those_of_the_closed_forms(capsys):
    chain, errors = black_scholes.main(["--quick"])
    assert chain["gamma"].shape == (5,)
    assert max(errors.values()) < 1e-10
    assert "implied volatilities" in capsys.readouterr().out


def test_the_normal_distribution_has_its_known_values():
    x = np.array([-3.0, -1.0, 0.0, 1.959963984540054, 8.0])
    known = [0.0013498980316301, 0.15865525393145707, 0.5, 0.975, 1.0]
    np.testing.assert_allclose(black_scholes.normal_cdf(x), known, rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        grad(black_scholes.normal_cdf)(1.0), black_scholes.normal_pdf(1.0), rtol=1e-14
    )


def test_the_hyperparameters_of_a_process_are_found(capsys):
    found, path = gaussian_process.main(["--quick"])
    assert path[-1][1] < 1e-8
    assert "differ by less than 1e-9: True" in capsys.readouterr().out
    assert np.all(np.abs(np.exp(found) - gaussian_process.TRUTH) < [0.2, 1.0, 0.1])


def test_the_layers_of_a_rod_are_found(capsys):
    found, path = heat_equation.main(["--quick"])
    np.testing.assert_allclose(np.exp(found[1:]), np.exp(heat_equation.TRUTH[1:]), rtol=0.1)
    assert path[-1] < path[0] / 10.0
    assert "layer 3" in capsys.readouterr().out


def test_the_noise_of_a_radar_is_found(capsys):
    found, path = kalman_filter.main(["--quick"])
    np.testing.assert_allclose(np.exp(found), kalman_filter.TRUTH, rtol=0.4)
    assert path[-1][1] < 1e-6
    assert "restlessness" in capsys.readouterr().out


def test_a_filter_adds_up_the_density_of_all_measurements_at_once():
    """They are jointly normal; their covariance is that of a linear function of all noise."""
    k, steps = kalman_filter, 5
    measured = PROGRAMS["kalman_filter"].data["measured"][:steps]

    def at_once(logarithms):
        restlessness, error = np.exp(logarithms)
        covariance, blocks = 10.0 * np.eye(4), {}
        for i in range(steps):
            covariance = k.MOVE @ covariance @ k.MOVE.T + restlessness**2 * k.STIR
            later = covariance
            for j in range(i, steps):
                blocks[i, j] = k.LOOK @ later.T @ k.LOOK.T
                blocks[j, i] = blocks[i, j].T
                later = k.MOVE @ later
        joint = np.block([[blocks[i, j] for j in range(steps)] for i in range(steps)])
        joint = joint + error**2 * np.eye(2 * steps)
        y = measured.ravel()
        logdet = np.linalg.slogdet(2.0 * np.pi * joint)[1]
        return 0.5 * (y @ np.linalg.solve(joint, y) + logdet)

    def in_turn(logarithms):
        return k.negative_log_likelihood(logarithms, measured)

    x = PROGRAMS["kalman_filter"].params
    for function in (lambda f: f, grad, hessian):
        expected = function(at_once)(x)
        size = np.linalg.norm(expected)
        np.testing.assert_allclose(function(in_turn)(x), expected, rtol=0, atol=1e-12 * size)


def test_the_sensitivity_of_a_rank_is_that_of_its_equation():
    """The rank solves r = d J r + (1 − d) / n, and a linear system has the same derivatives."""
    f, params, data = PROGRAMS["pagerank"]

    def solved(params):
        weights = np.where(data["links"], np.exp(params["preferences"]), 0.0)
        damping = 1.0 / (1.0 + np.exp(-params["stay"]))
        jumps, n = weights / weights.sum(axis=0), len(weights)
        rank = np.linalg.solve(np.eye(n) - damping * jumps, np.ones(n) * (1.0 - damping) / n)
        return -np.log(rank[data["asked"]]).mean()

    # An iteration leaves at most the damping of the error of the one before.
    left = 60 * (1.0 / (1.0 + np.exp(-params["stay"]))) ** 59
    found, expected = flat(grad(f)(params, data)), flat(grad(solved)(params))
    np.testing.assert_allclose(found, expected, rtol=0, atol=left * np.linalg.norm(expected))


def test_a_registration_is_the_rotation_that_fits_the_partners_it_ends_with():
    """The rounds before it leave no trace; here the points' partners are those of equal number."""
    f, params, data = PROGRAMS["registration"]

    def closed(params):
        moved, partners = data["moving"], params["fixed"]
        a, b = moved - moved.mean(axis=0), partners - partners.mean(axis=0)
        u, s, vt = np.linalg.svd(a.T @ b)
        misfit = np.sum(a**2) + np.sum(b**2) - 2.0 * np.sum(s)
        return misfit + np.sum((a @ u @ vt + partners.mean(axis=0) - data["goal"]) ** 2)

    assert abs(f(params, data) - closed(params)) < 1e-12
    found, expected = flat(grad(f)(params, data)), flat(grad(closed)(params))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.linalg.norm(expected))


def test_a_blur_by_transforms_is_the_sum_over_shifts():
    f, params, data = PROGRAMS["deblurring"]

    def direct(params):
        image, width = params["image"], np.exp(params["log_width"])
        offsets = data["offsets"]
        lens = np.exp(-0.5 * (offsets[:, None] ** 2 + offsets[None, :] ** 2) / width**2)
        lens = lens / lens.sum()
        places = [(i, j) for i in range(len(lens)) for j in range(len(lens))]
        blurred = sum(lens[at] * np.roll(image, at, axis=(0, 1)) for at in places)
        rough = (np.diff(image, axis=0) ** 2).sum() + (np.diff(image, axis=1) ** 2).sum()
        return ((blurred - data["seen"]) ** 2).sum() + 0.01 * rough

    found, expected = flat(grad(f)(params, data)), flat(grad(direct)(params))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.linalg.norm(expected))


def test_gravity_keeps_the_centre_of_mass_moving_straight():
    """So the derivative of where the centre ends by all velocities is known."""
    _, params, data = PROGRAMS["orbits"]
    f = PROGRAMS["orbits"].f
    masses = np.exp(params["log_masses"])
    # ‖end − s‖² − ‖end‖² is linear in the end: with s = shifts by the masses it names the centre.
    shift = np.outer(masses / masses.sum(), np.array([1.0, 0.0, 0.0]))

    def centre(params):
        zero = np.zeros((3, 3))
        near, far = (f(params, {**data, "seen": seen}) for seen in (zero, shift))
        return 0.5 * (near - far + np.sum(shift**2))

    gradient = grad(centre)(params)
    np.testing.assert_allclose(gradient["velocities"], 2.0 * shift, rtol=0, atol=1e-11)
    np.testing.assert_allclose(gradient["places"], shift, rtol=0, atol=1e-11)
