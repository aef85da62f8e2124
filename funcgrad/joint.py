"""Operations differentiated as a whole: several results, or one rule for all operands.

A ``Joint`` says how it runs for reverse mode (``forward`` gives the result and what the pullback
needs), how a cotangent of all results is pulled back to all operands, and how tangents of all
operands are pushed to all results. On a tape it is one node: each result hands its cotangent to
that node as one of its ``Parts``, and each operand takes its own from what one ``Pullback`` gives.
In ::

    q, r = decompose(a)      tape:   decompose <- a      the pullback's cotangent of a
    y = q @ r                        q <- decompose      Parts {0: ḡ of q}
                                     r <- decompose      Parts {1: ḡ of r}

the walk meets the edges from the last: those of ``r`` and ``q`` collect, the first one pulls back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .batching import BatchRule, each
from .core import Primitive, Tracer, youngest
from .errors import UnsupportedError
from .pull import Like


class Joint(Primitive):
    """A primitive whose derivative rules take all operands and all results at once.

    ``forward(*operands) -> (ans, residual)``, ``pull(g, residual) -> cotangents`` one an operand
    (None for zero), ``push(operands, tangents) -> (ans, tangents)``. A result ``ans`` that is a
    tuple is several results, whose cotangents and tangents are tuples as well.
    """

    __slots__ = ("forward", "pull", "push")

    def __init__(
        self,
        name: str,
        impl: Callable[..., Any],
        forward: Callable[..., tuple[Any, Any]],
        pull: Callable[[Any, Any], Sequence[Any]],
        push: Callable[[Sequence[Any], Sequence[Any]], tuple[Any, Any]],
        batch: BatchRule = each,
    ) -> None:
        self.name = name
        self.impl = impl
        self.pulls = self.pushes = ()
        self.batch = batch
        self.forward = forward
        self.pull = pull
        self.push = push

    @property
    def apply(self) -> Joint:  # type: ignore[override]
        """Itself, which is not kept: many live for one call, and would wait for the collector."""
        return self

    def __call__(self, *operands: Any, **keywords: Any) -> Any:
        top = youngest(operands)
        if top is None:
            return self.impl(*operands, **keywords)
        ans = top.joint(self, operands, keywords)
        for out in ans if type(ans) is tuple else (ans,):
            if type(out) is not Tracer:
                continue
            inner, node = out.value, out.node  # which belong to older traces, if to any
            strays = type(inner) is Tracer and inner.owner.birth >= top.birth
            if strays or (type(node) is Tracer and node.owner is top):
                raise UnsupportedError(
                    f"{self.name} took a traced value from its surroundings ({top.label}), which "
                    f"its rule does not differentiate. Pass that value as an argument."
                )
        return ans


def float_places(likes: Sequence[Like]) -> list[int]:
    """Which of several operands or results have a derivative."""
    return [k for k, like in enumerate(likes) if like.dtype.kind in "fc"]


def replaced(xs: Sequence[Any], places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    """``xs`` with ``new`` ones at ``places``."""
    replaced = list(xs)
    for k, x in zip(places, new):
        replaced[k] = x
    return replaced


class Parts:
    """The cotangents of several results, collected by number."""

    __slots__ = ("likes", "terms")

    def __init__(self, likes: Sequence[Like], k: int, g: Any) -> None:
        self.likes = likes
        self.terms = {k: g}

    def absorb(self, other: Parts) -> Parts:
        """This and ``other``, which is of other results, together."""
        self.terms |= other.terms
        return self

    def dense(self) -> tuple[Any, ...]:
        """The cotangents of all results, zeros where nothing came."""
        return tuple(
            self.terms[k] if k in self.terms else np.zeros(like.shape, like.dtype)
            for k, like in enumerate(self.likes)
        )


_NOTHING: tuple[Any, Any] = (object(), None)


class Pullback:
    """One pullback that serves the edges to all operands, called once in a walk."""

    __slots__ = ("cached", "last", "pull", "residual")

    def __init__(self, pull: Callable[[Any, Any], Sequence[Any]], residual: Any, last: int) -> None:
        """``last`` is the operand whose edge a walk comes to last."""
        self.pull = pull
        self.residual = residual
        self.last = last
        self.cached = _NOTHING

    def cotangent(self, g: Any, i: int) -> Any:
        """The cotangent of operand ``i``, None for zero."""
        of, cotangents = self.cached
        if of is not g:
            cotangents = self.pull(g, self.residual)
        self.cached = _NOTHING if i == self.last else (g, cotangents)
        return cotangents[i]
