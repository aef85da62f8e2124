"""Updates that make a new array: ``t.at[i].set(v)``, and what ``np.add.at`` writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..core import Tracer, frozen
from ..errors import UnsupportedError
from .assignment import fitted, joined, put
from .indexing import fixed, getitem, is_repeating, scatter, scatter_traced, split_slots


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
