"""``t.flat``: the elements of an array one after the other, to look at and to write to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import Tracer, frozen
from .inplace import put_flat


class Flat:
    """What ``t.flat`` is: indexing copies elements, and writing changes those of ``t``, in C's
    order whatever the layout in memory, with the values over and over again where they are too few.
    NumPy's functions take it as an array of one axis."""

    __slots__ = ("base",)

    def __init__(self, base: Tracer) -> None:
        self.base = base

    def __getitem__(self, at: Any) -> Any:
        return frozen(np.ravel(self.base)[at])

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


def _elements(tree: Any) -> Any:
    """``tree`` (nested lists, tuples and dicts) with an array in place of each ``Flat``."""
    if type(tree) in (list, tuple):
        return type(tree)(map(_elements, tree))
    if type(tree) is dict:
        return {key: _elements(item) for key, item in tree.items()}
    return np.ravel(tree.base) if type(tree) is Flat else tree
