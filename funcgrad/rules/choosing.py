"""Choosing, inserting and deleting elements, and functions applied along axes."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..adapting import written
from ..core import is_traced, operand
from ..verbs import composite, dispatched
from ..views import copied
from .indexing import along, brought_inside, getitem
from .order import in_order, order_of, view_of
from .shapes import array_of, astype, scalar


@dispatched(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not condlist:
        raise ValueError("select with an empty condition list is not possible")
    choices = [operand(x) for x in (*choicelist, default)]
    dtype = np.result_type(*choices)
    conditions = [operand(c) for c in condlist]
    shape = np.broadcast_shapes(*map(np.shape, (*conditions, *choices[:-1])))
    ans = np.broadcast_to(choices[-1], shape)
    for condition, choice in zip(conditions[::-1], choices[-2::-1]):
        if np.result_type(condition).kind != "b":
            raise TypeError("invalid entry in condlist: should be boolean ndarray")
        ans = np.where(condition, choice, ans)
    return in_order(astype(ans, dtype) if ans.dtype != dtype else ans, "C")


@dispatched(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    x = np.reshape(operand(x), np.shape(x))  # a Python number as an array, which has elements
    if isinstance(condlist, list | tuple) and (np.ndim(condlist[0]) or np.ndim(x) == 0):
        conditions = [operand(c) for c in condlist]
    else:
        conditions = list(operand(condlist)) if np.ndim(condlist) > np.ndim(x) else [condlist]
    if len(funclist) == len(conditions) + 1:
        others = np.logical_not(conditions[0])
        for condition in conditions[1:]:
            others = others & np.logical_not(condition)
        conditions.append(others)
    elif len(funclist) != len(conditions):
        raise ValueError(
            f"with {len(conditions)} condition(s), either {len(conditions)} or "
            f"{len(conditions) + 1} functions are expected"
        )
    ans = np.zeros(np.shape(x), x.dtype)
    for condition, function in zip(conditions, funclist):
        piece = function
        if callable(function):
            # On the elements of its piece alone, where what they are can be known.
            piece = _on_piece(x, condition, function, args, kw)
        ans = np.where(condition, piece, ans)
    return in_order(astype(ans, x.dtype) if ans.dtype != x.dtype else ans, x)


def _on_piece(x: Any, condition: Any, function: Any, args: Any, kw: Any) -> Any:
    """``function`` of the elements of ``x`` that ``condition`` names, at their places."""
    if is_traced(condition):
        return function(x, *args, **kw)
    condition = np.broadcast_to(condition, np.shape(x))
    places = np.cumsum(condition).reshape(condition.shape) - 1
    if not condition.any():
        return 0
    values = function(x[condition], *args, **kw)
    return getitem(values, np.where(condition, places, 0)) if np.ndim(values) else values


@dispatched(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    choices = [operand(x) for x in choices]
    a, count = operand(a), len(choices)
    if np.result_type(a).kind not in "iub":
        raise TypeError(f"np.choose chooses by integers, and got {np.result_type(a)}.")
    a = brought_inside(a, count, mode)
    if not is_traced(a) and np.any((a < 0) | (a >= count)):
        raise ValueError("invalid entry in choice array")
    shape = np.broadcast_shapes(np.shape(a), *map(np.shape, choices))
    dtype, ans = np.result_type(*choices), copied(np.broadcast_to(choices[0], shape))
    ans = ans if ans.dtype == dtype else astype(ans, dtype)
    for k, choice in enumerate(choices[1:], 1):
        ans = np.where(a == k, choice, ans)
    return written(scalar(ans), out, np.choose)


@composite(np.extract, operands=2)
def extract(condition: Any, arr: Any) -> Any:
    return np.ravel(arr)[np.flatnonzero(condition)]


# Insertions and deletions are permutations of places that plain NumPy finds.


@composite(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis_index(axis, arr.ndim)
    rest = getitem(arr, along(axis, arr.ndim, np.delete(np.arange(arr.shape[axis]), obj)))
    is_range = isinstance(obj, slice) or (np.size(obj) == 1 and np.asarray(obj).dtype != bool)
    return in_order(rest, order_of("A", arr)) if is_range else rest


@composite(np.insert, operands=3)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    arr = operand(arr) if np.ndim(arr) else np.reshape(arr, (1,))
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis_index(axis, arr.ndim)
    values = astype(array_of(values), arr.dtype)
    n = arr.shape[axis]
    obj = np.arange(n)[obj] if isinstance(obj, slice) else obj
    of_one = np.ndim(obj) == 0
    obj = np.asarray(obj) if np.size(obj) else np.empty(0, int)
    obj = np.flatnonzero(obj) if obj.dtype == bool and not of_one else obj
    if obj.size == 1:
        # One place takes all values along the axis; those for a number have it first.
        values = np.reshape(values, (1,) * (arr.ndim - np.ndim(values)) + np.shape(values))
        values = np.moveaxis(values, 0, axis) if of_one else values
        obj = np.repeat(obj, values.shape[axis])
    count = obj.size
    shape = tuple(count if i == axis else size for i, size in enumerate(arr.shape))
    joined = np.concatenate([arr, np.broadcast_to(values, shape)], axis=axis)
    places = np.insert(np.arange(n), obj, np.arange(n, n + count))
    return in_order(getitem(joined, along(axis, arr.ndim, places)), order_of("A", arr))


@composite(np.resize, operands=2)
def resize(a: Any, new_shape: Any) -> Any:
    shape = (new_shape,) if np.ndim(new_shape) == 0 else tuple(new_shape)
    if any(n < 0 for n in shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    flat = np.ravel(a)
    if not flat.shape[0]:
        return np.zeros(shape, flat.dtype)
    places = np.resize(np.arange(flat.shape[0]), int(np.prod(shape)))
    return np.reshape(flat[places], shape)


@composite(np.trim_zeros, view=True)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    # The places do not depend on how large the others are.
    nonzero = np.nonzero(filt)
    axes = range(filt.ndim) if axis is None else [axis] if np.ndim(axis) == 0 else axis
    at = [slice(None)] * filt.ndim
    for i in axes:
        found = nonzero[i]
        low, high = (int(found.min()), int(found.max()) + 1) if found.size else (0, 0)
        at[i] = slice(
            low if "f" in trim.lower() or not found.size else 0,
            high if "b" in trim.lower() or not found.size else filt.shape[i],
        )
    return filt[tuple(at)]


# Functions along axes.


@dispatched(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    arr = operand(arr)
    axis = normalize_axis_index(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    shape = rows.shape[:-1]
    if 0 in shape:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    outs = [array_of(func1d(rows[at], *args, **kwargs)) for at in np.ndindex(*shape)]
    ans = np.reshape(np.stack(outs), (*shape, *outs[0].shape))
    return np.moveaxis(ans, range(len(shape), ans.ndim), range(axis, axis + outs[0].ndim))


@dispatched(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    a = operand(a)
    ndim = a.ndim
    for axis in (axes,) if np.ndim(axes) == 0 else axes:
        axis = operator.index(axis)
        axis = axis + ndim if axis < 0 else axis
        ans = func(a, axis)
        if np.ndim(ans) != ndim:
            ans = np.expand_dims(ans, axis)
        if np.ndim(ans) != ndim:
            raise ValueError("function is not returning an array of the correct shape")
        a = ans
    return a


# Nested sequences and grids.


@dispatched(np.block)
def block(arrays: Any) -> Any:
    depth = _depth(arrays)
    ndim = max(depth, _most_dimensions(arrays))
    return copied(_joined(arrays, depth, ndim))


def _depth(arrays: Any) -> int:
    if isinstance(arrays, tuple):
        raise TypeError("np.block takes nested lists, and got a tuple.")
    if not isinstance(arrays, list):
        return 0
    if not arrays:
        raise ValueError("np.block got an empty list.")
    depths = {_depth(a) for a in arrays}
    if len(depths) > 1:
        raise ValueError("np.block takes lists nested to one depth.")
    return 1 + depths.pop()


def _most_dimensions(arrays: Any) -> int:
    return max(map(_most_dimensions, arrays)) if isinstance(arrays, list) else np.ndim(arrays)


def _joined(arrays: Any, depth: int, ndim: int) -> Any:
    if not isinstance(arrays, list):
        return np.reshape(arrays, (1,) * (ndim - np.ndim(arrays)) + np.shape(arrays))
    return np.concatenate([_joined(a, depth - 1, ndim) for a in arrays], axis=-depth)


@dispatched(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    count = len(xi)
    grids = [
        np.reshape(operand(x), [-1 if k == i else 1 for k in range(count)])
        for i, x in enumerate(xi)
    ]
    if indexing == "xy" and count > 1:
        grids = [np.swapaxes(grid, 0, 1) for grid in grids]
    views = tuple(grids) if sparse else np.broadcast_arrays(*grids)
    return tuple(in_order(copied(view), "C") for view in views) if copy else views


@dispatched(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    arrays = [array_of(operand(x)) for x in args]
    shape = np.broadcast_shapes(*[x.shape for x in arrays])
    return tuple(np.broadcast_to(x, shape) for x in arrays)


@dispatched(np.ix_)
def ix_(*args: Any) -> Any:
    count = len(args)
    parts = []
    for i, x in enumerate(map(operand, args)):
        if np.ndim(x) != 1:
            raise ValueError("Cross index must be 1 dimensional")
        x = np.flatnonzero(x) if x.dtype == bool else x
        parts.append(np.reshape(x, [-1 if k == i else 1 for k in range(count)]))
    return tuple(parts)


@composite(np.rollaxis, view=True)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    axis = normalize_axis_index(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return np.moveaxis(a, axis, start - (axis < start))


if hasattr(np, "unstack"):  # from NumPy 2.1 on

    @composite(np.unstack, view=True)
    def unstack(x: Any, axis: int = 0) -> Any:
        if x.ndim == 0:
            raise ValueError("Input array must be at least 1-d.")
        return tuple(np.moveaxis(x, axis, 0))


@composite(np.lib.stride_tricks.sliding_window_view, view=True)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, subok: bool = False, writeable: bool = False
) -> Any:
    windows = (window_shape,) if np.ndim(window_shape) == 0 else tuple(window_shape)
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if np.ndim(axis) == 0 else axis
    if len(axes) != len(windows):
        raise ValueError("Must provide matching length window_shape and axis")
    axes = tuple(normalize_axis_index(i, x.ndim) for i in axes)
    view = functools.partial(
        np.lib.stride_tricks.sliding_window_view, window_shape=windows, axis=axes
    )
    return view_of(x, view, lambda x: _windows(x, windows, axes))


def _windows(x: Any, windows: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    for i, size in zip(axes, windows):
        count = x.shape[i] - size + 1
        if size < 0 or count < 1:
            raise ValueError("window shape cannot be larger than input array shape")
        places = np.arange(count)[:, None] + np.arange(size)
        x = np.moveaxis(getitem(x, along(i, x.ndim, places)), i + 1, -1)
    return x
