"""NumPy's functions that make arrays to write to, those that write, and ``t.at[i].set(v)``.

``np.zeros_like(t)`` of a traced ``t`` is an array that traced values may be written to (see
``funcgrad.rules.writable``), and so are ``np.copy(t)`` and ``np.zeros(n, like=t)``. ::

    z = np.zeros_like(t)
    z[1:] = t[:-1]
    np.add.at(z, [0, 0], t[-1])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..core import FUNCTIONS, Tracer, call, frozen, function_name, is_written, present
from ..errors import DerivativeLostError, UnsupportedError
from ..outputs import put_into
from ..pull import Like
from . import shapes
from .assignment import fitted, joined, put
from .indexing import fixed, getitem, is_repeating, scatter, scatter_traced, split_slots
from .order import example, in_order, order_of
from .writable import duplicate, writable

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
    filled = duplicate(filled) if type(filled) is Tracer else np.array(filled)
    return _laid_out(filled, order, prototype)


def array(
    obj: Any, dtype: Any = None, copy: bool | None = True, order: str | None = "K",
    subok: bool = False, ndmin: int = 0,
) -> Any:  # fmt: skip
    """A new array to write to, from a nested list that may hold traced values."""
    if not copy and not ndmin:
        return asarray(obj, dtype, order, copy)
    value = joined(obj)
    if dtype is not None:
        value = call(np.astype, (value, dtype), {})
    if np.ndim(value) < ndmin:
        value = np.reshape(value, (1,) * (ndmin - np.ndim(value)) + np.shape(value))
    prototype = value if hasattr(obj, "dtype") else None
    value = duplicate(value) if type(value) is Tracer else np.array(value)
    return _laid_out(value, order or "K", prototype)


def asarray(
    a: Any, dtype: Any = None, order: str | None = None, copy: bool | None = None,
    device: Any = None,
) -> Any:  # fmt: skip
    """``array``, and a traced value as it is where nothing is to be copied or cast."""
    is_same = type(a) is Tracer and dtype in (None, a.dtype) and not copy
    is_same = is_same and (order not in ("C", "F") or _is_in(a, order))
    return a if is_same else array(a, dtype, order=order)


FUNCTIONS[np.full] = full
FUNCTIONS[np.full_like] = full_like
FUNCTIONS[np.array] = array
FUNCTIONS[np.asarray] = asarray


def _copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    value = present(a)
    return _laid_out(duplicate(value) if type(value) is Tracer else value, order, a)


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
    if mode != "raise":
        places = np.clip(places, 0, size - 1) if mode == "clip" else np.mod(places, size)
    elif len(places) and not -size <= np.min(places) <= np.max(places) < size:
        raise IndexError(f"np.put: an index is out of bounds for an array of size {size}")
    put_flat(a, np.mod(places, max(size, 1)), v)


@_writer(np.place)
def _place(arr: Any, mask: Any, vals: Any) -> None:
    put_flat(arr, np.flatnonzero(mask), vals)


@_writer(np.putmask)
def _putmask(a: Any, mask: Any, values: Any) -> None:
    places = np.flatnonzero(mask)
    values = np.ravel(joined(values))
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
    at: list[Any] = list(np.ix_(*[np.arange(n) for n in arr.shape]))
    at[axis] = indices
    arr[tuple(at)] = values


def put_flat(z: Any, places: Any, v: Any) -> None:
    """Write the elements of ``v``, over and over again, to numbered places of ``z``."""
    v = np.ravel(joined(v))
    if len(places):
        z[np.unravel_index(places, z.shape)] = v[np.arange(len(places)) % len(v)]


def _ufunc_at(ufunc: np.ufunc, z: Any, indices: Any, *values: Any) -> None:
    name = f"np.{ufunc.__name__}.at"
    _check(name, z)
    put_into(z, updated(ufunc, present(z), indices, *values), name)


FUNCTIONS[np.ufunc.at] = _ufunc_at


def updated(function: Callable[..., Any], x: Any, at: Any, *values: Any) -> Any:
    """A copy of ``x`` in which ``function(x[at], *values)`` stands at ``at``, a place that the
    index names several times being changed as often."""
    at = fixed(at)
    vs = [joined(v) for v in values]
    template, traced = split_slots(at)
    unknown = any(t.shape for t in traced)
    if not unknown and not is_repeating(template):
        return put(x, at, function(getitem(x, at), *vs))
    if function in (np.add, np.subtract):
        (v,) = vs
        shape = np.shape(getitem(x, at))
        v = fitted(v, getattr(v, "dtype", x.dtype), shape)
        form = {"shape": x.shape, "dtype": v.dtype}
        if traced:
            return function(x, scatter_traced(v, *traced, at=template, **form))
        return function(x, scatter(v, ats=(at,), **form) if type(v) is Tracer else _added(v, at, x))
    if unknown:
        raise UnsupportedError(
            f"{getattr(function, '__name__', function)} at places that a transform follows, which "
            f"may be the same ones, has no derivative rule. Take add or subtract, or set."
        )
    numbers = np.arange(x.size).reshape(x.shape)[at]
    vs = [np.ravel(np.broadcast_to(v, numbers.shape)) for v in vs]
    numbers = numbers.ravel()
    turn = _occurrence(numbers)
    for k in range(max(turn, default=-1) + 1):
        places = np.unravel_index(numbers[turn == k], x.shape)
        x = put(x, places, function(getitem(x, places), *[v[turn == k] for v in vs]))
    return x


def _added(v: Any, at: Any, x: Any) -> Any:
    buffer = np.zeros(x.shape, v.dtype)
    np.add.at(buffer, at, v)
    return buffer


def _occurrence(numbers: np.ndarray) -> np.ndarray:
    """How many times each of some numbers came before."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = np.searchsorted(ordered, ordered)
    turn = np.empty(len(numbers), int)
    turn[order] = np.arange(len(numbers)) - starts
    return turn


