"""``reduce``, ``accumulate``, ``reduceat`` and ``outer`` of NumPy's ufuncs of two operands.

Where NumPy has a function for it, that function is what runs (``np.add.reduce`` is ``np.sum`` with
another default axis). Any other ufunc is applied again and again: where it is associative to halves
of many elements, so that there are few steps, and from left to right otherwise. In which dtype, and
what is refused, NumPy says itself of short arrays of ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..core import FUNCTIONS, Tracer, call, operand
from .indexing import along
from .order import asked, small
from .reductions import rows_of
from .shapes import astype, scalar, strong

_REDUCE: dict[Any, Any] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
_ACCUMULATE: dict[Any, Any] = {np.add: np.cumsum, np.multiply: np.cumprod}
#: Associative ufuncs, with what changes nothing.
_ASSOCIATIVE: dict[Any, Any] = {
    np.logaddexp: -np.inf,
    np.logaddexp2: -np.inf,
    np.hypot: 0.0,
    np.maximum: None,
    np.minimum: None,
    np.fmax: None,
    np.fmin: None,
    np.logical_and: True,
    np.logical_or: False,
    np.logical_xor: False,
}


def _typed(method: Callable[..., Any], x: Any, *args: Any, **keywords: Any) -> Any:
    """``x`` as an array of the dtype that ``method`` computes in. Raises what NumPy raises."""
    x = strong(operand(x))
    with np.errstate(all="ignore"):
        ans = method(small(x), *args, **{key: small(k) for key, k in keywords.items()})
    return x if x.dtype == ans.dtype else astype(x, ans.dtype)


def _spelled_as(method: Callable[..., Any], function: Any) -> Callable[..., Any]:
    keeps_dtype = function not in (np.all, np.any)

    def apply(array: Any, axis: Any = 0, dtype: Any = None, **keywords: Any) -> Any:
        of_floats = type(array) is Tracer and array.shape and array.dtype.kind == "f"
        if of_floats and keeps_dtype and dtype is None:  # so that NumPy need not be asked
            return call(function, (array,), {"axis": axis, **keywords})
        without_mask = {key: x for key, x in keywords.items() if key != "where"}
        array = _typed(method, array, axis=axis, dtype=dtype, **without_mask)
        ans = call(function, (array,), {"axis": axis, **keywords})
        return ans if ans.dtype == array.dtype else astype(ans, array.dtype)

    return apply


def _reduce(ufunc: np.ufunc) -> Callable[..., Any]:
    neutral = _ASSOCIATIVE.get(ufunc)

    def reduce(
        array: Any, axis: Any = 0, dtype: Any = None, keepdims: bool = False,
        initial: Any = np._NoValue, where: Any = True,
    ) -> Any:  # fmt: skip
        where = operand(where)
        array = _typed(
            ufunc.reduce, array, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial,
            where=where,
        )  # fmt: skip
        axis = () if array.ndim == 0 else axis
        rows, axes = rows_of(array, axis)
        initial = None if initial is np._NoValue else initial
        kept = None
        if where is not True:
            kept, _ = rows_of(np.broadcast_to(where, array.shape), axis)
            if neutral is not None:
                rows, kept = np.where(kept, rows, neutral), None
        if initial is None and rows.shape[-1] == 1:
            initial = neutral
        if initial is not None:
            first = np.broadcast_to(operand(initial), (*rows.shape[:-1], 1))
            rows = np.concatenate([astype(first, rows.dtype), rows], axis=-1)
            if kept is not None:
                kept = np.concatenate([np.ones(first.shape, bool), kept], axis=-1)
        halves = ufunc in _ASSOCIATIVE and kept is None
        ans = _halved(ufunc, rows, neutral) if halves else _folded(ufunc, rows, kept)
        if rows.shape[-1] == 1:  # of which the one element is still a view
            ans = np.copy(ans)
        if not keepdims or not array.shape:
            return scalar(ans)
        return np.reshape(ans, [1 if i in axes else n for i, n in enumerate(array.shape)])

    return reduce


def _halved(ufunc: np.ufunc, rows: Any, neutral: Any) -> Any:
    if not rows.shape[-1] and neutral is not None:
        return np.full(rows.shape[:-1], neutral, rows.dtype)
    while rows.shape[-1] > 1:
        half = rows.shape[-1] // 2
        pairs = ufunc(rows[..., :half], rows[..., half : 2 * half])
        rows = np.concatenate([pairs, rows[..., 2 * half :]], axis=-1)
    return rows[..., 0]


def _folded(ufunc: np.ufunc, rows: Any, kept: Any) -> Any:
    if not rows.shape[-1]:
        raise ValueError(
            f"zero-size array to reduction operation {ufunc.__name__} which has no identity"
        )
    ans = rows[..., 0]
    for i in range(1, rows.shape[-1]):
        new = ufunc(ans, rows[..., i])
        ans = new if kept is None else np.where(kept[..., i], new, ans)
    return ans


def _accumulate(ufunc: np.ufunc) -> Callable[..., Any]:
    applied = _doubled if ufunc in _ASSOCIATIVE else _each_after_the_last

    def accumulate(array: Any, axis: int = 0, dtype: Any = None) -> Any:
        array = _typed(ufunc.accumulate, array, axis=axis, dtype=dtype)
        axis = normalize_axis_index(axis, np.ndim(array))
        ans = applied(ufunc, array, axis) if array.shape[axis] > 1 else np.copy(array)
        return asked(ans, ufunc.accumulate, array, axis=axis)

    return accumulate


def _doubled(ufunc: np.ufunc, x: Any, axis: int) -> Any:
    """Of windows of 1, 2, 4 … elements that end at each place: Hillis and Steele, "Data parallel
    algorithms", Communications of the ACM 29, 1986."""

    def part(start: int | None, end: int | None) -> Any:
        return x[along(axis, x.ndim, slice(start, end))]

    width = 1
    while width < x.shape[axis]:
        x = np.concatenate([part(None, width), ufunc(part(None, -width), part(width, None))], axis)
        width *= 2
    return x


