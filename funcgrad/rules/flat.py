"""The elements of an array one after the other: ``t.flat``, to look at and to write to, and
``ravel`` and ``reshape`` in the order that they have in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import tree
from ..core import FUNCTIONS, Tracer
from ..views import copied
from .inplace import put_flat
from .order import is_batched, memory_axes, order_of


class Flat:
    """What ``t.flat`` is: indexing copies elements, and writing changes those of ``t``, in C's
    order whatever the layout in memory, with the values over and over again where they are too few.
    NumPy's functions take it as an array of one axis."""

    __slots__ = ("base",)

    def __init__(self, base: Tracer) -> None:
        self.base = base

    def __getitem__(self, at: Any) -> Any:
        return copied(np.ravel(self.base)[at])

    def __setitem__(self, at: Any, v: Any) -> None:
        put_flat(self.base, np.ravel(np.arange(self.base.size)[at]), v)

    def __len__(self) -> int:
        return len(np.ravel(self.base))

    def __iter__(self) -> Iterator[Any]:
        return iter(np.ravel(self.base))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*_elements(args), **_elements(kwargs))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*_elements(inputs), **_elements(kwargs))


def _elements(arguments: Any) -> Any:
    """``arguments`` with an array in place of each ``Flat``."""
    return tree.map(lambda x: np.ravel(x.base) if type(x) is Flat else x, arguments)


def _by_memory(function: Callable[..., Any], place: int) -> None:
    """Let ``function`` take order="A" and "K", as argument number ``place`` after the array."""
    by_order = FUNCTIONS[function]

    def apply(a: Any, *args: Any, **keywords: Any) -> Any:
        if len(args) > place:
            keywords["order"], args = args[place], args[:place]
        order = keywords.get("order", "C")
        if order in ("A", "K") and type(a) is Tracer and not is_batched(a):
            if order == "K":
                function(np.empty(1), *args, **keywords)  # which raises where it is not for this
                a, order = np.transpose(a, memory_axes(a)), "C"
            keywords["order"] = order_of(order, a)
        return by_order(a, *args, **keywords)

    FUNCTIONS[function] = apply


_by_memory(np.ravel, 0)
_by_memory(np.reshape, 1)
