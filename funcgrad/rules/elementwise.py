"""Elementwise functions: each line says a derivative once, for every mode.

At singular points the convention is the least-norm subgradient, ties split evenly: abs'(0) = 0,
maximum and minimum of equal operands pass half to each, x**0 has derivative 0 everywhere.
Formulas are those of Abramowitz & Stegun, chapter 4, in forms that neither overflow nor cancel.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from ..adapting import written
from ..core import FUNCTIONS, Primitive, call, operand, raw
from ..errors import UnsupportedError
from ..trace import WEAK
from ..verbs import composite, constant, elementwise
from ..views import copied

LN2 = math.log(2.0)
LN10 = math.log(10.0)


def _annihilate(g: Any, d: Any) -> Any:
    return np.where((g == 0) & ~np.isfinite(d), 0.0, d)


#: The cotangent ``d``, but 0 where the incoming ``g`` is exactly 0 and ``d`` is not finite.
annihilate = elementwise(
    _annihilate, None, lambda g, x, y: np.where((x == 0) & ~np.isfinite(y), 0.0, g)
)


def in_double(function: Any) -> Any:
    """``function``, which on numbers of less than double precision would lose too much to rounding
    or to the range of what it computes on the way, in double precision."""

    @functools.wraps(function)
    def impl(*operands: Any, **keywords: Any) -> Any:
        dtype = np.result_type(*operands)
        if dtype.char in "dDgG":
            return function(*operands, **keywords)
        double = np.result_type(dtype, np.float64)
        operands = tuple(np.asarray(x, double) for x in operands)
        return function(*operands, **keywords).astype(dtype)

    return impl


# Arithmetic. The operators' raw forms differ from Python's only in what Python refuses: dividing by
# zero, and powers of Python floats that overflow or are not real.


def _as_numpy(symbol: Any, ufunc: np.ufunc) -> tuple[Any, Any]:
    def impl(x: Any, y: Any) -> Any:
        try:
            return symbol(x, y)
        except ZeroDivisionError:
            ans = ufunc(x, y)
            return complex(ans) if ans.dtype.kind == "c" else float(ans)

    return symbol, impl


def _power(x: Any, y: Any) -> Any:
    if type(x) in WEAK and type(y) in WEAK:
        number = complex if complex in (type(x), type(y)) else float
        return number(np.power(number(x), number(y)))
    return x**y


elementwise(np.add, lambda g: g, lambda g: g, symbol=operator.add)
elementwise(np.subtract, lambda g: g, lambda g: -g, symbol=operator.sub)
elementwise(np.multiply, lambda g, y: g * y, lambda g, x: g * x, symbol=operator.mul)
elementwise(
    np.divide,
    lambda g, y: g / y,
    lambda g, ans, y: -g * (ans / y),
    symbol=_as_numpy(operator.truediv, np.divide),
)
elementwise(np.negative, lambda g: -g, symbol=operator.neg)
elementwise(np.positive, lambda g: g, symbol=operator.pos)
elementwise(np.reciprocal, lambda g, ans: -g * ans * ans)
elementwise(np.square, lambda g, x: g * (2.0 * x))
elementwise(np.sqrt, lambda g, ans: 0.5 * g / ans)
# With ans² in place of the second ans the second derivative at 0 would be 0, and not infinite.
elementwise(np.cbrt, lambda g, ans: g / ans / (3.0 * ans))


def _power_dx(x: Any, y: Any) -> Any:
    if np.ndim(y) == 0:
        if y == 2:
            return 2.0 * x
        if y == 0:
            return np.zeros_like(x * y)
        if np.asarray(y).item() in _EXACT and not np.iscomplexobj(x):
            return y * x ** (y - 1.0)
    return _power_slope(x, y)


#: Small exponents from which 1 may be subtracted without rounding.
_EXACT = frozenset(n / 2 for n in range(-8, 9) if n not in (-1, 0))
#: A number of double precision beyond this is even.
_ALL_EVEN = 2.0**53


@in_double
def _power_slope(x: Any, y: Any) -> Any:
    below = x ** (y - 1.0)
    if np.iscomplexobj(below):  # whose negative powers go through positive ones, which overflow
        below = np.where(np.real(y) < 1.0, x**y / x, below)
    elif np.any(huge := (y > _ALL_EVEN) | (y <= -_ALL_EVEN)):  # y − 1, odd, was rounded to even
        below = np.where(huge & (x < 0), -below, below)
    return np.where((below == 0) | (y == 0) & (x == 0), 0.0, y * below)[()]


def _power_dy(x: Any, y: Any) -> Any:
    return np.where(_is_flat(x, y), 0.0, np.power(x, y) * _log(x, y))


def _is_flat(x: Any, y: Any) -> Any:
    """Whether x is 0 and x**y, a function of y, is 0 around it or is taken to stand still."""
    return (x == 0) & ((np.real(y) > 0) | (y == 0) if np.iscomplexobj(y) else y >= 0)


def _log(x: Any, y: Any) -> Any:
    """The logarithm of x in x**y: a complex one of a negative number where y is complex."""
    return np.log(x + 0j if np.iscomplexobj(y) and not np.iscomplexobj(x) else x)


#: ∂(x**y)/∂x = y·x**(y−1), which is 0 where y = 0 even at x = 0.
power_dx: Primitive = elementwise(
    _power_dx,
    # y·(y−1)·x**(y−2), with the same exception.
    lambda g, x, y: np.where(y * (y - 1.0) == 0, 0.0, g * (y * power_dx(x, y - 1.0))),
    lambda g, x, y: g * (x ** (y - 1.0) + y * power_dy(x, y - 1.0)),
)
#: ∂(x**y)/∂y = x**y·log x, which is 0 at x = 0 where x**y stands still or falls to 0.
power_dy: Primitive = elementwise(
    _power_dy,
    lambda g, x, y: g * (x ** (y - 1.0) + y * power_dy(x, y - 1.0)),
    lambda g, x, y: np.where(_is_flat(x, y), 0.0, g * (power_dy(x, y) * _log(x, y))),
)
elementwise(
    np.power,
    lambda g, x, y: g * power_dx(x, y),
    lambda g, x, y: g * power_dy(x, y),
    symbol=(operator.pow, _power),
)

# x mod y = x − y·⌊x/y⌋; fmod rounds the quotient towards zero.
elementwise(
    np.remainder,
    lambda g: g,
    lambda g, x, y: -g * np.floor_divide(x, y),
    symbol=_as_numpy(operator.mod, np.remainder),
)
# The quotient of what the remainder leaves is whole but for rounding; that of x might round up.
elementwise(np.fmod, lambda g: g, lambda g, ans, x, y: -g * np.rint((x - ans) / y))


constant(np.floor_divide, operands=2, symbol=_as_numpy(operator.floordiv, np.floor_divide))


@composite(np.divmod, operands=2)
def divmod_(x: Any, y: Any) -> Any:
    return np.floor_divide(x, y), np.remainder(x, y)


@composite(np.modf)
def modf(x: Any) -> Any:
    whole = np.trunc(x)
    return np.where(np.isinf(x), 0.0, x - whole)[()], whole


# Multiples of powers of two.


def _exponent(x: Any) -> Any:
    return np.frexp(x)[1]


exponent = constant(_exponent)
elementwise(np.ldexp, lambda g, y: np.ldexp(g, y.astype(int)), None)


@composite(np.frexp)
def frexp(x: Any) -> Any:
    return np.ldexp(x, -exponent(x)), exponent(x)


# Exponentials and logarithms.

elementwise(np.exp, lambda g, ans: g * ans)
elementwise(np.exp2, lambda g, ans: g * (ans * LN2))
elementwise(np.expm1, lambda g, x: g * np.exp(x))
elementwise(np.log, lambda g, x: g / x)
elementwise(np.log2, lambda g, x: g * (1.0 / LN2) / x)
elementwise(np.log10, lambda g, x: g * (1.0 / LN10) / x)
elementwise(np.log1p, lambda g, x: g / (1.0 + x))


@in_double
def _softmax_of_two(x: Any, y: Any, rate: float) -> Any:
    # The difference of two equal infinities is taken as 0, so that they share evenly.
    d = np.where(x == y, 0.0, x - y)
    e = np.exp(-rate * np.abs(d))
    return (np.where(d >= 0, 1.0, e) / (1.0 + e))[()]


#: bˣ / (bˣ + bʸ), the weight of x in a logarithm of the sum, with log b = ``rate``.
softmax_of_two: Primitive = elementwise(
    _softmax_of_two,
    lambda g, x, y, rate: g * _covariance(x, y, rate),
    lambda g, x, y, rate: -g * _covariance(x, y, rate),
)


def _covariance(x: Any, y: Any, rate: float) -> Any:
    return rate * softmax_of_two(x, y, rate=rate) * softmax_of_two(y, x, rate=rate)


elementwise(
    np.logaddexp,
    lambda g, x, y: g * softmax_of_two(x, y, rate=1.0),
    lambda g, x, y: g * softmax_of_two(y, x, rate=1.0),
)
elementwise(
    np.logaddexp2,
    lambda g, x, y: g * softmax_of_two(x, y, rate=LN2),
    lambda g, x, y: g * softmax_of_two(y, x, rate=LN2),
)

# Sign, size and order.


def _unit(x: Any, ans: Any) -> Any:
    return np.where(ans == 0, 0.0, np.divide(x, ans))


#: x / ans where ans is a length that x contributes to; 0 at the origin.
unit = elementwise(
    _unit,
    lambda g, x, y: np.where(y == 0, 0.0, g / y),
    lambda g, ans, y: np.where(y == 0, 0.0, -g * (ans / y)),
)
elementwise(np.hypot, lambda g, ans, x: g * unit(x, ans), lambda g, ans, y: g * unit(y, ans))


def _sign(x: Any) -> Any:
    return np.sign(x)


real_sign = constant(_sign)


@composite(np.sign)
def sign(x: Any) -> Any:
    return unit(x, np.abs(x))[()] if x.dtype.kind == "c" else real_sign(x)


elementwise(np.heaviside, None, lambda g, x: np.where(x == 0, g, 0.0))


def _direction(x: Any, length: Any) -> Any:
    """x / |x|: the sign of a real number; 0 at 0."""
    return unit(x, length) if x.dtype.kind == "c" else np.sign(x)


elementwise(
    np.absolute,
    lambda g, ans, x: g * np.conj(_direction(x, ans)),
    jvp=lambda t, ans, x: np.real(np.conj(_direction(x, ans)) * t),
    symbol=operator.abs,
)
elementwise(np.fabs, lambda g, x: g * np.sign(x))
elementwise(
    np.copysign,
    lambda g, ans, x: np.where(x == 0, 0.0, np.where(np.signbit(x) == np.signbit(ans), g, -g)),
    None,
)
# What is next to x is a constant away from it.
elementwise(np.nextafter, lambda g: g, None)
elementwise(np.conjugate, lambda g: np.conj(g))


@composite(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    ans = np.arctan2(np.imag(z), np.real(z))
    return np.rad2deg(ans) if deg else ans


def _choice(ufunc: Any, wins: Any) -> None:
    """Declare a choice between two operands; at a tie each gets half."""
    elementwise(
        ufunc,
        lambda g, x, y: np.where(x == y, 0.5 * g, np.where(wins(x, y), g, 0.0)),
        lambda g, x, y: np.where(x == y, 0.5 * g, np.where(wins(x, y), 0.0, g)),
    )


_choice(np.maximum, lambda x, y: (x > y) | np.isnan(x))
_choice(np.minimum, lambda x, y: (x < y) | np.isnan(x))
_choice(np.fmax, lambda x, y: (x > y) | np.isnan(y))
_choice(np.fmin, lambda x, y: (x < y) | np.isnan(y))


def _select(mask: Any, x: Any, y: Any) -> Any:
    return np.where(mask, x, y)


select = elementwise(
    _select, None, lambda g, x: np.where(x, g, 0.0), lambda g, x: np.where(x, 0.0, g)
)


def _where(condition: Any, *branches: Any) -> Any:
    if len(branches) == 1:
        raise ValueError("np.where takes both x and y or neither")
    if not branches:
        return call(np.nonzero, (condition,), {})
    return select(*map(operand, (condition, *branches)))


FUNCTIONS[np.where] = _where


def _clip(
    a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, where: Any = True,
    **keywords: Any,
) -> Any:  # fmt: skip
    # NumPy makes an array of a Python number; a copy is all where there are no bounds.
    a = np.reshape(a, ()) if type(raw(a)) in WEAK else copied(a)
    lows, highs = (a_min, keywords.pop("min", None)), (a_max, keywords.pop("max", None))
    for ufunc, bounds in ((np.maximum, lows), (np.minimum, highs)):
        for bound in bounds:
            if bound is not None and bound is not np._NoValue:
                a = ufunc(a, bound, **keywords)
    if where is not True:
        if out is None:
            raise UnsupportedError("np.clip: its keyword 'where' is for calls with out=.")
        a = np.where(where, a, out)
    return written(a, out, np.clip)


FUNCTIONS[np.clip] = _clip


@composite(np.float_power, operands=2)
def float_power(x: Any, y: Any) -> Any:
    dtype = np.result_type(x, y, np.float64)
    return np.power(call(np.astype, (x, dtype), {}), call(np.astype, (y, dtype), {}))