def _each_after_the_last(ufunc: np.ufunc, x: Any, axis: int) -> Any:
    parts = [x[along(axis, x.ndim, 0)]]
    for i in range(1, x.shape[axis]):
        parts.append(ufunc(parts[-1], x[along(axis, x.ndim, i)]))
    return np.stack(parts, axis=axis)


def _reduceat(ufunc: np.ufunc) -> Callable[..., Any]:
    reduce = FUNCTIONS[ufunc, "reduce"]

    def reduceat(array: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
        array = strong(operand(array))
        axis = normalize_axis_index(axis, np.ndim(array))
        size = array.shape[axis]
        if np.ndim(indices) != 1:
            raise ValueError(
                f"{ufunc.__name__}.reduceat takes indices of one dimension, and got {indices}"
            )
        starts = np.array([int(i) for i in indices], int)
        if np.any((starts < 0) | (starts >= size)):
            raise IndexError(f"index {max(starts)} out-of-bounds in {ufunc.__name__}.reduceat "
                             f"[0, {size})")  # fmt: skip
        array = _typed(ufunc.reduceat, array, starts[:2] * 0, axis=axis, dtype=dtype)
        if not starts.size:
            return np.take(array, starts, axis)
        lengths = np.maximum(np.diff(starts, append=size), 1)
        groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
        parts = []
        for group in groups:  # those of one length at once
            places = starts[group, None] + np.arange(lengths[group[0]])
            if places.shape[1] == 1:  # of which nothing is computed
                parts.append(np.take(array, starts[group], axis))
            else:
                parts.append(reduce(np.take(array, places, axis), axis=axis + 1, dtype=array.dtype))
        ans = np.take(np.concatenate(parts, axis), np.argsort(np.concatenate(groups)), axis)
        return asked(ans, ufunc.reduceat, array, [0, 0][: len(starts)], axis=axis)

    return reduceat


def _outer(ufunc: np.ufunc) -> Callable[..., Any]:
    def outer(a: Any, b: Any, **keywords: Any) -> Any:
        a, b = strong(operand(a)), strong(operand(b))
        a = np.reshape(a, np.shape(a) + (1,) * np.ndim(b)) if np.ndim(b) else a
        return ufunc(a, b, **keywords)

    return outer


for _ufunc in {f for f in vars(np).values() if isinstance(f, np.ufunc)}:
    if (_ufunc.nin, _ufunc.nout, _ufunc.signature) == (2, 1, None):
        _function = _REDUCE.get(_ufunc)
        FUNCTIONS[_ufunc, "reduce"] = (
            _spelled_as(_ufunc.reduce, _function) if _function else _reduce(_ufunc)
        )
        _function = _ACCUMULATE.get(_ufunc)
        FUNCTIONS[_ufunc, "accumulate"] = (
            _spelled_as(_ufunc.accumulate, _function) if _function else _accumulate(_ufunc)
        )
        FUNCTIONS[_ufunc, "reduceat"] = _reduceat(_ufunc)
        FUNCTIONS[_ufunc, "outer"] = _outer(_ufunc)
