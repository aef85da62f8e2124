"""Padding: with zeros it is linear, and every mode that repeats elements is an index.

The modes that add multiples of elements (``mean``, ``linear_ramp`` and odd reflections) are
products with the matrix that plain NumPy gives for the rows of the identity.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..verbs import composite, linear
from .indexing import along
from .order import in_order, order_of
from .shapes import astype


def _pad_zeros(x: Any, *, widths: tuple[tuple[int, int], ...]) -> Any:
    return np.pad(x, widths)


def _unpad(g: Any, widths: tuple[tuple[int, int], ...]) -> Any:
    return g[tuple(slice(a, n - b) for (a, b), n in zip(widths, g.shape))]


pad_zeros = linear(
    _pad_zeros,
    _unpad,
    batch=lambda primitive, size, operands, mine, keywords: primitive(
        *operands, widths=((0, 0), *keywords["widths"])
    ),
)

_STATISTICS: dict[str, Any] = {
    "maximum": np.max,
    "minimum": np.min,
    "mean": np.mean,
    "median": np.median,
}


@composite(np.pad, operands=2, traced=("constant_values", "end_values"))
def pad(
    array: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = 0,
    end_values: Any = 0, stat_length: Any = None, reflect_type: str = "even",
) -> Any:  # fmt: skip
    if not array.ndim:
        return np.broadcast_to(array, ())
    padded = _padded(array, pad_width, mode, constant_values, end_values, stat_length, reflect_type)
    return in_order(padded, order_of("A", array))


def _padded(
    array: Any, pad_width: Any, mode: Any, constant_values: Any, end_values: Any, stat_length: Any,
    reflect_type: str,
) -> Any:  # fmt: skip
    ndim = array.ndim
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(i, pad_width.get(i - ndim, 0)) for i in range(ndim)]
        pad_width = [(w, w) if np.ndim(w) == 0 else w for w in pad_width]
    widths = np.broadcast_to(np.asarray(pad_width), (ndim, 2)).tolist()
    if np.any(np.asarray(widths) < 0):
        raise ValueError("index can't contain negative values")
    plain_zero = type(constant_values) is int and constant_values == 0
    if mode == "empty" or (mode == "constant" and plain_zero):
        return pad_zeros(array, widths=tuple(map(tuple, widths)))
    if 0 in array.shape and mode != "constant":
        np.pad(np.empty(array.shape), widths, mode=mode)  # which raises where there is no edge
    ends = np.broadcast_to(constant_values if mode == "constant" else end_values, (ndim, 2))
    lengths = np.broadcast_to(np.asarray(stat_length), (ndim, 2))
    for axis, width in enumerate(widths):
        before, after = ends[axis, 0], ends[axis, 1]
        if mode == "constant":
            array = _between(array, axis, width, before, after)
        elif mode in _STATISTICS:
            values = _STATISTICS[mode]
            n = array.shape[axis]
            first, last = (n if k is None else min(int(k), n) for k in lengths[axis])
            parts = slice(0, first), slice(n - last, n)
            before, after = (
                values(array[along(axis, ndim, part)], axis=axis, keepdims=True) for part in parts
            )
            if array.dtype.kind in "iu":
                before, after = np.rint(before), np.rint(after)
            array = _between(array, axis, width, before, after)
        elif mode == "linear_ramp":
            array = _ramped(array, axis, width, before, after)
        elif mode in ("reflect", "symmetric") and reflect_type == "odd":
            array = _reflected(array, axis, width, mode)
        elif mode in ("edge", "reflect", "symmetric", "wrap"):
            places = np.pad(np.arange(array.shape[axis]), width, mode=mode)
            array = np.take(array, places, axis=axis)
        else:
            raise UnsupportedError(f"np.pad: mode {mode!r} has no derivative rule.")
    return array


def _between(array: Any, axis: int, width: Any, before: Any, after: Any) -> Any:
    """``array`` between so many times ``before`` and ``after``."""
    parts = [array]
    for place, (count, fill) in enumerate(zip(width, (before, after))):
        shape = tuple(count if i == axis else n for i, n in enumerate(array.shape))
        part = np.broadcast_to(astype(fill, array.dtype), shape)
        parts.insert(place * len(parts), part)
    return np.concatenate(parts, axis=axis)


def _edges(array: Any, axis: int) -> tuple[Any, Any]:
    n, ndim = array.shape[axis], array.ndim
    first, last = slice(0, 1), slice(n - 1, n)
    return array[along(axis, ndim, first)], array[along(axis, ndim, last)]


def _ramped(array: Any, axis: int, width: Any, before: Any, after: Any) -> Any:
    """``array`` between numbers that lead in equal steps from the end values to its edges."""
    ramps = [
        np.linspace(end, np.squeeze(edge, axis), count, False, dtype=array.dtype, axis=axis)
        for end, edge, count in zip((before, after), _edges(array, axis), width)
    ]
    return np.concatenate([ramps[0], array, np.flip(ramps[1], axis)], axis=axis)


def _reflected(array: Any, axis: int, width: Any, mode: Any) -> Any:
    """``array`` turned about its edges as often as it takes: x₋ᵢ = 2·x₀ − xᵢ."""
    n = array.shape[axis]
    places = np.pad(np.arange(n), width, mode=mode)
    turns = np.arange(-width[0], n + width[1]) // (n if mode == "symmetric" else max(n - 1, 1))
    turns[width[0] : width[0] + n] = 0
    if n == 1:
        turns[:] = 0  # as NumPy has it
    odd = turns % 2
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]

    def times(count: Any, x: Any) -> Any:
        count = np.reshape(count, shape).astype(array.dtype)
        return np.where(count == 0, 0, count * x)

    first, last = _edges(array, axis)
    inside = times(1 - 2 * odd, np.take(array, places, axis=axis))
    return astype(inside + times(odd - turns, first) + times(odd + turns, last), array.dtype)
