"""NumPy's functions that make arrays to write to, and those that write.

``np.zeros_like(t)`` of a traced ``t`` is an array that traced values may be written to (see
``funcgrad.rules.writable``), and so are ``np.copy(t)`` and ``np.zeros(n, like=t)``. ::

    z = np.zeros_like(t)
    z[1:] = t[:-1]
    np.add.at(z, [0, 0], t[-1])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import FUNCTIONS, Tracer, call, function_name, is_written, present
from ..errors import DerivativeLostError
from ..outputs import put_into
from ..pull import Like
from . import shapes
from .assignment import duplicate, fitted, joined
from .indexing import along_each, brought_inside
from .order import example, in_order, order_of
from .updates import updated
from .writable import writable

_DECLARES_FUNCTIONS = shapes

# Making arrays.


def _filled_like(function: Callable[..., Any], fill: Callable[..., Any]) -> None:
    """Declare ``np.zeros_like`` and its relatives, and ``np.zeros(…, like=t)``."""

    def like(prototype: Any, dtype: Any = None, order: str = "K", subok: bool = True,
             shape: Any = None, device: Any = None) -> Any:  # fmt: skip
        form = Like(prototype)
        filled = fill(form.shape if shape is None else shape, dtype or form.dtype)
        return _laid_out(filled, order, prototype)

    def plain(shape: Any, dtype: Any = float, order: str = "C", device: Any = None) -> Any:
        return _laid_out(fill(shape, dtype), order)

    FUNCTIONS[getattr(np, f"{function.__name__}_like")] = like
    FUNCTIONS[function] = plain


_filled_like(np.zeros, np.zeros)
_filled_like(np.ones, np.ones)
_filled_like(np.empty, np.zeros)  # where nothing is promised, what a second run finds again


def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", device: Any = None
) -> Any:
    """A new array to write to, filled with ``fill_value``, which may be traced."""
    return _full(shape, fill_value, dtype, order)


def full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
              shape: Any = None, device: Any = None) -> Any:  # fmt: skip
    """An array like ``a`` to write to, filled with ``fill_value``; either may be traced."""
    form = Like(a)
    shape = form.shape if shape is None else shape
    return _full(shape, fill_value, dtype or form.dtype, order, a)


def _full(shape: Any, fill_value: Any, dtype: Any, order: str, prototype: Any = None) -> Any:
    fill_value = joined(fill_value)
    if dtype is None:
        dtype = fill_value.dtype if type(fill_value) is Tracer else np.asarray(fill_value).dtype
    shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
    filled = fitted(fill_value, np.dtype(dtype), shape)
    return _laid_out(duplicate(filled), order, prototype)


def array(
    obj: Any, dtype: Any = None, copy: bool | None = True, order: str | None = "K",
    subok: bool = False, ndmin: int = 0,
) -> Any:  # fmt: skip
    """A new array to write to, from a nested list that may hold traced values."""
    new = _copied(obj, dtype, order) if copy else asarray(obj, dtype, order, copy)
    missing = ndmin - np.ndim(new)
    return np.reshape(new, (1,) * missing + np.shape(new)) if missing > 0 else new


def asarray(
    a: Any, dtype: Any = None, order: str | None = None, copy: bool | None = None,
    device: Any = None,
) -> Any:  # fmt: skip
    """``array``, and a traced value as it is where nothing is to be copied or cast."""
    is_same = type(a) is Tracer and dtype in (None, a.dtype) and not copy
    if is_same and (order not in ("C", "F") or _is_in(a, order)):
        return a
    if copy is False:
        raise ValueError(
            "Unable to avoid copy while creating an array as requested. Leave copy=False out."
        )
    return _copied(a, dtype, order)


def _copied(obj: Any, dtype: Any, order: str | None) -> Any:
    value = joined(obj)
    if dtype is not None:
        value = call(np.astype, (value, dtype), {})
    prototype = value if hasattr(obj, "dtype") else None
    return _laid_out(duplicate(value), order or "K", prototype)


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    """``asarray`` in C's order, of one dimension or more."""
    return array(a, dtype, None, "C", ndmin=1)


def asfortranarray(a: Any, dtype: Any = None) -> Any:
    """``asarray`` in Fortran's order, of one dimension or more."""
    return array(a, dtype, None, "F", ndmin=1)


def require(a: Any, dtype: Any = None, requirements: Any = None) -> Any:
    """``asarray`` in the order in memory that is asked for."""
    np.require(np.empty(0), None, requirements)  # which raises where they contradict each other
    first = {str(requirement)[0].upper() for requirement in requirements or ()}
    return asarray(a, dtype, next((order for order in "CF" if order in first), None))


FUNCTIONS |= {
    np.full: full,
    np.full_like: full_like,
    np.array: array,
    np.asarray: asarray,
    np.asanyarray: asarray,
    np.ascontiguousarray: ascontiguousarray,
    np.asfortranarray: asfortranarray,
    np.require: require,
}


def _made_like(function: Callable[..., Any]) -> None:
    """Declare ``np.eye(n, like=t)`` and its relatives, which take nothing else from ``t``."""

    def made(*args: Any, **kwargs: Any) -> Any:
        new = function(*args, **kwargs)
        return writable(new, new)

    FUNCTIONS[function] = made


