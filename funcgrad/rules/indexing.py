"""Indexing, and its transpose: adding cotangents at the places they were taken from.

An index is a template in which traced index arrays (integers under another transform) are ``Slot``
markers that point at operands. The cotangent of ``x[at]`` is not an array of x's size that is zero
nearly everywhere but a ``Sparse``, which collects the contributions of all the places where x was
indexed and adds them into one buffer: a loop over the elements of x stays linear.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..batching import lead, spread
from ..core import FUNCTIONS, Primitive, Tracer, bind, present, seen
from ..errors import UnsupportedError
from ..pull import Like
from ..verbs import composite, linear, rule
from .order import in_order


class Slot:
    """The place in an index of traced array number ``i``."""

    __slots__ = ("i",)

    def __init__(self, i: int) -> None:
        self.i = i

    def __repr__(self) -> str:
        return f"#{self.i}"


def fill_slots(at: Any, traced: tuple[Any, ...]) -> Any:
    if type(at) is tuple:
        return tuple(traced[a.i] if type(a) is Slot else a for a in at)
    return traced[at.i] if type(at) is Slot else at


def is_repeating(at: Any) -> bool:
    """Whether the index may name one place twice: it holds an array of integers."""
    parts = at if type(at) is tuple else (at,)
    return any(isinstance(a, np.ndarray) and a.ndim and a.dtype != bool for a in parts)


def is_basic(at: Any) -> bool:
    """Whether NumPy gives a view for this index."""
    parts = at if type(at) is tuple else (at,)
    return all(
        a is None or a is Ellipsis or type(a) in (int, slice) or isinstance(a, np.integer)
        for a in parts
    )


def add_at(buffer: np.ndarray, at: Any, g: Any) -> None:
    """``buffer[at] += g``, counting every place as often as the index names it."""
    if is_repeating(at):
        np.add.at(buffer, at, g)
    else:
        buffer[at] += g


# Batching. The arrays and integers of an index are broadcast against each other. The axes that they
# make come out where they stood if they stood together, and in front otherwise.


def spelled_out(
    at: Any, slots: Sequence[Any], mine: Sequence[bool], ndim: int
) -> tuple[list[Any], list[bool]]:
    """The parts of an index of an array of ``ndim`` dimensions, masks as integers and the ellipsis
    as slices, and which of them are stacks of examples."""
    parts: list[Any] = []
    stacked: list[bool] = []
    for a in at if type(at) is tuple else (at,):
        own = type(a) is Slot and mine[a.i]
        a = slots[a.i] if type(a) is Slot else a
        if own and a.dtype == bool:
            raise UnsupportedError(
                "x[mask] with a mask under vmap would give each example a result of a size of its "
                "own. Write np.where(mask, x, 0.0)."
            )
        is_mask = isinstance(a, np.ndarray) and a.dtype == bool and a.ndim
        found = np.nonzero(a) if is_mask else (a,)
        parts += found
        stacked += [own] * len(found)
    place = next((k for k, a in enumerate(parts) if a is Ellipsis), None)
    if place is not None:
        rest = ndim - sum(a is not None and a is not Ellipsis and not _is_bool(a) for a in parts)
        if rest:  # an ellipsis that stands for no axis still keeps its neighbours apart
            parts[place : place + 1] = [slice(None)] * rest
            stacked[place : place + 1] = [False] * rest
    return parts, stacked


def _is_bool(a: Any) -> bool:
    """Whether a part of an index is one bool, which stands for no axis and makes one."""
    if isinstance(a, np.ndarray):
        return a.ndim == 0 and a.dtype == bool
    return isinstance(a, bool | np.bool_)


def array_axes(parts: Sequence[Any], stacked: Sequence[bool]) -> tuple[int, int]:
    """How many axes the arrays of an index make in one example, and where they come out."""
    arrays = [
        k for k, a in enumerate(parts) if not (a is None or a is Ellipsis or isinstance(a, slice))
    ]
    ndims = [1 if _is_bool(parts[k]) else np.ndim(parts[k]) - stacked[k] for k in arrays]
    count = max(ndims, default=0)
    together = not arrays or arrays[-1] - arrays[0] == len(arrays) - 1
    before = parts[: arrays[0]] if arrays and together else []
    return count, sum(a is not Ellipsis for a in before)


def index_of_stack(at: Any, ndim: int) -> tuple[tuple[Any, ...], int]:
    """The same index into a stack of arrays of ``ndim`` dimensions, and where the batch axis comes
    out."""
    parts, stacked = spelled_out(at, (), (), ndim)
    count, place = array_axes([slice(None), *parts], [False, *stacked])
    return (slice(None), *parts), 0 if place else count


def _index_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    (x,) = operands
    at, place = index_of_stack(keywords["at"], x.ndim - 1)
    return np.moveaxis(x[at], place, 0) if place else x[at]


def _index_traced_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    x, *slots = operands
    parts, stacked = spelled_out(keywords["at"], slots, mine[1:], x.ndim - mine[0])
    count, place = array_axes(parts, stacked)
    at = [lead(a, count) if own else a for a, own in zip(parts, stacked)]
    if not mine[0]:
        return np.moveaxis(getitem(x, tuple(at)), place, 0)
    ans = getitem(x, (example_numbers(size, count), *at))
    return np.moveaxis(ans, range(1, 1 + count), range(1 + place, 1 + place + count))


def example_numbers(size: int, ndim: int) -> np.ndarray:
    """The number of each example, to index a stack beside arrays of ``ndim`` dimensions."""
    return np.arange(size).reshape(size, *[1] * ndim)


def _scatter_stack(primitive: Any, size: int, gs: Any, mine: Any, keywords: Any) -> Any:
    stacks, ats = [], []
    for g, own, at in zip(gs, mine, keywords["ats"]):
        at, place = index_of_stack(at, len(keywords["shape"]))
        stacks.append(np.moveaxis(g if own else spread(g, size), 0, place))
        ats.append(at)
    shape = (size, *keywords["shape"])
    return scatter(*stacks, ats=tuple(ats), shape=shape, dtype=keywords["dtype"])


def _scatter_traced_stack(
    primitive: Any, size: int, operands: Any, mine: Any, keywords: Any
) -> Any:
    g, *slots = operands
    shape = keywords["shape"]
    parts, stacked = spelled_out(keywords["at"], slots, mine[1:], len(shape))
    count, place = array_axes(parts, stacked)
    g = g if mine[0] else spread(g, size)
    g = np.moveaxis(g, range(1 + place, 1 + place + count), range(1, 1 + count))
    at = [lead(a, count) if own else a for a, own in zip(parts, stacked)]
    like = Like(np.broadcast_to(np.empty((), keywords["dtype"]), (size, *shape)))
    return Sparse(like, (example_numbers(size, count), *at), g).dense()


def _index(x: Any, *, at: Any) -> Any:
    return x[at]


def _index_traced(x: Any, *slots: Any, at: Any) -> Any:
    return x[fill_slots(at, slots)]


#: ``x[at]``.
index = rule(
    _index,
    lambda g, x_like, at: Sparse(x_like, at, g),
    lambda t, at: t[at],
    batch=_index_stack,
    symbol=operator.getitem,
    dispatches=True,
    view=True,
)
#: ``x[at]`` with traced arrays in the index.
index_traced = rule(
    _index_traced,
    [lambda g, x_like, ys, at: Sparse(x_like, fill_slots(at, ys), g)],
    [lambda t, ys, at: getitem(t, fill_slots(at, ys))],
    batch=_index_traced_stack,
)


def _scatter(*gs: Any, ats: tuple[Any, ...], shape: tuple[int, ...], dtype: Any) -> Any:
    buffer = np.zeros(shape, dtype)
    for at, g in zip(ats, gs):
        add_at(buffer, at, g)
    return buffer


#: The sum over k of arrays of ``shape`` that are zero but for operand k at the index ``ats[k]``.
scatter: Primitive = linear(
    _scatter, lambda g, i, ats: g[ats[i]], batch=_scatter_stack, variadic=True
)


def _scatter_traced(g: Any, *slots: Any, at: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    return _scatter(g, ats=(fill_slots(at, slots),), shape=shape, dtype=dtype)


#: One such array, where the index itself is traced.
scatter_traced: Primitive = rule(
    _scatter_traced,
    [lambda g, ys, at: getitem(g, fill_slots(at, ys))],
    [
        lambda t, ys, at, shape, dtype: scatter_traced(t, *ys, at=at, shape=shape, dtype=dtype),
    ],
    batch=_scatter_traced_stack,
)


class Sparse:
    """A cotangent of an indexed array: contributions, each with its index."""

    __slots__ = ("buffer", "like", "terms", "traced")

    def __init__(self, like: Like, at: Any, g: Any) -> None:
        self.like = like
        self.buffer: Any = None
        self.terms: list[tuple[Any, Any]] = [(at, g)]
        self.traced = type(g) is Tracer or _holds_slot(at)

    def absorb(self, other: Sparse) -> Sparse:
        """This and ``other`` together; plain contributions go into the buffer at once."""
        if self.traced or other.traced:
            self.terms += other.terms
            self.traced = True
            return self
        if self.buffer is None:
            self.buffer = self.add_to(np.zeros(self.like.shape, self.like.dtype))
            self.terms = []
        other.add_to(self.buffer)
        return self

    def add_to(self, buffer: np.ndarray) -> np.ndarray:
        """Add the contributions, none of them traced, into ``buffer``."""
        for at, g in self.terms:
            add_at(buffer, at, g)
        return buffer

    def dense(self) -> Any:
        """The cotangent as an array of the full shape."""
        form = {"shape": self.like.shape, "dtype": self.like.dtype}
        dense, gs, ats = self.buffer, [], []
        for at, g in self.terms:
            at, traced = split_slots(at)
            if traced:
                term = scatter_traced(g, *traced, at=at, **form)
                dense = term if dense is None else dense + term
            else:
                gs.append(g)
                ats.append(at)
        if gs:
            term = scatter(*gs, ats=tuple(ats), **form)
            dense = term if dense is None else dense + term
        return dense

    def cast(self, dtype: Any) -> Sparse:
        self.terms = [(at, g.astype(dtype)) for at, g in self.terms]
        return self


def _holds_slot(at: Any) -> bool:
    return type(at) is Tracer or (type(at) is tuple and any(type(a) is Tracer for a in at))


def split_slots(at: Any) -> tuple[Any, list[Tracer]]:
    """The template of an index and the traced arrays that its slots stand for."""
    if not _holds_slot(at):
        return at, []
    if type(at) is Tracer:
        return Slot(0), [at]
    numbers = itertools.count()
    template = tuple(Slot(next(numbers)) if type(a) is Tracer else a for a in at)
    return template, [a for a in at if type(a) is Tracer]


def fixed(at: Any) -> Any:
    """An index that the caller cannot change any more."""
    return tuple(map(_fixed_part, at)) if isinstance(at, tuple) else _fixed_part(at)


def _fixed_part(at: Any) -> Any:
    """One part of an index, safe from later changes: any sequence becomes an array of our own."""
    at = present(at)
    if at is None or at is Ellipsis or isinstance(at, slice | int | np.generic | Tracer):
        return at
    at = np.array(at)
    return at.astype(np.intp) if at.size == 0 and at.dtype != bool else at


def getitem(x: Any, at: Any) -> Any:
    """``x[at]``, where either may be traced: a plain array does not hand a traced index over."""
    at = fixed(at)
    template, traced = split_slots(at)
    if not traced:
        return index(x, at=at) if is_basic(at) else bind(index, (x,), {"at": at})
    if type(x) is Tracer and is_basic(anywhere(at)):
        if x.owner.writable:
            return x.owner.view(getitem, {"at": at})  # type: ignore[attr-defined]
        return seen(index_traced(x, *traced, at=template), x, getitem, {"at": at})
    return index_traced(x, *traced, at=template)


def anywhere(at: Any) -> Any:
    """The index with place 0 for each traced integer in it, which stands for one that is known."""
    if type(at) is tuple:
        return tuple(map(anywhere, at))
    return 0 if type(at) is Tracer and at.shape == () and at.dtype.kind in "iu" else at


FUNCTIONS[operator.getitem] = getitem


def placed(x: Any, at: Any, size: int) -> Any:
    """An array of ``size`` that sums the elements of ``x`` at the places ``at``."""
    form = {"shape": (size,), "dtype": x.dtype}
    if type(at) is Tracer:
        return scatter_traced(x, at, at=Slot(0), **form)
    return scatter(x, ats=(at,), **form)


def along(axis: int, ndim: int, at: Any) -> tuple[Any, ...]:
    """The index that is ``at`` along one axis and takes all of the others."""
    return (slice(None),) * normalize_axis_index(axis, ndim) + (at,)


def along_each(axis: int, shape: tuple[int, ...], indices: Any) -> tuple[Any, ...]:
    """The index that is ``indices`` along one axis of an array, and their own place in the others,
    as ``np.take_along_axis`` has it."""
    at: list[Any] = list(np.ix_(*[np.arange(n) for n in shape]))
    at[normalize_axis_index(axis, len(shape))] = indices
    return tuple(at)


def brought_inside(places: Any, size: int, mode: str) -> Any:
    """The numbers of ``size`` places, those beyond them clipped or wrapped where ``mode`` is so."""
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(f"mode is 'raise', 'clip' or 'wrap', and got {mode!r}.")
    if mode == "clip":
        return np.clip(places, 0, size - 1)
    return np.mod(places, size) if mode == "wrap" else places


@composite(np.take, operands=2)
def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    if axis is None or np.ndim(a) == 0:
        a, axis = np.ravel(a), 0 if axis is None else axis
    at_axis = normalize_axis_index(axis, a.ndim)
    if type(indices) is not Tracer:
        indices = np.asarray(indices)
        indices = indices.astype(np.intp, casting="safe" if indices.size else "unsafe")
    indices = brought_inside(indices, a.shape[at_axis], mode)
    return in_order(getitem(a, along(at_axis, a.ndim, indices)), "C")


@composite(np.take_along_axis, operands=2)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    if axis is None:
        if np.ndim(indices) != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        return getitem(np.ravel(arr), indices)
    return getitem(arr, along_each(axis, arr.shape, indices))


@composite(np.compress, operands=2)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    return np.take(a, np.flatnonzero(condition), axis=axis)


@composite(np.repeat, operands=2)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    if axis is None or np.ndim(a) == 0:
        a, axis = np.ravel(a), 0 if axis is None else axis
    return np.take(a, np.repeat(np.arange(a.shape[axis]), repeats), axis=axis)
