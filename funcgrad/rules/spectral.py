"""Eigenvalues of Hermitian matrices alone, with second derivatives where they are equal.

The gradient of f(λ) is V diag(g) Vᴴ, where g = ∂f/∂λ. Its derivative along dX is (Daleckii and
Krein) V (L ∘ VᴴdXV + diag(dg)) Vᴴ, Lᵢⱼ = (gⱼ − gᵢ)/(λⱼ − λᵢ). Where eigenvalues are equal V is any
basis; of a symmetric function g is equal then as well, but dg is not. In forward mode the basis can
be the one in which VᴴdXV is diagonal, so that dλ is how the eigenvalues part, and dg what f makes
of it. That gives Hessians of symmetric functions, by forward over reverse mode. In reverse mode no
direction is known, and what would need one is refused. ::

    hessian(lambda a: np.sum(np.linalg.eigvalsh((a + a.T) / 2) ** 2))(np.eye(3))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batching import on_stacks
from ..core import Primitive
from ..joint import Joint
from ..verbs import composite, rule
from .constants import stop
from .decompositions import eigh_factors
from .matrices import (
    adjoint,
    alike,
    columns,
    conj,
    diagonal,
    diagonals,
    gaps,
    hermitian,
    joint,
    over_gaps,
    rows,
    stacked,
    tied_mean,
    vanishing,
)

_NAME = "eigvalsh"


def _parting(x: Any, y: Any) -> Any:
    n = x.shape[-1]
    y = np.broadcast_to(y, x.shape)
    if not y.any():
        return np.zeros_like(x) + np.eye(n, dtype=x.dtype)
    within = np.where(y | np.eye(n, dtype=bool), x, 0.0)
    # Blocks that are moved far apart have no vectors in common.
    ends = ~diagonal(y[..., 1:, :-1])
    block = np.cumsum(np.concatenate([np.zeros_like(ends[..., :1]), ends], axis=-1), axis=-1)
    far = 4.0 * n * np.max(np.abs(within), axis=(-2, -1), keepdims=True)
    return np.linalg.eigh(within + far * diagonals(block))[1].astype(x.dtype, copy=False)


def _no_parting(g: Any, y: Any) -> Any:
    over_gaps(np.ones_like(g), 1.0, y, 0.0, name=_NAME)
    return np.zeros_like(g)


#: The basis in which a Hermitian matrix x is diagonal between tied vectors, which y tells; it is
#: differentiated only where there are none.
parting: Primitive = rule(_parting, [_no_parting, None], [_no_parting, None], batch=stacked)


def _moved(x: Any, t: Any) -> tuple[Any, Any, Any, Any]:
    """The eigenvalues and vectors of x, the change by t between these, and how they part."""
    w, v = eigh_factors(x, UPLO="L")
    change = np.matmul(adjoint(v), np.matmul(t, v))
    return w, v, change, parting(change, gaps(w)[1])


def _slopes(g: Any, w: Any) -> Any:
    """(gⱼ − gᵢ)/(λⱼ − λᵢ), and 0 where eigenvalues are equal, where g must be equal too."""
    alike(g, w, _NAME)
    return (columns(g) - rows(g)) * gaps(w)[0]


# X̄ = conj(V) diag(g) Vᵀ, given w and V as constants, which its derivatives make out of x.


def _spectral(g: Any, x: Any, w: Any, v: Any) -> Any:
    return np.matmul(conj(v), rows(tied_mean(g, w, name=_NAME)) * v.mT)


def _spectral_forward(g: Any, x: Any, w: Any, v: Any) -> Any:
    return spectral(g, x, w, v), (g, x)


def _spectral_pull(h: Any, residual: Any) -> list[Any]:
    g, x = residual
    w, v = eigh_factors(x, UPLO="L")
    inner = np.matmul(v.mT, np.matmul(h.mT, conj(v)))
    inner = 0.5 * (inner + adjoint(inner))
    ties = gaps(w)[1]
    vanishing(inner, ties, inner, _NAME)
    gg = alike(np.real(diagonal(inner)), w, _NAME)
    return [gg, np.matmul(conj(v), np.matmul(_slopes(g, w) * inner, v.mT)), None, None]


def _spectral_push(operands: Any, tangents: Any) -> Any:
    (g, x, _, _), (tg, tx, _, _) = operands, tangents
    w, v, change, basis = _moved(x, tx)
    inner = _slopes(g, w) * change + np.matmul(basis * columns(tg), adjoint(basis))
    return spectral(*operands), np.matmul(v, np.matmul(inner, adjoint(v))).mT


spectral: Joint = joint(
    "spectral", _spectral, _spectral_forward, _spectral_pull, _spectral_push, on_stacks
)


# The eigenvalues, given as w: as an operation that reverse mode makes of them, whose tangents are
# how they part, and as one that shares tangents as it shares cotangents.


def _parted_forward(x: Any, w: Any, v: Any) -> Any:
    return parted(x, w, v), (x, w, v)


def _parted_push(operands: Any, tangents: Any) -> Any:
    _, _, change, basis = _moved(operands[0], tangents[0])
    along = np.sum(conj(basis) * np.matmul(change, basis), axis=-2)
    return parted(*operands), np.real(along)


parted: Joint = joint(
    "parted",
    lambda x, w, v: w,
    _parted_forward,
    lambda g, residual: [spectral(g, *residual), None, None],
    _parted_push,
    on_stacks,
)


def _eigvalsh_forward(x: Any) -> Any:
    w, v = eigh_factors(stop(x), UPLO="L")
    return parted(x, w, v), (x, w, v)


def _eigvalsh_push(operands: Any, tangents: Any) -> Any:
    w, v = eigh_factors(operands[0], UPLO="L")
    change = np.real(np.sum(conj(v) * np.matmul(tangents[0], v), axis=-2))
    return w, tied_mean(change, w, name=_NAME)


_eigvalsh = joint(
    "eigvalsh",
    np.linalg.eigvalsh,
    _eigvalsh_forward,
    lambda g, residual: [spectral(g, *residual)],
    _eigvalsh_push,
)


@composite(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    return _eigvalsh(hermitian("linalg.eigvalsh", a, UPLO))
