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

_STATISTICS: dict[str, Any] = {"maximum": np.max, "minimum": np.min, "median": np.median}


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
            array = _between(array, axis, width, before, after)
        elif mode in ("mean", "linear_ramp") or reflect_type == "odd":
            array = _combined(array, axis, width, mode, lengths[axis], reflect_type)
            if mode == "linear_ramp":
                array = array + _ramps(array, axis, width, before, after)
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


def _combined(array: Any, axis: int, width: Any, mode: Any, length: Any, reflect_type: str) -> Any:
    """``array`` padded along one axis by what is linear in its elements."""
    options: dict[str, Any] = {}
    if mode == "mean":
        options["stat_length"] = [tuple(length), (None, None)] if length[0] is not None else None
    elif mode != "linear_ramp":
        options["reflect_type"] = reflect_type
    identity = np.eye(array.shape[axis])
    if options.get("stat_length") is not None:
        options["stat_length"] = [tuple(length), (1, 1)]
    matrix = np.pad(identity, [tuple(width), (0, 0)], mode=mode, **options)
    matrix = matrix.astype(array.dtype if array.dtype.kind in "fc" else float)
    return np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)


def _ramps(padded: Any, axis: int, width: Any, before: Any, after: Any) -> Any:
    """What the end values add to a padded array."""
    inside = np.zeros(padded.shape[axis] - sum(width))
    shape = [-1 if i == axis else 1 for i in range(padded.ndim)]
    left, right = (
        np.reshape(np.pad(inside, width, mode="linear_ramp", end_values=ends), shape)
        for ends in ((1.0, 0.0), (0.0, 1.0))
    )
    return astype(left * before + right * after, padded.dtype)
