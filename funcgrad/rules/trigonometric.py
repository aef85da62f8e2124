"""Trigonometric and hyperbolic functions, and their inverses.

Formulas are those of Abramowitz & Stegun, chapter 4, in forms that neither overflow nor cancel. On
a branch cut of a complex function the sign of a zero tells the side. The sum of −0.0 and 0.0 is
0.0, and so z + 1 is written z − (−1), and 1 − z as −(z − 1).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Primitive
from ..verbs import elementwise
from .elementwise import in_double


def _root(x: Any) -> Any:
    if np.iscomplexobj(x):
        return np.sqrt(-(x - 1.0)) * np.sqrt(x - -1.0)
    return np.sqrt((1.0 - x) * (1.0 + x))


#: √(1 − x²), whose derivative would cancel near 0 if its two factors were differentiated.
root: Primitive = elementwise(_root, lambda g, ans, x: -g * (x / ans))


def _over_gap(x: Any) -> Any:
    return np.divide(1.0, 1.0 - x) / (1.0 + x)


#: 1 / (1 − x²), of which the same is true.
over_gap: Primitive = elementwise(_over_gap, lambda g, ans, x: g * (2.0 * x * ans) * ans)


def _root_of_sum(x: Any) -> Any:
    """√(1 + x²), as √(x − i)·√(x + i) on the right, where that is the same."""
    if x.dtype.kind == "c":
        right = np.where(np.signbit(np.real(x)), -x, x)
        return np.sqrt(right - 1j) * np.sqrt(right + 1j)
    return np.hypot(1.0, x)


def _over_sum(g: Any, x: Any) -> Any:
    """g / (1 + x²), without a square that overflows."""
    if x.dtype.kind == "c":
        return g / (1.0 - 1j * x) / (1.0 + 1j * x)
    length = np.hypot(1.0, x)
    return g / length / length


def _sech_squared(x: Any) -> Any:
    if np.iscomplexobj(x):
        far = np.abs(np.real(x)) > 20.0
        inverse = 1.0 / np.cosh(np.where(far, 0.0, x))
        decaying = np.where(np.real(x) > 0, -x, x)
        return np.where(far, 4.0 * np.exp(2.0 * decaying), inverse * inverse)[()]
    e = np.exp(-2.0 * np.abs(x))
    total = 1.0 + e
    return 4.0 * e / (total * total)


#: 1 / cosh² x, which 1 − tanh² x gives only where tanh x has not come close to ±1.
sech_squared: Primitive = elementwise(
    _sech_squared, lambda g, ans, x: g * (-2.0 * ans * np.tanh(x))
)


def _sec_squared(x: Any) -> Any:
    if x.dtype.kind == "c":
        return sech_squared(1j * x)
    cosine = np.cos(x)
    return 1.0 / (cosine * cosine)


elementwise(np.sin, lambda g, x: g * np.cos(x))
elementwise(np.cos, lambda g, x: -g * np.sin(x))
elementwise(np.tan, lambda g, x: g * _sec_squared(x))
elementwise(np.arcsin, lambda g, x: g / root(x))
elementwise(np.arccos, lambda g, x: -g / root(x))
elementwise(np.arctan, _over_sum)
elementwise(np.sinh, lambda g, x: g * np.cosh(x))
elementwise(np.cosh, lambda g, x: g * np.sinh(x))
elementwise(np.tanh, lambda g, x: g * sech_squared(x))
elementwise(np.arcsinh, lambda g, x: g / _root_of_sum(x))
elementwise(np.arccosh, lambda g, x: g / (np.sqrt(x - 1.0) * np.sqrt(x - -1.0)))
elementwise(np.arctanh, lambda g, x: g * over_gap(x))


@in_double
def _over_square(x: Any, y: Any) -> Any:
    length = np.hypot(x, y)
    return x / length / length


#: x / (x² + y²).
over_square: Primitive = elementwise(
    _over_square,
    lambda g, ans, x, y: g * ((over_square(y, x) - ans) * (over_square(y, x) + ans)),
    lambda g, ans, x, y: g * (-2.0 * ans * over_square(y, x)),
)
elementwise(
    np.arctan2,
    lambda g, x, y: g * over_square(y, x),
    lambda g, x, y: -g * over_square(x, y),
)
elementwise(np.deg2rad, lambda g: g * (math.pi / 180.0))
elementwise(np.radians, lambda g: g * (math.pi / 180.0))
elementwise(np.rad2deg, lambda g: g * (180.0 / math.pi))
elementwise(np.degrees, lambda g: g * (180.0 / math.pi))


@in_double
def _sinc_derivative(x: Any, order: int) -> Any:
    y = math.pi * x
    small = np.abs(y) < max(1, order)
    series, square = np.zeros_like(y), np.where(small, y * y, 0.0)
    for n in range(12 + 2 * order, (order + 1) // 2 - 1, -1):
        series = series * square + (-1.0) ** n / ((2 * n + 1) * math.factorial(2 * n - order))
    series = series * np.where(small, y, 0.0) if order % 2 else series
    far = np.where(small, 1.0, y)
    ans = np.sin(far) / far
    for k in range(1, order + 1):
        ans = (np.sin(far + k * (math.pi / 2)) - k * ans) / far
    return math.pi**order * np.where(small, series, ans)[()]


#: The derivative of np.sinc of any order. With y = πx, that of sin(y)/y has a power series near 0,
#: and beyond it follows from the recurrence y·S⁽ᵏ⁾ + k·S⁽ᵏ⁻¹⁾ = sin⁽ᵏ⁾(y).
sinc_derivative: Primitive = elementwise(
    _sinc_derivative, lambda g, x, order: g * sinc_derivative(x, order=order + 1)
)
elementwise(np.sinc, lambda g, x: g * sinc_derivative(x, order=1))
