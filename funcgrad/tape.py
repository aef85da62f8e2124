"""The tape of reverse mode: a flat list of edges in recording order, walked backwards.

An operation on traced values appends one edge for each operand that the derivative reaches: the
operation's own node, the operand's node, the rule, its residuals, and (only where they differ) the
shape and dtype that the cotangent must be brought back to. Recording order is a topological order,
so the backward walk is one pass over the list from its end, without sorting or recursion. For
``z = sin(x) * x`` the tape and the cotangents of its walk are ::

    edge              rule            residual      cotangents after it
    1 <- 0  sin       g·cos x         x             {0: x·cos x + sin x}
    2 <- 1  multiply  g·y             y = x         {0: sin x, 1: x}      ↑
    2 <- 0  multiply  g·x             x = sin x     {0: sin x}            ↑ the walk starts here
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .core import Primitive, Tracer, frozen
from .joint import Joint, Parts, Pullback
from .pull import Like, Pull, gather, strong
from .trace import WEAK, Trace
from .walk import pulled

# Up to this size a copy costs less than the search for an earlier one.
SMALL_BYTES = 1 << 12

_SCALARS = {float, complex, *np.sctypeDict.values()}


class Tape(Trace):
    """One run of a function under reverse mode."""

    def __init__(self, f: Callable[..., Any], transform: str) -> None:
        self.transform = transform
        super().__init__(f)
        # child node, parent node, Pull, residual, Like or None; and again. One flat list: appending
        # is a single atomic call, and the garbage collector has no containers to visit.
        self.edges: list[Any] = []
        self.nodes = itertools.count()
        self.inputs = 0
        # id -> an array from outside and its copy; holding the array keeps its id from reuse.
        self.copies: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.lent: dict[int, np.ndarray] = {}  # id -> an array whose memory is an input's
        # Of checkpoints: the nodes inside each, and what lets one thread at a time be in one.
        self.inside: list[range] = []
        self.lock = threading.RLock()

    def born(self, x: Any) -> Tracer:
        """A traced stand-in for the input ``x``. Inputs come before any operation."""
        if isinstance(x, np.ndarray):
            x = x if type(x) is np.ndarray else x.view(np.ndarray)
            owner = _owner(x)
            self.lent[id(owner)] = owner
        self.inputs += 1
        return Tracer(self, x, next(self.nodes))

    def process(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        values = []
        compute = primitive.impl
        for t in operands:
            x = t.value if type(t) is Tracer and t.owner is self else t
            if type(x) is Tracer:
                compute = primitive.apply
            values.append(x)
        ans = compute(*values, **keywords) if keywords else compute(*values)
        pulls = primitive.pulls
        if pulls is None:
            return ans
        values.append(ans)
        kind = type(ans)
        is_scalar = kind in _SCALARS
        node = next(self.nodes)
        record: Any = ()
        for i, t in enumerate(operands):
            if values[i] is t:  # which is not of this trace
                continue
            pull = pulls if type(pulls) is Pull else pulls[i]
            if pull is None:
                continue
            need = pull.need
            if need is not None:
                residual = values[need]
                if type(residual) in WEAK:
                    residual = strong(residual, ans)
                elif need >= 0 and type(residual) not in _SCALARS:
                    residual = self.keep(residual, operands[need])
            elif pull.sources:
                residual = gather(pull, i, values, keywords, self.keeper(operands, ans))
            else:
                residual = None
            x = values[i]
            if is_scalar and type(x) is kind:
                like = None
            elif kind in WEAK or type(x) in WEAK:
                like = Like(x)
            elif x.dtype is ans.dtype and (not pull.broadcasts or x.shape == ans.shape):
                like = None
            else:
                like = Like(x)
            edge = (node, t.node, pull, residual, like)
            if not record:
                record = edge if len(operands) < 3 else [*edge]
            else:
                record += edge
        if record:
            # One call for all edges of an operation, so that threads cannot come in between.
            self.edges.extend(record)
        return Tracer(self, ans, node)

    def joint(self, primitive: Joint, operands: tuple[Any, ...], keywords: dict) -> Any:
        values, places = [], []
        for i, t in enumerate(operands):
            if type(t) is not Tracer:
                values.append(self.copied(t) if type(t) is np.ndarray else t)
                continue
            _detach(t)  # what the forward pass keeps of it is for itself to say
            if t.owner is self:
                places.append(i)
            values.append(t.value if t.owner is self else frozen(t))
        ans, residual = primitive.forward(*values, **keywords)
        node = next(self.nodes)
        pullback = Pullback(primitive.pull, residual, places[0])
        record: list[Any] = []
        for i in places:
            record += (node, operands[i].node, TO_OPERAND, (pullback, i), Like(values[i]))
        if type(ans) is not tuple:
            self.edges.extend(record)
            return Tracer(self, ans, node)
        likes = [Like(out) for out in ans]
        nodes = [next(self.nodes) for _ in ans]
        for k, like in enumerate(likes):
            record += (nodes[k], node, TO_PART, (likes, k), like)
        self.edges.extend(record)
        return tuple(
            [
                Tracer(self, out, own) if like.dtype.kind in "fc" else out
                for out, own, like in zip(ans, nodes, likes)
            ]
        )

    def keeper(self, operands: tuple[Any, ...], ans: Any) -> Any:
        """How ``gather`` keeps operand ``k`` of an operation, or a keyword (−1)."""

        def keep(r: Any, k: int) -> Any:
            if k >= 0 and type(r) in WEAK:
                return strong(r, ans)
            return self.keep(r, operands[k] if k >= 0 else None)

        return keep

    def keep(self, r: Any, source: Any) -> Any:
        """``r``, the value of ``source``, as a residual: safe from what the caller may do to it."""
        if type(source) is not Tracer:
            return self.copied(r) if type(r) is np.ndarray else r
        if type(r) is Tracer or r.base is not None or id(r) in self.lent:
            _detach(source)
        return source.value if source.owner is self else frozen(source)

    def copied(self, r: np.ndarray) -> np.ndarray:
        """An array from outside as it is now: a copy, made anew each time while it is small, beyond
        that only where no earlier one, still true, is at hand."""
        if _is_fixed(r):
            return r
        if r.nbytes <= SMALL_BYTES:
            return r.copy(order="K")
        _, copy = self.copies.get(id(r), (None, None))
        if copy is None or not _same_bits(r, copy):
            copy = r.copy(order="K")
            self.copies[id(r)] = r, copy
        return copy

    # The walk.

    def walk(self, seeds: dict[int, Any]) -> list[Any]:
        """The cotangent of each input, ``None`` where nothing reached it, and raw arrays owned by
        the caller. ``seeds`` maps nodes to cotangents; the tape stays as it was."""
        count = next(self.nodes)

        def empty() -> tuple[Any, Any]:
            return [None] * count, bytearray(count)

        with self.lock:  # no checkpoint has its own edges in their place
            edges, inside = self.edges, self.inside
        return pulled(edges, seeds, range(self.inputs), self.inputs, empty, inside)


# The edges of a joint operation, to its operands and from its results.
TO_OPERAND = Pull(lambda g, pullback, i: pullback.cotangent(g, i))
TO_PART = Pull(lambda g, likes, k: Parts(likes, k, g))


def _same_bits(x: np.ndarray, y: np.ndarray) -> bool:
    words = _WORDS.get(x.itemsize)
    if words is None:
        return x.tobytes() == y.tobytes()
    return bool((x.view(words) == y.view(words)).all())


_WORDS = {size: np.dtype(f"i{size}") for size in (1, 2, 4, 8)}


def _owner(x: np.ndarray) -> np.ndarray:
    """The array whose memory ``x`` looks at."""
    while type(x.base) is np.ndarray:
        x = x.base
    return x


def _is_fixed(x: np.ndarray) -> bool:
    """Whether the memory that ``x`` looks at cannot be written to."""
    x = _owner(x)
    return x.flags.owndata and not x.flags.writeable


def _detach(t: Tracer) -> None:
    """Let ``t`` go on with a copy where its value still looks at the caller's own memory."""
    while type(t.value) is Tracer:
        t = t.value
    x = t.value
    if type(x) is not np.ndarray or type(t.owner) is not Tape:
        return
    if id(_owner(x)) in t.owner.lent and not _is_fixed(x):
        t.value = x.copy(order="K")
