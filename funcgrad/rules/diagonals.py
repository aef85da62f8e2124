"""Diagonals, the matrices that they make, and triangles."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..verbs import composite
from .indexing import scatter
from .order import view_of


@composite(np.diagonal, view=True)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    view = functools.partial(np.diagonal, offset=offset, axis1=axis1, axis2=axis2)
    return view_of(a, view, lambda a: _diagonal(a, offset, axis1, axis2))


def _diagonal(a: Any, offset: int, axis1: int, axis2: int) -> Any:
    np.diagonal(np.broadcast_to(False, a.shape), offset, axis1, axis2)  # or NumPy's error
    rows, columns = np.diagonal(
        np.indices((a.shape[axis1], a.shape[axis2])), offset, axis1=1, axis2=2
    )
    return np.moveaxis(a, (axis1, axis2), (-2, -1))[..., rows, columns]


@composite(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@composite(np.diag, view=True)
def diag(v: Any, k: int = 0) -> Any:
    if np.ndim(v) not in (1, 2):
        raise ValueError("Input must be 1- or 2-d.")
    if np.ndim(v) == 2:
        return np.diagonal(v, k)
    size = len(v) + abs(k)
    i = np.arange(len(v))
    return scatter(v, ats=((i + max(-k, 0), i + max(k, 0)),), shape=(size, size), dtype=v.dtype)


@composite(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    return np.diag(np.ravel(v), k)


def _triangle(m: Any, k: int) -> Any:
    return np.tri(*m.shape[-2:], k=k, dtype=bool)  # type: ignore[call-overload]


@composite(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    return np.where(_triangle(m, k), m, 0)


@composite(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    return np.where(_triangle(m, k - 1), 0, m)
