"""Ten programs of the kind people bring, differentiated as they stand.

Differences of the fourth order with the step h err by about h⁴ in the truncation and eps / h in the
rounding. At h = eps^(1/5) both are eps^(4/5), 3e-13 of the size of what is differenced.
"""

import numpy as np
import pytest
from real_programs import PROGRAMS

from funcgrad import grad, hvp, jacfwd, jvp, tree, vhp, vmap

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
