"""Grids between traced ends, windows with a traced parameter, and values made finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Primitive, is_traced, operand
from ..outputs import put_into
from ..verbs import composite, dispatched, elementwise
from ..views import copied
from .shapes import astype, scalar


def _result(x: Any, dtype: Any) -> Any:
    return x if dtype is None else astype(x, dtype)


@dispatched(np.linspace)
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: str | None = None,
) -> Any:  # fmt: skip
    start, stop = operand(start), operand(stop)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    div = num - 1 if endpoint else num
    inner = np.result_type(start, stop, float(num))
    start, stop = astype(start, inner), astype(stop, inner)
    ndim = max(np.ndim(start), np.ndim(stop))
    steps = np.reshape(np.arange(num, dtype=inner), (-1,) + (1,) * ndim)
    step = (stop - start) / div if div > 0 else np.nan
    points = start + steps * (step if div > 0 else stop - start)
    if endpoint and num > 1:  # the last value is the end itself
        last = np.broadcast_to(stop, points.shape[1:])
        points = np.concatenate([points[:-1], last[None]])
    if dtype is not None and np.dtype(dtype).kind in "iu":
        points = np.floor(points)
    points = _result(np.moveaxis(points, 0, axis) if axis != 0 else points, dtype)
    return (points, step) if retstep else points


@dispatched(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    start, stop, base = map(operand, (start, stop, base))
    if np.ndim(base):
        start, stop = (np.broadcast_to(x, np.broadcast_shapes(np.shape(x), np.shape(base)))
                       for x in (start, stop))  # fmt: skip
        base = np.expand_dims(base, axis)
    exponents = np.linspace(start, stop, num, endpoint, axis=axis)
    return _result(np.power(base, exponents), dtype)


@dispatched(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    start, stop = map(operand, (start, stop))
    inner = np.result_type(start, stop, float(num), np.zeros((), dtype))
    start, stop = astype(start, inner), astype(stop, inner)
    zero = np.any(start == 0) | np.any(stop == 0)
    if not is_traced(zero) and zero:
        raise ValueError("Geometric sequence cannot include zero")
    sign = np.sign(start)
    low, high = np.broadcast_to(start / sign, np.shape(start * stop)), stop / sign
    logs = np.linspace(np.log(low), np.log(high), num, endpoint, axis=0)
    points = np.exp(logs)
    shape = points.shape[1:]
    if num > 0:
        points = np.concatenate([np.broadcast_to(low, shape)[None], points[1:]])
    if num > 1 and endpoint:
        points = np.concatenate([points[:-1], np.broadcast_to(high, shape)[None]])
    points = points * sign
    return _result(np.moveaxis(points, 0, axis), inner if dtype is None else dtype)


# I₁, the derivative of I₀: Abramowitz & Stegun, 9.6.27 and 9.6.28.


def _i0_derivative(x: Any, order: int) -> Any:
    """(1/π) ∫ cosᵏθ·exp(x·cos θ) dθ over [0, π]: of a periodic function a sum over even steps is
    exact beyond some number of them, and with the terms of ±cos θ together none cancel."""
    x64 = np.asarray(x, float)
    furthest = np.max(np.abs(x64), initial=0.0, where=np.isfinite(x64))
    count = 8 + int(3.0 * math.sqrt(min(furthest, 800.0)))
    half = np.sinh if order % 2 else np.cosh
    total = np.zeros_like(x64)
    for j in range(count):
        c = math.cos((j + 0.5) * (0.5 * math.pi / count))
        total += c**order * half(x64 * c)
    return np.asarray(total / count, x.dtype)[()]


#: The derivative of the modified Bessel function I₀ of any order.
i0_derivative: Primitive = elementwise(
    _i0_derivative, lambda g, x, order: g * i0_derivative(x, order=order + 1)
)
elementwise(np.i0, lambda g, x: g * i0_derivative(x, order=1))


@composite(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    if np.ndim(x) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    powers = np.arange(x.shape[0] if N is None else N)
    return x[:, None] ** (powers if increasing else powers[::-1])


@composite(np.nan_to_num, traced=("nan", "posinf", "neginf"), view=True)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    if not copy:
        new = np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
        put_into(x, new, "np.nan_to_num(z, copy=False)")
        return x
    if x.dtype.kind == "c":
        parts = (np.nan_to_num(part, nan=nan, posinf=posinf, neginf=neginf)
                 for part in (np.real(x), np.imag(x)))  # fmt: skip
        real, imag = parts
        return real + 1j * imag
    if x.dtype.kind != "f":
        return copied(x)
    limits = np.finfo(x.dtype)
    x = np.where(np.isnan(x), nan, x)
    x = np.where(np.isposinf(x), float(limits.max) if posinf is None else posinf, x)
    return scalar(np.where(np.isneginf(x), float(limits.min) if neginf is None else neginf, x))


@composite(np.real_if_close, view=True)
def real_if_close(a: Any, tol: float = 100) -> Any:
    if a.dtype.kind != "c":
        return a
    near = tol * np.finfo(a.dtype).eps if tol > 1 else tol
    return np.real(a) if np.all(np.abs(np.imag(a)) < near) else a
