"""A derivative rule, compiled: which residuals it takes, and how they are gathered and applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .trace import WEAK

Rule = Callable[..., Any]

_OPERANDS = {"x": 0, "y": 1, "z": 2}


class Like:
    """The shape and dtype of an array that need not be kept."""

    __slots__ = ("dtype", "shape")

    def __init__(self, x: Any) -> None:
        weak = type(x) in WEAK
        self.shape: tuple[int, ...] = () if weak else x.shape
        self.dtype: np.dtype[Any] = np.dtype(type(x)) if weak else x.dtype

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: int(np.prod(self.shape)))


class Pull:
    """A rule, compiled: which residuals it needs and how it is called with them.

    ``need`` indexes the list ``[*operands, ans]`` where the rule takes exactly one of them, which
    is then the residual itself; otherwise ``sources`` gathers a tuple (empty: no residual).
    """

    __slots__ = ("broadcasts", "call", "kind", "need", "sources")

    def __init__(
        self,
        rule: Rule,
        kind: str = "",
        broadcasts: bool = False,
        also: Rule | None = None,
    ) -> None:
        """``kind``: "elementwise", "rows" (along the keyword ``axis`` or the first axis),
        "product", "matrices" (a product of matrices, in the last two axes) or none of these, on
        which depends what zeros annihilate (see ``funcgrad.zeros``).
        ``broadcasts``: what the rule gives may have more or longer axes than the operand, over
        which the engine sums. ``also``: a function whose parameters come after the rule's own.
        """
        parameters = signature(rule)[1:] + (signature(also) if also else [])
        self.kind = kind
        self.broadcasts = kind == "elementwise" or broadcasts
        self.need: int | None = None
        self.sources = tuple(_source(name, default) for name, default in parameters)
        if not self.sources:
            self.call: Rule = lambda g, _: rule(g)
        elif len(self.sources) == 1 and self.sources[0][0] == "operand":
            self.need = self.sources[0][1]
            self.call = rule
        else:
            self.call = lambda g, residuals: rule(g, *residuals)


def signature(rule: Rule) -> list[tuple[str, Any]]:
    """The named parameters of a rule with their defaults (``...`` where there is none)."""
    names = rule.__code__.co_varnames[: rule.__code__.co_argcount]
    defaults = rule.__defaults__ or ()
    return list(zip(names, (*[...] * (len(names) - len(defaults)), *defaults)))


def _source(name: str, default: Any) -> tuple[str, Any, Any]:
    if name == "ans":
        return ("operand", -1, None)
    if name in _OPERANDS:
        return ("operand", _OPERANDS[name], None)
    if name.endswith("_like") and name[:-5] in _OPERANDS:
        return ("like", _OPERANDS[name[:-5]], None)
    if name in ("i", "ys", "others"):
        return (name, None, None)
    return ("keyword", name, default)


def gather(
    pull: Pull, i: int, values: list[Any], keywords: dict[str, Any], keep: Callable[[Any, int], Any]
) -> tuple[Any, ...]:
    """The residuals of a rule that takes several; ``values`` holds the operands and, last, the
    result. ``keep(r, k)`` is asked for every array: operand ``k``, or a keyword (``k`` is −1)."""
    residuals: list[Any] = []
    for kind, key, default in pull.sources:
        if kind == "operand":
            residuals.append(values[-1] if key == -1 else keep(values[key], key))
        elif kind == "keyword":
            residuals.append(keep(keywords[key], -1) if key in keywords else default)
        elif kind == "like":
            residuals.append(Like(values[key]))
        elif kind == "i":
            residuals.append(i)
        elif kind == "ys":
            residuals.append(tuple(keep(values[k], k) for k in range(1, len(values) - 1)))
        else:
            residuals.append(
                tuple(
                    Like(values[k]) if k == i else keep(values[k], k)
                    for k in range(len(values) - 1)
                )
            )
    return tuple(residuals)


def strong(x: Any, ans: Any) -> Any:
    """A Python number as a NumPy scalar of the result's precision, to divide as NumPy does."""
    dtype = np.dtype(type(ans)) if type(ans) in WEAK else ans.dtype
    return np.result_type(dtype, x).type(x) if type(x) is complex else dtype.type(x)


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """``g`` summed over the axes along which an array of ``shape`` was broadcast."""
    if g.shape == shape:
        return g
    lead = g.ndim - len(shape)
    kept = [i + lead for i, n in enumerate(shape) if n == 1 and g.shape[i + lead] != 1]
    g = np.add.reduce(g, axis=(*range(lead), *kept))
    return g if g.shape == shape else np.reshape(g, shape)
