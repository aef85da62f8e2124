"""``z[at] = v`` as an operation: a new array, linear in ``z`` and in ``v``.

NumPy assigns to elements of an array; what transforms record is ``set_at(z, v, at=at)``, a copy of
``z`` with ``v`` in the places ``at``. The cotangent of ``z`` is zero there, and that of ``v`` is
what it is there. Of a place that an index names twice, only what is written last counts. ::

    put(np.zeros(3), [0, 0], t)    is t[1], 0, 0, and the cotangent of t is 0, g[0]
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..batching import aligned, lead, stacks
from ..core import Primitive, Tracer, call, holds_tracer, operand, present
from ..errors import UnsupportedError
from ..verbs import linear, rule
from .indexing import (
    array_axes,
    example_numbers,
    fill_slots,
    fixed,
    getitem,
    index_of_stack,
    is_repeating,
    spelled_out,
    split_slots,
)


def _set_at(z: Any, v: Any, *, at: Any) -> Any:
    new = np.array(z, np.result_type(z, v))
    new[at] = np.ascontiguousarray(v) if is_repeating(at) else v
    return new


def _set_at_traced(z: Any, v: Any, *slots: Any, at: Any) -> Any:
    return _set_at(z, v, at=fill_slots(at, slots))


def _taken(g: Any, at: Any) -> Any:
    """The cotangent of what was written: of a place that the index names twice, the last time."""
    taken = getitem(g, at)
    if not _repeats(at):
        return taken
    order = np.arange(math.prod(np.shape(taken))).reshape(np.shape(taken))
    last = put(np.zeros(np.shape(g), int), at, order)
    return np.where(getitem(last, at) == order, taken, 0.0)


def _repeats(at: Any) -> bool:
    return is_repeating(at) or any(
        type(a) is Tracer and a.shape for a in (at if type(at) is tuple else (at,))
    )


def _set_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    z, v = stacks(operands, mine, size)
    at, place = index_of_stack(keywords["at"], z.ndim - 1)
    return put(z, at, np.moveaxis(v, 0, place))


def _set_traced_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    z, v = stacks(operands[:2], mine, size)
    parts, stacked = spelled_out(keywords["at"], operands[2:], mine[2:], z.ndim - 1)
    count, place = array_axes(parts, stacked)
    v = np.moveaxis(v, range(1 + place, 1 + place + count), range(1, 1 + count))
    at = [lead(a, count) if own else a for a, own in zip(parts, stacked)]
    return put(z, (example_numbers(size, count), *at), v)


#: ``z`` with ``v``, which has the shape of ``z[at]``, in the places ``at``.
set_at: Primitive = rule(
    _set_at,
    [
        lambda g, y_like, at: set_at(g, np.zeros(y_like.shape, y_like.dtype), at=at),
        lambda g, at: _taken(g, at),
    ],
    [
        lambda t, y_like, at: set_at(t, np.zeros(y_like.shape, y_like.dtype), at=at),
        lambda t, x_like, at: set_at(np.zeros(x_like.shape, x_like.dtype), t, at=at),
    ],
    batch=_set_stack,
)


def _cleared(g: Any, y_like: Any, ys: Any, at: Any) -> Any:
    return set_at_traced(g, np.zeros(y_like.shape, y_like.dtype), *ys[1:], at=at)


#: The same with traced arrays in the index.
set_at_traced: Primitive = rule(
    _set_at_traced,
    [_cleared, lambda g, ys, at: _taken(g, fill_slots(at, ys[1:]))],
    [
        _cleared,
        lambda t, x_like, ys, at: set_at_traced(
            np.zeros(x_like.shape, x_like.dtype), t, *ys[1:], at=at
        ),
    ],
    batch=_set_traced_stack,
)


def _of_parts(x: Any, y: Any) -> Any:
    shape = np.broadcast_shapes(np.shape(x), np.shape(y))  # one of them may be for all examples
    z = np.empty(shape, np.result_type(x, y, np.complex64))
    z.real, z.imag = x, y
    return z


#: The complex array of these real and imaginary parts. (x + 1j * y is NaN where y is infinite.)
of_parts: Primitive = linear(
    _of_parts,
    lambda g, i: np.real(g) if i == 0 else -np.imag(g),
    batch=aligned,
    variadic=True,
)


def put(x: Any, at: Any, v: Any) -> Any:
    """A copy of the array ``x`` that has ``v`` in the places ``at``."""
    at = fixed(at)
    template, traced = split_slots(at)
    if any(a.dtype == bool for a in traced):
        return _put_where(x, at, v)
    anywhere = fill_slots(template, tuple(np.zeros(a.shape, int) for a in traced))
    v = fitted(v, x.dtype, np.shape(np.empty(x.shape, bool)[anywhere]))
    if traced:
        return set_at_traced(x, v, *traced, at=template)
    return set_at(x, v, at=at)


def _put_where(x: Any, at: Any, v: Any) -> Any:
    """``put`` at an index with a mask that a transform follows. The number of places is not known,
    and does not matter where each gets the same ``v``."""
    if type(at) is Tracer and np.ndim(v) <= x.ndim - at.ndim:
        mask = np.reshape(at, (*at.shape, *[1] * (x.ndim - at.ndim)))
        return np.where(mask, fitted(v, x.dtype, x.shape[at.ndim :]), x)
    parts: list[Any] = []
    for a in at if type(at) is tuple else (at,):
        parts += np.nonzero(a) if type(a) is Tracer and a.dtype == bool else (a,)
    return put(x, tuple(parts), v)


def fitted(v: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """``v`` as NumPy writes it into a part of ``shape`` of an array of ``dtype``. What is plain is
    copied, since its owner may change it before the write is made."""
    v = joined(v)
    if type(v) is not Tracer:
        copy = np.empty(np.shape(v), dtype)
        copy[...] = v
        v = copy[()]
    elif v.dtype != dtype:
        real, inexact = v.dtype.kind == "f", v.dtype.kind in "fc"
        if inexact and not (dtype.kind == "c" or (real and dtype.kind == "f")):
            raise UnsupportedError(
                f"z[i] = v writes a traced value of {v.dtype} into an array of {dtype}, which "
                f"would lose its derivative. Make z of {v.dtype}, or write v.astype(np.{dtype})"
                f"{'' if real else ' or np.real(v)'}."
            )
        v = call(np.astype, (v, dtype), {})
    got = v.shape
    if got == shape:
        return v
    extra = max(len(got) - len(shape), 0)
    try:
        if math.prod(got[:extra]) == 1:
            return np.broadcast_to(np.reshape(v, got[extra:]), shape)
    except ValueError:
        pass
    raise ValueError(f"could not broadcast input array from shape {got} into shape {shape}")


def place_of(at: Any, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The index as numbers of the first axes, from 0 on, if it takes all of the other axes."""
    if type(at) is slice or at is Ellipsis:
        return None
    parts = at if type(at) is tuple else (at,)
    if len(parts) > len(shape):
        return None
    place: list[int] = []
    for k, (a, n) in enumerate(zip(parts, shape)):
        if type(a) is not int and not isinstance(a, np.integer):
            whole = place and all(type(b) is slice and b == _ALL for b in parts[k:])
            return tuple(place) if whole else None
        if not -n <= a < n:
            raise IndexError(f"index {a} is out of bounds for axis {k} with size {n}")
        place.append(int(a) % n)
    return tuple(place) if place or not shape else None


_ALL = slice(None)


def is_whole(at: Any) -> bool:
    """Whether the index takes all elements, in their shape."""
    return at is Ellipsis or (type(at) is slice and at == _ALL)


def duplicate(v: Any) -> Any:
    """The same value in memory of its own."""
    if type(v) is not Tracer:
        return np.array(v)
    return np.logical_or(v, False) if v.dtype == bool else np.positive(v)


def joined(v: Any) -> Any:
    """``v`` as one value, if it is a nested list that holds traced ones."""
    if isinstance(v, list | tuple) and holds_tracer(v):
        return np.stack([joined(item) for item in v])
    return operand(present(v))
