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
from collections.abc import Callable
from typing import Any

import numpy as np

from .core import Primitive, Trace, Tracer, raw
from .errors import MutationError
from .rules.elementwise import annihilate
from .rules.indexing import Sparse
from .verbs import Like, Pull, unbroadcast

# An array from outside that a rule keeps is copied, each time while it is small and once a tape
# while it is of middling size; a large one is fingerprinted.
SMALL_BYTES = 1 << 12
LARGE_BYTES = 1 << 22

_PYTHON_SCALARS = (float, int, bool, complex)
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
        self.borrowed: set[int] = set()
        self.watched: dict[int, _Watched] = {}

    def born(self, x: Any) -> Tracer:
        """A traced stand-in for the input ``x``. Inputs come before any operation."""
        if type(x) is np.ndarray:
            self.borrowed.add(id(_base(x)))
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
        for i, t in enumerate(operands):
            if type(t) is not Tracer or t.owner is not self:
                continue
            pull = pulls if type(pulls) is Pull else pulls[i]
            if pull is None:
                continue
            need = pull.need
            if need is not None:
                residual = values[need]
                if type(residual) is np.ndarray:
                    if need >= 0:
                        residual = self.keep(residual, operands[need], primitive)
                elif type(residual) in _PYTHON_SCALARS:
                    residual = _strong(residual, ans)
            elif pull.sources:
                residual = self.gather(pull, i, operands, values, keywords, primitive)
            else:
                residual = None
            x = values[i]
            if is_scalar and type(x) is kind:
                like = None
            elif type(x) is float or kind is float:
                like = Like(x)
            elif x.dtype is ans.dtype and (not pull.elementwise or x.shape == ans.shape):
                like = None
            else:
                like = Like(x)
            self.edges.extend((node, t.node, pull, residual, like))
        return Tracer(self, ans, node)

    # Residuals.

    def gather(
        self,
        pull: Pull,
        i: int,
        operands: tuple[Any, ...],
        values: list[Any],
        keywords: dict[str, Any],
        primitive: Primitive,
    ) -> tuple[Any, ...]:
        """The residual tuple of a rule that takes more than one."""
        residuals: list[Any] = []
        for kind, key, default in pull.sources:
            if kind == "operand":
                r = values[key]
                if type(r) is np.ndarray:
                    if key >= 0:
                        r = self.keep(r, operands[key], primitive)
                elif type(r) in _PYTHON_SCALARS:
                    r = _strong(r, values[-1])
            elif kind == "keyword":
                r = keywords.get(key, default)
                if type(r) is np.ndarray:
                    r = self.keep(r, r, primitive)
            elif kind == "like":
                r = Like(values[key])
            elif kind == "i":
                r = i
            else:
                r = tuple(
                    self.keep(x, t, primitive) if type(x) is np.ndarray else x
                    for x, t in zip(values[key], operands[key.start :])
                )
            residuals.append(r)
        return tuple(residuals)

    def keep(self, x: np.ndarray, source: Any, primitive: Primitive) -> np.ndarray:
        """``x`` as a residual: safe from what the caller may do to it before the walk.

        An array that an operation of this tape made is safe. One that came from outside, or is a
        view of one, is copied or watched.
        """
        if (
            source is not x
            and type(source) is Tracer
            and source.node >= self.inputs
            and (x.base is None or id(_base(x)) not in self.borrowed)
        ):
            return x
        if x.nbytes <= SMALL_BYTES:
            return x.copy(order="K")
        watched = self.watched.get(id(x))
        if watched is None:
            watched = self.watched[id(x)] = _Watched(x, primitive.name)
        else:
            # Its copy serves again, unless the walk finds that it had changed in between.
            watched.checked = True
        return watched.kept

    def check_unchanged(self) -> None:
        """Raise if an array is not what it was when an operation used it."""
        for watched in self.watched.values():
            if watched.checked and watched.changed():
                x = watched.array
                raise MutationError(
                    f"an array of shape {x.shape} and dtype {x.dtype} was changed in place after "
                    f"{watched.user} used it and before the backward pass, which needs its old "
                    f"values ({self.label}). Pass a copy (x.copy()), or write x = x + … for x += …."
                )

    # The walk.

    def walk(self, seeds: dict[int, Any]) -> list[Any]:
        """The cotangent of each input, ``None`` where nothing reached it, and raw arrays owned by
        the caller. ``seeds`` maps nodes to cotangents; the tape stays as it was."""
        self.check_unchanged()
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
                if type(g) is Sparse:
                    g = cotangents[child] = g.dense()
            c = pull.call(g, residual)
            if guarded and pull.elementwise:
                c = annihilate(g, c)
            if like is not None:
                c = match(c, like, pull.elementwise)
            before = cotangents[parent]
            if before is None:
                cotangents[parent] = c
                if parent < inputs and type(c) is np.ndarray:
                    owned[parent] = c.base is None and c is not g and not _among(c, residual)
            else:
                cotangents[parent] = _add(before, c, owned[parent])
                owned[parent] = True
        return [_settle(c, ours) for c, ours in zip(cotangents[:inputs], owned)]


