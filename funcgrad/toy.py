"""Small synthetic data sets, each a function of a key, to watch a model learn in a second.

Every function returns ``(x, y)``: `x` of shape ``(n, features)`` in float64, and `y` of shape
``(n,)``, float64 for the regression and int64 class labels 0 and 1 for the others, half of the
points in each class, in random order. `noise` is the standard deviation of the normal noise that
is added to `y` in the regression and to `x` in the others.

>>> from funcgrad import random, toy
>>> x, y = toy.moons(random.key(0), 100)
>>> x.shape, y.shape, int(y.sum())
((100, 2), (100,), 50)
"""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from funcgrad import random

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def regression(
    key: random.Key,
    n: int,
    weights: Sequence[float] = (2.0, -3.0),
    bias: float = 1.0,
    noise: float = 0.1,
) -> tuple[Floats, Floats]:
    """Points of a noisy plane: ``y = x @ weights + bias + noise``, with standard normal `x`.

    >>> from funcgrad import random
    >>> x, y = regression(random.key(0), 5, weights=[1.0, 2.0, 3.0], bias=-1.0, noise=0.0)
    >>> x.shape, np.allclose(y, x @ [1.0, 2.0, 3.0] - 1.0)
    ((5, 3), True)
    """
    n = _count(n)
    x_key, noise_key = random.split(key)
    x = random.normal(x_key, (n, len(weights)))
    return x, x @ np.asarray(weights, np.float64) + bias + noise * random.normal(noise_key, n)


def xor(key: random.Key, n: int, noise: float = 0.15) -> tuple[Floats, Labels]:
    """Noisy corners of the unit square: class 1 where exactly one of the coordinates is 1.

    >>> from funcgrad import random
    >>> x, y = xor(random.key(0), 40, noise=0.0)
    >>> bool(np.all((x[:, 0] != x[:, 1]) == y))
    True
    """
    label_key, first_key, noise_key = random.split(key, 3)
    y = _labels(label_key, n)
    first = random.randint(first_key, len(y), 0, 2)
    return _noisy(np.stack([first, first ^ y], axis=1), noise, noise_key), y


def moons(key: random.Key, n: int, noise: float = 0.1) -> tuple[Floats, Labels]:
    """Two half circles of radius 1 that reach into each other.

    Class 0 is the upper half of the circle around (0, 0), class 1 the lower half of the one around
    (1, 1/2).

    >>> from funcgrad import random
    >>> x, y = moons(random.key(0), 40, noise=0.0)
    >>> centres = np.array([[0.0, 0.0], [1.0, 0.5]])
    >>> np.allclose(np.linalg.norm(x - centres[y], axis=1), 1.0)
    True
    """
    label_key, angle_key, noise_key = random.split(key, 3)
    y = _labels(label_key, n)
    angle = random.uniform(angle_key, len(y), maxval=math.pi)
    side = 1 - 2 * y
    x = np.stack([y + side * np.cos(angle), 0.5 * y + side * np.sin(angle)], axis=1)
    return _noisy(x, noise, noise_key), y


def spirals(
    key: random.Key, n: int, turns: float = 1.0, noise: float = 0.02
) -> tuple[Floats, Labels]:
    """Two arms of an Archimedean spiral in the unit circle, one the other's image in the origin.

    The points are spread evenly along the radius.

    >>> from funcgrad import random
    >>> x, y = spirals(random.key(0), 40, noise=0.0)
    >>> radius, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
    >>> np.allclose(np.cos(angle), np.cos(2 * np.pi * radius + np.pi * y))
    True
    """
    label_key, radius_key, noise_key = random.split(key, 3)
    y = _labels(label_key, n)
    radius = random.uniform(radius_key, len(y))
    angle = 2.0 * math.pi * turns * radius + math.pi * y
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return _noisy(x, noise, noise_key), y


def _labels(key: random.Key, n: int) -> Labels:
    return random.permutation(key, _count(n)) % 2


def _noisy(x: NDArray[Any], noise: float, key: random.Key) -> Floats:
    return x + noise * random.normal(key, x.shape)


def _count(n: Any) -> int:
    try:
        count = operator.index(n)
    except TypeError:
        raise TypeError(f"n must be an integer, got {type(n).__name__} {n!r}") from None
    if count < 1:
        raise ValueError(f"n must be at least 1, got {count}")
    return count
