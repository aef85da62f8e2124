"""The order of elements in memory, which decides what ``ravel`` and ``reshape`` make a view.

A result lies in memory as NumPy's own does, so that a write to it reaches what a write reaches in
NumPy. Most results do of themselves, being made by NumPy's functions of operands that lie as
NumPy's. Where a rule puts a result together in another order, ``in_order`` copies it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import Primitive, Tracer, is_written, raw, seen
from ..verbs import linear


def example(t: Any) -> Any:
    """The memory of ``t``, or of one of the examples that vmap runs together."""
    if is_written(t):
        return t.owner.layout
    plain = raw(t)
    if type(t) is not Tracer or not isinstance(plain, np.ndarray):
        return plain
    extra = plain.ndim - len(t.shape)
    return plain[(0,) * extra] if plain.size else np.empty(plain.shape[extra:], plain.dtype)


def unlike_c(t: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """The memory of the array ``t``, which for a user has ``shape``, or of one of its examples,
    unless its elements are side by side in C's order."""
    one = example(t)
    if not isinstance(one, np.ndarray) or not one.size or one.shape != shape:
        return None
    return None if one.flags.c_contiguous else one


def is_batched(t: Any) -> bool:
    """Whether ``t`` holds the examples of a vmap, at any level: it cannot be looked at as one."""
    return type(t) is Tracer and np.ndim(raw(t)) > len(t.shape)


def memory_axes(t: Any) -> tuple[int, ...]:
    """The axes of an array, from that whose neighbours are the furthest apart in memory on."""
    strides = np.empty_like(example(t)).strides
    return tuple(sorted(range(len(strides)), key=lambda axis: -strides[axis]))


def order_of(order: str, *arrays: Any) -> str:
    """What ``order``, which may be "A", says of what is made of ``arrays``: "F" where they are."""
    if order != "A":
        return order
    for t in arrays:
        one = example(t)
        flags = (np.empty_like(one) if is_batched(t) else np.asarray(one)).flags
        if flags.c_contiguous or not flags.f_contiguous:
            return "C"
    return "F"


def _in_memory(x: Any, *, axes: tuple[int, ...]) -> Any:
    new = np.empty([x.shape[axis] for axis in axes], x.dtype).transpose(np.argsort(axes))
    new[...] = x
    return new


#: A copy of an array whose axes are in this order in memory.
in_memory: Primitive = linear(
    _in_memory,
    lambda g: g,
    batch=lambda primitive, size, operands, mine, keywords: primitive(
        *operands, axes=(0, *(axis + 1 for axis in keywords["axes"]))
    ),
)


def in_order(t: Any, order: Any) -> Any:
    """``t`` with its elements side by side in the order "C" or "F", or in that of an array."""
    one = example(t)
    if not isinstance(one, np.ndarray) or one.ndim == 0:
        return t
    is_c = order == "C" if isinstance(order, str) else example(order).flags.c_contiguous
    if is_c and one.flags.c_contiguous:
        return t
    axes: Sequence[int] = range(one.ndim)
    if not isinstance(order, str):
        axes = memory_axes(order)
    elif order == "F":
        axes = axes[::-1]
    if is_batched(t):
        one = np.empty_like(one)  # which is between the others
    return t if one.transpose(axes).flags.c_contiguous else in_memory(t, axes=tuple(axes))


def alike(
    primitive: Primitive, size: int, operands: Sequence[Any], mine: Any, keywords: Any
) -> Any:
    """Batch an operation on each element whose result is in Fortran's order if the operand is, as
    an example of many may be where they all together are not."""
    return _as_in(primitive.apply(*operands, **keywords), operands[0])


def each_in_order(stack: Any, one: Any) -> Any:
    """A stack of examples that have their axes in memory in the order of those of ``one``."""
    axes = memory_axes(one)
    if memory_axes(example(stack)[0]) == axes:
        return stack
    return in_memory(stack, axes=(0, *(axis + 1 for axis in axes)))


def _as_in(t: Any, array: Any) -> Any:
    """``t`` with its axes in the order in memory that those of ``array`` have."""
    axes = memory_axes(array)
    return t if axes == memory_axes(t) else in_memory(t, axes=axes)


def asked(t: Any, function: Callable[..., Any], *operands: Any, **keywords: Any) -> Any:
    """``t`` in the order that NumPy's result of ``function`` has, which does not depend on how
    long the axes of the operands are."""
    if sum(n > 1 for n in getattr(t, "shape", ())) < 2:
        return t
    options = {key: small(x) for key, x in keywords.items()}
    with np.errstate(all="ignore"):
        return in_order(t, function(*map(small, operands), **options))


def small(x: Any) -> Any:
    """A short array in the order in memory of the array ``x``."""
    one = example(x)
    if not isinstance(one, np.ndarray):
        return one
    return np.ones_like(one[tuple(slice(2) for _ in one.shape)])


def view_of(x: Any, function: Callable[[Any], Any], compute: Callable[[Any], Any]) -> Any:
    """``compute(x)``, which is ``function(x)`` and NumPy's view of x, one that does not write."""
    if is_written(x):
        return x.owner.view(function, {})
    view = compute(x)
    if getattr(view, "ndim", 0) > 1:
        view = _as_in(view, function(np.empty_like(example(x))))
    return seen(view, x, function, {})
