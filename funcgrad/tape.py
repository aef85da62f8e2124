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
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .core import WEAK, Primitive, Trace, Tracer, raw
from .joint import Joint, Parts, Pullback
from .pull import Like, Pull, gather, strong, unbroadcast
from .rules.elementwise import annihilate
from .rules.indexing import Sparse

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
        for t in operands:
            values.append(t.value if type(t) is Tracer and t.owner is self else t)
        ans = primitive.apply(*values, **keywords) if keywords else primitive.apply(*values)
        pulls = primitive.pulls
        if pulls is None:
            return ans
        values.append(ans)
        kind = type(ans)
        is_scalar = kind in _SCALARS
        node = next(self.nodes)
        record: tuple[Any, ...] = ()
        for i, t in enumerate(operands):
            if type(t) is not Tracer or t.owner is not self:
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
            record = record + edge if record else edge
        if record:
            # One call for all edges of an operation, so that threads cannot come in between.
            self.edges.extend(record)
        return Tracer(self, ans, node)

    def joint(self, primitive: Joint, operands: tuple[Any, ...], keywords: dict) -> Any:  # type: ignore[override]
        mine = [type(t) is Tracer and t.owner is self for t in operands]
        values = []
        for t, own in zip(operands, mine):
            if type(t) is Tracer:
                _detach(t)  # what the forward pass keeps of it is for itself to say
            values.append(t.value if own else self.copied(t) if type(t) is np.ndarray else t)
        ans, residual = primitive.forward(*values, **keywords)
        node = next(self.nodes)
        places = [i for i, own in enumerate(mine) if own]
        pullback = Pullback(primitive.pull, residual, places[0])
        record: list[Any] = []
        for i in places:
            record += (node, operands[i].node, _TO_OPERAND, (pullback, i), Like(values[i]))
        outs = ans if type(ans) is tuple else (ans,)
        if type(ans) is not tuple:
            self.edges.extend(record)
            return Tracer(self, ans, node)
        likes = [Like(out) for out in outs]
        nodes = [next(self.nodes) for _ in outs]
        for k, like in enumerate(likes):
            record += (nodes[k], node, _TO_PART, (likes, k), like)
        self.edges.extend(record)
        return tuple(
            [
                Tracer(self, out, own) if like.dtype.kind in "fc" else out
                for out, own, like in zip(outs, nodes, likes)
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
        return source.value if source.owner is self else source

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
        with np.errstate(all="ignore"):
            cotangents = self._walk(seeds, guarded=False)
            # A zero cotangent annihilates an infinite local derivative. Only then can a finite
            # gradient come out NaN, so the ordinary walk pays one look at its result.
            if not all(map(_finite, cotangents)):
                cotangents = self._walk(seeds, guarded=True)
        return cotangents

    def _walk(self, seeds: dict[int, Any], guarded: bool) -> list[Any]:
        cotangents: list[Any] = [None] * next(self.nodes)
        owned = bytearray(len(cotangents))
        for node, seed in seeds.items():
            cotangents[node] = seed
        inputs = self.inputs
        done = -1
        backwards = reversed(self.edges)
        for like, residual, pull, parent, child in zip(*[backwards] * 5):
            g = cotangents[child]
            if g is None:
                continue
            if child != done:
                if done >= 0:
                    cotangents[done] = None
                done = child
                if type(g) is Sparse or type(g) is Parts:
                    g = cotangents[child] = g.dense()
            c = pull.call(g, residual)
            if c is None:
                continue
            if guarded and pull.elementwise:
                c = annihilate(g, c)
            if like is not None:
                c = match(c, like, pull.broadcasts)
            elif type(c) is not Sparse and c.dtype is not g.dtype:
                c = c.astype(g.dtype)  # a rule met an operand of another dtype
            before = cotangents[parent]
            if before is None:
                cotangents[parent] = c
                if parent < inputs and type(c) is np.ndarray:
                    owned[parent] = c.base is None and c is not g and not _among(c, residual)
            else:
                cotangents[parent] = _add(before, c, owned[parent])
                owned[parent] = True
        return [_settle(c, ours) for c, ours in zip(cotangents[:inputs], owned)]


# The edges of a joint operation, to its operands and from its results.
_TO_OPERAND = Pull(lambda g, pullback, i: pullback.cotangent(g, i))
_TO_PART = Pull(lambda g, likes, k: Parts(likes, k, g))


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
    if type(x) is not np.ndarray or type(t.owner) is not Tape or _is_fixed(x):
        return
    if id(_owner(x)) in t.owner.lent:
        t.value = x.copy(order="K")


def _among(c: Any, residual: Any) -> bool:
    """Whether ``c`` may be an array that somebody else has as well."""
    if type(residual) is tuple:
        return any(c is r or type(r) is Pullback for r in residual)
    return c is residual


def _add(a: Any, b: Any, owned: int) -> Any:
    """The sum of two cotangents of one value, in place where ``a`` is ours to change."""
    if type(b) is Parts:
        return a.absorb(b)
    if type(b) is Sparse:
        if type(a) is Sparse:
            return a.absorb(b)
        if type(a) is np.ndarray and not b.traced:
            return b.add_to(a if owned else a.copy())
        return a + b.dense()
    if type(a) is Sparse:
        a = a.dense()
        owned = type(a) is np.ndarray
    if owned and type(a) is np.ndarray and type(b) is np.ndarray:
        a += b
        return a
    return a + b


def _settle(c: Any, owned: int) -> Any:
    if type(c) is Sparse:
        return c.dense()
    if type(c) is np.ndarray and not owned:
        return c.copy()
    return c


def _finite(c: Any) -> bool:
    if type(c) is Tracer:
        c = raw(c)
    if type(c) is np.ndarray and c.dtype.char in "fd":
        # The sum of squares is finite only where all are. Where it overflows without need, the
        # walk that follows gives the same.
        return math.isfinite(np.vdot(c, c))
    return c is None or bool(np.isfinite(c).all())


def match(c: Any, like: Like, broadcasts: bool) -> Any:
    """Bring a cotangent back to the shape (summing what was broadcast) and dtype of its primal."""
    if type(c) is Parts:
        return c
    if type(c) is Sparse:
        return c.cast(like.dtype)
    if broadcasts:
        c = unbroadcast(c, like.shape)
    if c.dtype != like.dtype:
        if c.dtype.kind == "c" and like.dtype.kind != "c":
            c = np.real(c)
        c = c.astype(like.dtype)
    return c