for _maker in (np.eye, np.identity, np.tri, np.arange):
    _made_like(_maker)


def _copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    value = present(a)
    if type(value) is Tracer:
        value = duplicate(value) if value.shape else np.broadcast_to(value, ())
    return _laid_out(value, order, a)


def _laid_out(new: Any, order: str, prototype: Any = None) -> Any:
    """``new`` as an array to write to, in the order in memory that ``order`` says."""
    shape = np.shape(new)
    order = order_of(order, *([] if prototype is None else [prototype]))
    if order == "F":
        return writable(new, np.empty(shape, bool, order="F"))
    one = None if order == "C" else example(prototype)
    if not isinstance(one, np.ndarray) or one.flags.c_contiguous or one.ndim != len(shape):
        return writable(new)
    return writable(new, np.empty_like(one, shape=shape))


def _is_in(t: Any, order: str) -> bool:
    """Whether the elements of ``t`` are in memory as ``order`` says."""
    order, flags = order_of(order, t), example(t).flags
    return order == "K" or (flags.f_contiguous if order == "F" else flags.c_contiguous)


FUNCTIONS[np.copy] = _copy

_cast = FUNCTIONS[np.astype]


def _astype(
    x: Any, dtype: Any, *args: Any, copy: bool = True, order: str = "K", **kwargs: Any
) -> Any:
    if type(x) is not Tracer:
        return _cast(x, dtype, *args, copy=copy, **kwargs)
    if not copy and np.dtype(dtype) == x.dtype and _is_in(x, order):
        return x
    new = _cast(present(x), dtype, *args, **kwargs)
    return _laid_out(new, order, x) if is_written(x) or order != "K" else in_order(new, x)


FUNCTIONS[np.astype] = _astype

# Writing.


def _check(function: str, z: Any) -> None:
    """Raise unless ``z`` can be written to."""
    if type(z) is not Tracer:
        raise DerivativeLostError(
            f"{function} would write a traced value into a plain array and lose its derivative. "
            f"Write z = np.zeros(n, like=t) for z = np.zeros(n), z = np.full(shape, t, like=t) for "
            f"np.full_like(plain, t), or np.where(mask, t, z)."
        )


def _writer(function: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare what a NumPy function writes to its first argument."""

    def declare(body: Callable[..., None]) -> Callable[..., None]:
        def checked(z: Any, *args: Any, **kwargs: Any) -> None:
            _check(function_name(function), z)
            body(z, *args, **kwargs)

        FUNCTIONS[function] = checked
        return body

    return declare


@_writer(np.copyto)
def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    new = joined(src)
    extra = max(np.ndim(new) - dst.ndim, 0)
    if extra and np.shape(new)[:extra] == (1,) * extra:
        new = np.reshape(new, np.shape(new)[extra:])
    if where is not True:
        new = np.where(where, new, dst)
    elif type(new) is Tracer:
        new = duplicate(new)
    put_into(dst, new, "np.copyto(z, v)")


@_writer(np.put)
def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    places, size = np.ravel(ind), a.size
    places = brought_inside(places, size, mode)
    if mode == "raise" and len(places) and not -size <= np.min(places) <= np.max(places) < size:
        raise IndexError(f"np.put: an index is out of bounds for an array of size {size}")
    put_flat(a, np.mod(places, max(size, 1)), v)


@_writer(np.place)
def _place(arr: Any, mask: Any, vals: Any) -> None:
    places, values = np.flatnonzero(mask), np.ravel(joined(vals))
    if len(places) and not len(values):
        raise ValueError("Cannot insert from an empty array!")
    put_flat(arr, places, values)


@_writer(np.putmask)
def _putmask(a: Any, mask: Any, values: Any) -> None:
    places = np.flatnonzero(mask)
    values = np.ravel(joined(values))
    if len(values):
        put_flat(a, places, values[places % len(values)])


@_writer(np.fill_diagonal)
def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    numbered = np.full(a.shape, -1)
    np.fill_diagonal(numbered, np.arange(max(a.size, 1)), wrap)
    order = np.ravel(numbered)
    places = np.flatnonzero(order >= 0)
    put_flat(a, places[np.argsort(order[places])], val)


@_writer(np.put_along_axis)
def _put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None = -1) -> None:
    if axis is None:
        put_flat(arr, np.ravel(indices), values)
        return
    arr[along_each(axis, arr.shape, indices)] = values


def put_flat(z: Any, places: Any, v: Any) -> None:
    """Write the elements of ``v``, over and over again, to numbered places of ``z``."""
    v = np.ravel(joined(v))
    if len(places) and len(v):
        z = np.atleast_1d(z)
        z[np.unravel_index(places, z.shape)] = v[np.arange(len(places)) % len(v)]


def _ufunc_at(ufunc: np.ufunc, z: Any, indices: Any, *values: Any) -> None:
    name = f"np.{ufunc.__name__}.at"
    _check(name, z)
    put_into(z, updated(ufunc, present(z), indices, *values), name)


FUNCTIONS[np.ufunc.at] = _ufunc_at
