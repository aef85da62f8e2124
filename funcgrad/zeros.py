"""What 0·∞ and 0·NaN are: an exact zero annihilates what it is multiplied by.

A branch that was not selected has the cotangent 0, and may have an infinite derivative. The rules
multiply the two as NumPy does, which gives NaN, and only where a walk or a tangent did not come
out finite is the product looked at again. In ::

    np.where(x > 0, np.sqrt(x), 0.0)     at x = 0:    ḡ of sqrt = 0,   0.5·ḡ/√x = 0/0 → 0

Of an elementwise rule each element is looked at, of a rule over axes each row, of a product of
matrices each term of its sums; any other rule is linear, and gives 0 where all that comes is 0.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .core import Tracer, raw
from .pull import Pull
from .rules.elementwise import annihilate


def finite(*xs: Any) -> bool:
    """Whether all elements of all ``xs`` are finite, of which None has none; a few that are may be
    taken for others, since what an annihilated walk or tangent gives is then the same."""
    for x in xs:
        if type(x) is Tracer:
            x = raw(x)
        if type(x) is np.ndarray and x.dtype.char in "fd":
            if not math.isfinite(np.vdot(x, x)):  # finite only where all elements are
                return False
        elif x is not None and not np.isfinite(x).all():
            return False
    return True


def annihilated(pull: Pull, g: Any, residual: Any, c: Any) -> Any:
    """``c``, which a rule gave for the cotangent or tangent ``g``, with the zeros that those in
    ``g`` make."""
    if pull.kind == "elementwise":
        return annihilate(g, c)
    if pull.kind == "rows":
        return annihilate(_rows(pull, g, residual, c.ndim), c)
    if pull.kind in ("product", "matrices"):
        return annihilated_product(pull.call, (g, residual), c, only_first=True)
    parts = g if type(g) is tuple else (g,)
    return annihilate(functools.reduce(np.logical_or, map(np.any, parts)), c)


def _rows(pull: Pull, g: Any, residual: Any, ndim: int) -> Any:
    """Zero where a row of ``g`` along the axes of the rule is, to stand beside the ``ndim`` axes
    of what the rule gives."""
    names = [name for _, name, _ in pull.sources]
    axis = residual[names.index("axis")] if "axis" in names else 0
    if axis is None:
        return np.any(g)
    if g.ndim < ndim:  # the axes were reduced
        return np.expand_dims(g, axis)
    return np.any(g, axis=axis, keepdims=g.ndim == ndim)


def annihilated_product(
    f: Callable[..., Any], factors: Sequence[Any], ans: Any, only_first: bool = False
) -> Any:
    """``ans = f(*factors)``, sums of products of elements of the factors, with the sum of what is
    finite in place of those sums whose other terms have a factor 0 each (``only_first``: the first
    factor)."""

    def one(x: Any, k: int) -> Any:
        return np.ones(np.shape(x)) if k and only_first else np.where(x == 0, 0.0, 1.0)

    # How many terms have no zero, and how many of these are finite.
    terms = f(*_each(one, factors))
    finite_terms = f(*_each(lambda x, k: np.where(np.isfinite(x), one(x, k), 0.0), factors))
    finite_sums = f(*_each(lambda x, k: np.where(np.isfinite(x), x, 0), factors))
    return np.where(terms == finite_terms, finite_sums, ans)


def _each(f: Callable[[Any, int], Any], factors: Sequence[Any]) -> list[Any]:
    """``f`` of all arrays in ``factors``, which it is told the places of, at any depth."""

    def within(x: Any, k: int) -> Any:
        if type(x) is tuple:
            return tuple([within(item, k) for item in x])
        is_array = type(x) is Tracer or isinstance(x, np.ndarray | np.generic)
        return f(x, k) if is_array and x.dtype.kind in "biufc" else x

    return [within(x, k) for k, x in enumerate(factors)]
