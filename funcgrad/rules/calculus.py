"""Differences, integrals, interpolation and convolution of sampled functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..batching import each
from ..core import Primitive, is_traced, operand
from ..verbs import bilinear, composite, dispatched
from ..views import apart
from .indexing import along, getitem
from .order import in_order
from .shapes import array_of, astype, scalar

_LATER, _EARLIER = slice(1, None), slice(None, -1)


@composite(np.diff, traced=("prepend", "append"), view=True)  # of itself, for n = 0
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    if n == 0:
        return a
    axis = normalize_axis_index(axis, a.ndim)
    edge = tuple(1 if i == axis else size for i, size in enumerate(a.shape))
    ends = [
        np.broadcast_to(x, edge) if x is not None and np.ndim(x) == 0 else x
        for x in (prepend, append)
    ]
    parts = [x for x in (ends[0], a, ends[1]) if x is not None]
    a = np.concatenate(parts, axis=axis) if len(parts) > 1 else a
    for _ in range(n):
        a = a[along(axis, a.ndim, _LATER)] - a[along(axis, a.ndim, _EARLIER)]
    return a


@composite(np.ediff1d, traced=("to_end", "to_begin"))
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    ary = np.ravel(ary)
    parts = [to_begin, np.diff(ary), to_end]
    return np.concatenate([astype(np.ravel(x), ary.dtype) for x in parts if x is not None])


@composite(np.trapezoid, traced=("x", "dx"))
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    axis = normalize_axis_index(axis, np.ndim(y))
    later, earlier = (along(axis, np.ndim(y), part) for part in (_LATER, _EARLIER))
    width = dx
    if x is not None and np.ndim(x) == 1:
        width = np.diff(x)
        width = np.reshape(width, [-1 if i == axis else 1 for i in range(np.ndim(y))])
    elif x is not None:
        width = np.diff(x, axis=axis)
    return np.sum(width * (y[later] + y[earlier]) / 2.0, axis=axis)


@dispatched(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = operand(f)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    if len(varargs) not in (0, 1, len(axes)) or (len(varargs) == 1 and np.ndim(varargs[0])
                                                 and len(axes) > 1):  # fmt: skip
        raise TypeError("invalid number of arguments")
    spacings = [operand(h) for h in (varargs or (1.0,))]
    spacings = spacings if len(spacings) == len(axes) else spacings * len(axes)
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    slopes = [in_order(_slope(f, h, i, edge_order), f) for h, i in zip(spacings, axes)]
    slopes = apart(slopes)
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _slope(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    """Second-order central differences inside, one-sided ones at the edges."""
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) "
            "elements are required."
        )
    if np.ndim(h) == 1 and np.shape(h)[0] != n:
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    f = np.moveaxis(f, axis, -1)
    if np.ndim(h) == 1:
        h = np.diff(h)
        before, after = h[:-1], h[1:]
        left = -after / (before * (before + after))
        middle = (after - before) / (before * after)
        right = before / (after * (before + after))
        inside = left * f[..., :-2] + middle * f[..., 1:-1] + right * f[..., 2:]
        first, last = (h[0], h[min(1, n - 2)]), (-h[-1], -h[max(n - 3, 0)])
    else:
        inside = (f[..., 2:] - f[..., :-2]) / (2.0 * h)
        first, last = (h, h), (-h, -h)
    ends = []
    for (d1, d2), values in ((first, f), (last, f[..., ::-1])):
        if edge_order == 1:
            ends.append((values[..., 1:2] - values[..., :1]) / d1)
            continue
        ends.append(
            -(2.0 * d1 + d2) / (d1 * (d1 + d2)) * values[..., :1]
            + (d1 + d2) / (d1 * d2) * values[..., 1:2]
            - d1 / (d2 * (d1 + d2)) * values[..., 2:3]
        )
    slope = np.concatenate([ends[0], inside, ends[1]], axis=-1)
    slope = astype(slope, f.dtype) if f.dtype.kind in "fc" else slope
    return np.moveaxis(slope, -1, axis)


@composite(np.interp, operands=3, traced=("left", "right", "period"))
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    x, xp = (astype(array_of(points), float, casting="safe") for points in (x, xp))
    fp = astype(array_of(fp), np.result_type(fp, float))
    if np.ndim(xp) != 1 or np.ndim(fp) != 1:
        raise ValueError("Data points must be 1-D sequences")
    if xp.shape != fp.shape:
        raise ValueError("fp and xp are not of the same length.")
    if period is not None:
        if not is_traced(period) and period == 0:
            raise ValueError("period must be a non-zero value")
        x, xp, left, right = x % abs(period), xp % abs(period), None, None
        order = np.argsort(xp)
        xp, fp = getitem(xp, order), getitem(fp, order)
        xp = np.concatenate([xp[-1:] - abs(period), xp, xp[:1] + abs(period)])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    if not xp.shape[0]:
        raise ValueError("array of sample points is empty")
    last = xp.shape[0] - 1
    i = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(last - 1, 0))
    x0, y0 = getitem(xp, i), getitem(fp, i)
    ans = y0
    if last:
        width = getitem(xp, i + 1) - x0
        ans = np.where(
            width == 0,
            getitem(fp, i + 1),
            (getitem(fp, i + 1) - y0) / np.where(width == 0, 1.0, width) * (x - x0) + y0,
        )
    ans = np.where(x < xp[0], fp[0] if left is None else left, ans)
    ans = np.where(x > xp[-1], fp[-1] if right is None else right, ans)
    return scalar(np.where(np.isnan(x), x, ans))


@composite(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, period: float = 2 * math.pi) -> Any:
    axis = normalize_axis_index(axis, p.ndim)
    step = np.diff(p, axis=axis)
    discont = period / 2 if discont is None else discont
    wrapped = np.mod(step + period / 2, period) - period / 2
    wrapped = np.where((wrapped == -period / 2) & (step > 0), period / 2, wrapped)
    # What is added is a whole number of periods, and constant.
    turns = np.rint(np.where(np.abs(step) < discont, 0.0, wrapped - step) / period) * period
    edge = np.zeros([1 if i == axis else n for i, n in enumerate(p.shape)], turns.dtype)
    return in_order(p + np.cumsum(np.concatenate([edge, turns], axis=axis), axis=axis), p)


# Convolution: every mode is a part of the full one.


def _full_convolution(x: Any, y: Any) -> Any:
    return np.convolve(x, y)


#: ``np.convolve`` in full. Its transpose is a convolution with the other operand reversed.
full_convolution: Primitive = bilinear(
    _full_convolution,
    lambda g, y, x_like: full_convolution(g, y[::-1])[y.shape[0] - 1 :][: x_like.shape[0]],
    lambda g, x, y_like: full_convolution(g, x[::-1])[x.shape[0] - 1 :][: y_like.shape[0]],
    batch=each,
)


@composite(np.convolve, operands=2)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    a, v = (np.reshape(x, (1,)) if np.ndim(x) == 0 else x for x in (a, v))
    if np.ndim(a) != 1 or np.ndim(v) != 1:
        raise ValueError("object too deep for desired array")
    n, m = max(a.shape[0], v.shape[0]), min(a.shape[0], v.shape[0])
    if not m:
        raise ValueError("a cannot be empty" if not a.shape[0] else "v cannot be empty")
    start, size = {"full": (0, n + m - 1), "same": ((m - 1) // 2, n), "valid": (m - 1, n - m + 1)}[
        _mode(mode)
    ]
    return full_convolution(a, v)[start : start + size]


def _mode(mode: Any) -> str:
    modes = ("valid", "same", "full")
    mode = modes[mode] if mode in range(3) else mode
    if mode not in modes:
        raise ValueError(f"mode {mode!r} must be one of 'valid', 'same', or 'full'")
    return mode


@composite(np.correlate, operands=2)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    if _mode(mode) == "same" and np.shape(a)[0] < np.shape(v)[0]:
        # The middle of an even number of values is then the other of two.
        return in_order(np.conj(np.correlate(v, a, mode))[::-1], "C")
    return np.convolve(a, np.conj(v)[::-1], mode)


@composite(np.kron, operands=2)
def kron(a: Any, b: Any) -> Any:
    ndim = max(np.ndim(a), np.ndim(b))
    left, right = ((1,) * (ndim - np.ndim(x)) + np.shape(x) for x in (a, b))
    rows = np.reshape(a, [n for size in left for n in (size, 1)])
    columns = np.reshape(b, [n for size in right for n in (1, size)])
    return np.reshape(rows * columns, [n * m for n, m in zip(left, right)])
