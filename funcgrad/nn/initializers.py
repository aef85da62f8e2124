"""Initialisers: functions of (key, shape, dtype) that give the first value of a parameter.

A weight has shape ``(in_dim, out_dim)``, or any axes before those two; what feeds one output, the
fan-in, is the product of all axes but the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import random

Shape = Sequence[int]
Initializer = Callable[[random.Key, Shape, DTypeLike], Any]


def zeros(key: random.Key, shape: Shape, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Zeros; the key is not used.

    >>> zeros(random.key(0), (2,)).tolist()
    [0.0, 0.0]
    """
    return np.zeros(shape, dtype)


def normal(
    key: random.Key, shape: Shape, dtype: DTypeLike = np.float32, stddev: float = 0.01
) -> NDArray[Any]:
    """Normal numbers of mean 0 and standard deviation ``stddev``.

    >>> round(float(normal(random.key(0), (100, 100)).std()), 3)
    0.01
    """
    return random.normal(key, shape, dtype) * stddev


def he(key: random.Key, shape: Shape, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Normal numbers of variance 2 / fan-in, which keeps the scale of activations through relu.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015, equation 10.

    >>> round(float(he(random.key(0), (200, 100)).std()), 2)
    0.1
    """
    fan_in, _ = _fans("he", shape)
    return normal(key, shape, dtype, math.sqrt(2.0 / fan_in))


def glorot(key: random.Key, shape: Shape, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Uniform numbers within ±√(6 / (fan-in + fan-out)), which suits tanh and sigmoid.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, equation 16.

    >>> round(float(abs(glorot(random.key(0), (300, 300))).max()), 2)
    0.1
    """
    bound = math.sqrt(6.0 / sum(_fans("glorot", shape)))
    return random.uniform(key, shape, dtype, -bound, bound)


def _fans(name: str, shape: Shape) -> tuple[int, int]:
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            f"{name} scales by the number of inputs of a weight and takes a shape (in_dim, "
            f"out_dim), got {tuple(shape)}. Start a bias with zeros."
        )
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]
