"""Functions over pytrees, leaf by leaf, and between a pytree and a vector."""

import builtins
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import TreeError
from .nodes import KINDS, keystr, layout
from .structures import IsLeaf, a, check_same, flatten, leaves, structure, unflatten


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf | None = None) -> Any:
    """The tree of ``f(leaf, *leaves)``, with the leaves at the same place of the other trees.

    Trees of different structures raise a ``TreeError`` that names the first difference.

    >>> map(lambda p, g: p - g, {"w": 3, "b": [5]}, {"w": 1, "b": [1]})
    {'w': 2, 'b': [4]}
    """
    if is_leaf is None and len(rest) < 2:
        try:
            return _map_two(f, tree, *rest) if rest else _map_one(f, tree)
        except _DifferError:
            pass  # and is described below
    first, expected = flatten(tree, is_leaf)
    columns = [first]
    for number, other in enumerate(rest, start=2):
        column, found = flatten(other, is_leaf)
        if found != expected:
            check_same(expected, found, f"tree {number}", "tree 1")
        columns.append(column)
    return unflatten(expected, builtins.map(f, *columns))


# The maps of a training step, in one pass and without a structure in between.


class _DifferError(Exception):
    """Two trees differ in structure."""


def _map_one(f: Callable[[Any], Any], node: Any) -> Any:
    cls = type(node)
    if cls is dict:
        mapped = node.copy()
        for key in layout(*node)[0]:
            mapped[key] = _map_one(f, node[key])
        return mapped
    kind = KINDS[cls]
    if kind is None:
        return f(node)
    children, aux = kind.flatten(node)
    mapped = []
    for child in children:
        mapped.append(_map_one(f, child))
    return kind.unflatten(aux, mapped)


def _map_two(f: Callable[[Any, Any], Any], node: Any, other: Any) -> Any:
    cls = type(node)
    kind = KINDS[cls]
    if type(other) is not cls and not (kind is None and KINDS[type(other)] is None):
        raise _DifferError
    if kind is None:
        return f(node, other)
    if cls is dict:
        if node.keys() != other.keys():
            raise _DifferError
        mapped = node.copy()
        for key in layout(*node)[0]:
            mapped[key] = _map_two(f, node[key], other[key])
        return mapped
    children, aux = kind.flatten(node)
    others, its_aux = kind.flatten(other)
    if len(children) != len(others) or aux != its_aux:
        raise _DifferError
    mapped = []
    for x, y in zip(children, others):
        mapped.append(_map_two(f, x, y))
    return kind.unflatten(aux, mapped)


def map_with_path(f: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """As ``map``, with ``f(path, leaf, *leaves)``.

    >>> map_with_path(lambda path, leaf: f"{keystr(path)}={leaf}", {"w": [1, 2]})
    {'w': ["['w'][0]=1", "['w'][1]=2"]}
    """
    paths = iter(structure(tree).paths())
    return map(lambda *row: f(next(paths), *row), tree, *rest)


_MISSING = object()


def reduce(f: Callable[[Any, Any], Any], tree: Any, initializer: Any = _MISSING) -> Any:
    """The leaves folded from the left; without an initializer the first leaf is the start.

    >>> reduce(lambda total, leaf: total + leaf, {"w": [1, 2], "b": 3})
    6
    """
    items = leaves(tree) if initializer is _MISSING else [initializer, *leaves(tree)]
    if not items:
        raise TreeError("reduce of a tree without leaves needs an initializer")
    return functools.reduce(f, items)


def all(tree: Any) -> bool:
    """Whether every leaf is true.

    >>> all(map(lambda x, y: x < y, [1, 2], [2, 3]))
    True
    """
    return builtins.all(leaves(tree))


def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The leaves as one vector of their common dtype, and the function that undoes it.

    ``unravel(vector)`` gives each leaf its own shape and dtype, as a view of the vector where the
    dtype agrees; Python numbers come back as NumPy scalars. Both ways can be differentiated.
    Beside floats an integer beyond 2**53 is rounded.

    >>> vector, unravel = ravel({"w": np.ones((2, 2)), "b": 3.0})
    >>> vector.tolist()
    [3.0, 1.0, 1.0, 1.0, 1.0]
    >>> unravel(2 * vector)["w"].tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """
    items, structure = flatten(tree)
    layout: list[tuple[Any, Any, Any]] = []  # place in the vector, shape and dtype of each leaf
    total = 0
    for path, leaf in zip(structure.paths(), items, strict=True):
        dtype = leaf.dtype if hasattr(leaf, "dtype") else np.dtype(type(leaf))
        if dtype.kind not in "biufc":
            raise TreeError(
                f"ravel takes numbers and arrays of numbers, got {a(type(leaf))} of dtype {dtype} "
                f"at {keystr(path) or 'the root'}"
            )
        shape = np.shape(leaf)
        start, total = total, total + math.prod(shape)
        scalar = shape == () and not isinstance(leaf, np.ndarray)
        layout.append((start if scalar else slice(start, total), shape, dtype))

    def unravel(vector: Any) -> Any:
        if not hasattr(vector, "dtype") or np.shape(vector) != (total,):
            raise TreeError(
                f"unravel takes a vector of shape ({total},), got {a(type(vector))} of "
                f"shape {np.shape(vector)}"
            )
        parts = []
        for place, shape, dtype in layout:
            part = vector[place]
            if isinstance(place, slice):
                part = np.reshape(part, shape)
            if vector.dtype.kind == "c" and dtype.kind != "c":
                part = np.real(part)
            parts.append(part if part.dtype == dtype else part.astype(dtype))
        return unflatten(structure, parts)

    return np.concatenate([np.ravel(leaf) for leaf in items]) if items else np.zeros(0), unravel