# Updates that make a new array.


class At:
    """The updates of one array: ``At(x)[index]`` has them for some of its places."""

    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        value = frozen(x)
        self.x = value if type(value) is Tracer else np.asarray(value)

    def __getitem__(self, index: Any) -> Places:
        return Places(self.x, index)

    def __setitem__(self, index: Any, v: Any) -> NoReturn:
        raise TypeError("x.at[i] = v changes nothing. Write x = x.at[i].set(v).")


def at(x: Any) -> At:
    """Updates of ``x`` that make a new array, which is changed at ``at(x)[index]``.

    ``at(x)[index].set(v)`` is a copy of ``x`` with ``v`` at ``index``, ``x`` staying as it is;
    ``add``, ``subtract``, ``multiply``, ``divide``, ``power``, ``min`` and ``max`` combine ``v``
    with what is there, ``apply(f)`` puts ``f`` of it there, and ``get()`` is ``x[index]``. On
    traced values it can be written ``x.at[index].set(v)``, as for JAX.

    >>> import numpy as np, funcgrad as fg
    >>> fg.at(np.zeros(3))[1].set(5.0).tolist()
    [0.0, 5.0, 0.0]
    >>> f = lambda x: np.sum(fg.at(x)[0].multiply(x[1]))
    >>> fg.grad(f)(np.array([2.0, 3.0])).tolist()
    [3.0, 3.0]
    """
    return At(x)


class Places:
    """Some places of an array. Each method returns a new array, of the same shape and dtype, in
    which they are changed; a place that the index names twice is changed twice."""

    __slots__ = ("index", "x")

    def __init__(self, x: Any, index: Any) -> None:
        self.x = x
        self.index = index

    def get(self) -> Any:
        """The elements."""
        return getitem(self.x, self.index)

    def set(self, v: Any) -> Any:
        """``v`` in their place."""
        return put(self.x, self.index, v)

    def apply(self, f: Callable[[Any], Any]) -> Any:
        """``f`` of the elements in their place."""
        return self._updated(f)

    def add(self, v: Any) -> Any:
        """``v`` added to them."""
        return self._updated(np.add, v)

    def subtract(self, v: Any) -> Any:
        """``v`` taken from them."""
        return self._updated(np.subtract, v)

    def multiply(self, v: Any) -> Any:
        """Them times ``v``."""
        return self._updated(np.multiply, v)

    def divide(self, v: Any) -> Any:
        """Them divided by ``v``."""
        return self._updated(np.divide, v)

    def power(self, v: Any) -> Any:
        """Them to the power ``v``."""
        return self._updated(np.power, v)

    def min(self, v: Any) -> Any:
        """The smaller one of each and ``v``."""
        return self._updated(np.minimum, v)

    def max(self, v: Any) -> Any:
        """The larger one of each and ``v``."""
        return self._updated(np.maximum, v)

    def _updated(self, function: Callable[..., Any], *values: Any) -> Any:
        new = updated(function, self.x, self.index, *values)
        return fitted(new, self.x.dtype, self.x.shape)
