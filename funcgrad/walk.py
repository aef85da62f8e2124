"""The backward walk over the edges of a tape, and how cotangents of one value add up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .core import raw
from .errors import LeakedTracerError
from .joint import Parts, Pullback
from .pull import Like, unbroadcast
from .rules.indexing import Sparse
from .zeros import annihilated, finite

# Up to so many elements it costs less to look at a whole array than at its border.
_LARGE = 1 << 12

#: The form of a cotangent that is right already.
SETTLED = Like(0.0)


def pulled(
    edges: list[Any],
    seeds: dict[int, Any],
    wanted: Iterable[int],
    inputs: int,
    empty: Callable[[], tuple[Any, Any]],
    inside: Iterable[range],
) -> list[Any]:
    """The cotangents of the nodes ``wanted``, ``None`` where nothing reached them, and raw arrays
    owned by the caller, from the cotangents ``seeds``. Nodes below ``inputs`` are those that no
    edge starts from. ``empty`` makes the cotangents and the marks of ownership, by node. The nodes
    ``inside`` checkpoints have no edges here, but for their results."""
    with np.errstate(all="ignore"):
        cotangents, owned = empty()
        found, looks = _walk(edges, seeds, wanted, inputs, (cotangents, owned), guarded=False)
        if any(cotangents[node] is not None for nodes in inside for node in nodes):
            raise LeakedTracerError(
                "a value from inside a checkpointed function was used outside of it, where its "
                "derivative would be lost. Return it from the function, and pass what is traced as "
                "an argument of the function or in its closure, not in an object."
            )
        # A zero cotangent annihilates an infinite local derivative. Only then can a finite gradient
        # come out NaN, so the ordinary walk pays one look at its result.
        if not finite(*looks):
            found, _ = _walk(edges, seeds, wanted, inputs, empty(), guarded=True)
    return found


def _walk(
    edges: list[Any],
    seeds: dict[int, Any],
    wanted: Iterable[int],
    inputs: int,
    empty: tuple[Any, Any],
    guarded: bool,
) -> tuple[list[Any], list[Any]]:
    """The cotangents, and arrays that are not finite where in these a zero may have met what is
    not."""
    cotangents, owned = empty
    products = set()  # the inputs whose cotangents are one product of matrices each
    for node, seed in seeds.items():
        cotangents[node] = seed
    done = -1
    backwards = reversed(edges)
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
        if guarded and type(c) is not Sparse and type(c) is not Parts and not finite(c):
            c = annihilated(pull, g, residual, c)
        if like is not None:
            c = match(c, like, pull.broadcasts)
        elif type(c) is not Sparse and c.dtype is not g.dtype:
            c = c.astype(g.dtype)  # a rule met an operand of another dtype
        before = cotangents[parent]
        if before is None:
            cotangents[parent] = c
            if parent < inputs and type(c) is np.ndarray:
                owned[parent] = c.base is None and c is not g and not _among(c, residual)
            if pull.kind == "matrices" and parent < inputs and c.size > _LARGE and c.ndim > 1:
                products.add(parent)
        else:
            products.discard(parent)
            cotangents[parent] = _add(before, c, owned[parent])
            owned[parent] = True
    if done >= 0:
        cotangents[done] = None
    found = []
    for node in wanted:
        c = cotangents[node]
        found.append(c if type(c) is np.ndarray and owned[node] else _settle(c))
    if not products:
        return found, found
    rest = [c for node, c in zip(wanted, found) if node not in products]
    return found, rest + [x for node in products for x in _border(raw(cotangents[node]))]


def _border(product: Any) -> tuple[Any, Any]:
    """A row and a column of a product of matrices. What is not finite in a factor, by which a zero
    may be multiplied, makes a whole row or column of the product so."""
    return product[..., 0, :], product[..., 0]


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


def _settle(c: Any) -> Any:
    if type(c) is Sparse:
        return c.dense()
    return c.copy() if type(c) is np.ndarray else c


def match(c: Any, like: Like, broadcasts: bool) -> Any:
    """Bring a cotangent back to the shape (summing what was broadcast) and dtype of its primal."""
    if type(c) is Parts or like is SETTLED:
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