class _Watched:
    """An array from outside that the backward walk needs as it was when ``user`` took it."""

    __slots__ = ("array", "checked", "fingerprint", "kept", "user")

    def __init__(self, array: np.ndarray, user: str) -> None:
        self.array = array
        self.user = user
        self.checked = array.nbytes > LARGE_BYTES
        self.kept = array if self.checked else array.copy(order="K")
        self.fingerprint = _fingerprint(array) if self.checked else None

    def changed(self) -> bool:
        if self.kept is self.array:
            return self.fingerprint != _fingerprint(self.array)
        return self.kept.tobytes() != self.array.tobytes()


# Words without pattern: multiples of the golden ratio, as in Knuth's multiplicative hashing.
_SALT = np.arange(1 << 14, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def _fingerprint(x: np.ndarray) -> tuple[int, bytes]:
    """A checksum of every byte of ``x`` that depends on where each stands."""
    if 0 in x.strides:  # a broadcast view repeats itself
        x = x[tuple(slice(1) if stride == 0 else slice(None) for stride in x.strides)]
    data = x.ravel(order="K").view(np.uint8)
    whole = data.size - data.size % 8
    words = data[:whole].view(np.uint64)
    checksum = 0
    for start in range(0, words.size, _SALT.size):
        block = words[start : start + _SALT.size]
        checksum = hash((checksum, int(np.add.reduce(block ^ _SALT[: block.size]))))
    return checksum, data[whole:].tobytes()


def _base(x: np.ndarray) -> np.ndarray:
    while type(x.base) is np.ndarray:
        x = x.base
    return x


def _strong(x: Any, ans: Any) -> Any:
    """A Python number as a NumPy scalar, so that a rule may divide by it as NumPy does."""
    return np.float64(x) if type(ans) is float else ans.dtype.type(x)


def _among(c: Any, residual: Any) -> bool:
    return c is residual or (type(residual) is tuple and any(c is r for r in residual))


def _add(a: Any, b: Any, owned: int) -> Any:
    """The sum of two cotangents of one value, in place where ``a`` is ours to change."""
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
    c = raw(c)
    return c is None or bool(np.isfinite(c).all())


def match(c: Any, like: Like, elementwise: bool) -> Any:
    """Bring a cotangent back to the shape (summing what was broadcast) and dtype of its primal."""
    if type(c) is Sparse:
        return c.cast(like.dtype)
    if elementwise:
        c = unbroadcast(c, like.shape)
    if c.dtype != like.dtype:
        if c.dtype.kind == "c" and like.dtype.kind != "c":
            c = np.real(c)
        c = c.astype(like.dtype)
    return c
