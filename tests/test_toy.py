"""Toy data sets: functions of their key, with the geometry that they promise."""

import math

import numpy as np
import pytest

from funcgrad import random, toy

KEY = random.key(2024)
CLASSES = [toy.xor, toy.moons, toy.spirals]
ALL = [toy.regression, *CLASSES]


@pytest.mark.parametrize("make", ALL)
def test_the_key_decides_everything(make):
    (x, y), (again_x, again_y) = make(KEY, 50), make(KEY, 50)
    np.testing.assert_array_equal(x, again_x)
    np.testing.assert_array_equal(y, again_y)
    assert not np.array_equal(x, make(random.key(2025), 50)[0])


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("n", [1, 7, 100])
def test_shapes_and_dtypes(make, n):
    x, y = make(KEY, n)
    assert (x.shape, x.dtype) == ((n, 2), np.float64)
    assert (y.shape, y.dtype) == ((n,), np.float64 if make is toy.regression else np.int64)


@pytest.mark.parametrize("make", CLASSES)
@pytest.mark.parametrize("n", [100, 101])
def test_classes_are_balanced_and_mixed(make, n):
    y = make(KEY, n)[1]
    assert np.bincount(y).tolist() == [n - n // 2, n // 2]
    assert 0 < y[: n // 2].sum() < n // 2


@pytest.mark.parametrize("make", ALL)
def test_noise_is_what_was_asked_for(make):
    n, noise = 20_000, 0.3
    (x, y), (clean_x, clean_y) = make(KEY, n, noise=noise), make(KEY, n, noise=0.0)
    moved = y - clean_y if make is toy.regression else x - clean_x
    # The standard error of a standard deviation estimated from n normal numbers is σ/√(2n).
    assert abs(moved.std() - noise) < 5 * noise / math.sqrt(2 * n)


def test_regression_is_a_plane():
    x, y = toy.regression(KEY, 200, weights=[1.0, -2.0, 0.5], bias=4.0, noise=0.0)
    design = np.concatenate([x, np.ones((200, 1))], axis=1)
    np.testing.assert_allclose(np.linalg.lstsq(design, y)[0], [1.0, -2.0, 0.5, 4.0], rtol=1e-12)


def test_xor_has_every_corner():
    x, y = toy.xor(KEY, 200, noise=0.0)
    corners = set(map(tuple, np.column_stack([x, y]).astype(int).tolist()))
    assert corners == {(0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)}


def test_moons_are_an_upper_and_a_lower_half():
    x, y = toy.moons(KEY, 200, noise=0.0)
    assert (x[y == 0, 1] >= 0.0).all()
    assert (x[y == 1, 1] <= 0.5).all()


@pytest.mark.parametrize("turns", [0.5, 2.0])
def test_spirals_make_the_turns_asked_for(turns):
    x, y = toy.spirals(KEY, 400, turns, noise=0.0)
    arm = x[y == 0]
    radius = np.linalg.norm(arm, axis=1)
    arm, radius = arm[np.argsort(radius)], np.sort(radius)
    angle = np.unwrap(np.arctan2(arm[:, 1], arm[:, 0]))
    slope = (angle[-1] - angle[0]) / (radius[-1] - radius[0])
    assert slope == pytest.approx(2 * math.pi * turns, rel=1e-9)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (0, ValueError, "n must be at least 1, got 0"),
        (-3, ValueError, "n must be at least 1, got -3"),
        (10.0, TypeError, "n must be an integer, got float 10.0"),
    ],
)
def test_a_bad_size_is_named(make, n, error, message):
    with pytest.raises(error, match=message):
        make(KEY, n)
