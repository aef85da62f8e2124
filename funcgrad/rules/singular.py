"""Singular values and vectors.

Townsend 2016, "Differentiating the singular value decomposition", eq. 16 to 18, with its terms
1/(sⱼ² − sᵢ²) in two parts, of which only one is large where values are close: with
Uᴴ dA V = H + N, Hermitian and skew, Uᴴ dU and Vᴴ dV are H/(sⱼ − sᵢ) ± N/(sᵢ + sⱼ). A singular value
that is 0 has derivative 0, like the absolute value that it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..verbs import composite
from .matrices import (
    adjoint,
    alike,
    columns,
    conj,
    diagonal,
    gaps,
    joint,
    over_gaps,
    reciprocal,
    rounding,
    rows,
    skew,
    tied_mean,
    tolerance,
    turning,
)


def _svd_forward(x: Any, full_matrices: bool) -> Any:
    ans = _svd(x, full_matrices=full_matrices)
    return ans, ans


def _svd_pull(g: Any, residual: Any) -> list[Any]:
    (gu, gs, gvh), (u, s, vh) = g, residual
    if u.shape[-2] >= vh.shape[-1]:
        return [_tall_pull(gu, gs, adjoint(gvh), u, s, adjoint(vh))]
    return [adjoint(_tall_pull(adjoint(gvh), gs, gu, adjoint(vh), s, u))]


def _zeros(s: Any) -> Any:
    return s <= tolerance(s)


def _sums(s: Any) -> tuple[Any, Any]:
    """1/(sᵢ + sⱼ), 0 where both are zero, and where that is."""
    sums = columns(s) + rows(s)
    zero = sums <= rows(tolerance(s))
    return reciprocal(sums, zero), zero


def _outside(x: Any, scale: Any, s: Any) -> Any:
    """x S⁻¹, of columns that have no part in U; must vanish where s does."""
    zero = columns(_zeros(s))
    return over_gaps(x, reciprocal(columns(s), zero), zero, rounding(scale), name="svd")


def _tall_pull(gu: Any, gs: Any, gv: Any, u: Any, s: Any, v: Any) -> Any:
    k = s.shape[-1]
    m = u.shape[-2]
    inside, g1 = u[..., :k], gu[..., :k]
    pu, pv = np.matmul(inside.mT, g1), np.matmul(v.mT, gv)
    scale = np.concatenate([g1, gv], axis=-2)
    turn = turning(pu + pv, gs, scale, s, "svd")
    turn = turn + over_gaps(skew(pu - pv), *_sums(s), rounding(scale), name="svd")
    values = np.where(_zeros(s), 0.0, alike(gs, s, "svd"))
    right = np.matmul(turn, v.mT) + rows(values) * v.mT
    ans = np.matmul(conj(inside), right)
    if m > k:
        if u.shape[-1] > k:
            outside = u[..., k:]
            p = np.matmul(outside.mT, gu)
            arbitrary = np.ones((m - k, m - k), dtype=bool)
            over_gaps(skew(p[..., k:]), 1.0, arbitrary, rounding(gu), name="svd")
            x = p[..., :k] - adjoint(np.matmul(inside.mT, gu[..., k:]))
            flat = np.matmul(conj(outside), _outside(x, gu, s))
        else:
            flat = _outside(g1 - np.matmul(conj(inside), pu), g1, s)
        ans = ans + np.matmul(flat, v.mT)
    return ans


def _svd_push(operands: Any, tangents: Any, full_matrices: bool) -> Any:
    (a,), (t,) = operands, tangents
    u, s, vh = _svd(a, full_matrices=full_matrices)
    if u.shape[-2] >= vh.shape[-1]:
        tu, ts, tv = _tall_push(t, u, s, adjoint(vh))
        return (u, s, vh), (tu, ts, adjoint(tv))
    tv, ts, tu = _tall_push(adjoint(t), adjoint(vh), s, u)
    return (u, s, vh), (tu, ts, adjoint(tv))


def _tall_push(t: Any, u: Any, s: Any, v: Any) -> tuple[Any, Any, Any]:
    k = s.shape[-1]
    m = u.shape[-2]
    inside = u[..., :k]
    moved = np.matmul(t, v)
    change = np.matmul(adjoint(inside), moved)
    odd = skew(change)
    both = over_gaps(change - odd, *gaps(s), rounding(moved), name="svd")
    each = over_gaps(odd, *_sums(s), rounding(moved), name="svd")
    tu, tv = np.matmul(inside, both + each), np.matmul(v, both - each)
    ts = np.where(_zeros(s), 0.0, np.real(diagonal(change)))
    if m > k:
        if u.shape[-1] > k:
            outside = u[..., k:]
            x = _outside(np.matmul(adjoint(outside), moved), moved, s)
            tu = np.concatenate(
                [tu + np.matmul(outside, x), -np.matmul(inside, adjoint(x))], axis=-1
            )
        else:
            tu = tu + _outside(moved - np.matmul(inside, change), moved, s)
    return tu, ts, tv


_svd = joint(
    "svd",
    lambda x, full_matrices: tuple(np.linalg.svd(x, full_matrices)),
    _svd_forward,
    _svd_pull,
    _svd_push,
)
_SVD = type(np.linalg.svd(np.eye(1)))


def _svdvals_forward(x: Any) -> Any:
    u, s, vh = _svd(x, full_matrices=False)
    return s, (u, s, vh)


def _settled(t: Any, s: Any) -> Any:
    """(Co)tangents of singular values: 0 at 0, as for abs."""
    return np.where(_zeros(s), 0.0, tied_mean(t, s, name="svdvals"))


def _svdvals_pull(g: Any, residual: Any) -> list[Any]:
    u, s, vh = residual
    return [np.matmul(conj(u), rows(_settled(g, s)) * conj(vh))]


def _svdvals_push(operands: Any, tangents: Any) -> Any:
    u, s, vh = _svd(operands[0], full_matrices=False)
    change = np.sum(conj(u) * np.matmul(tangents[0], adjoint(vh)), axis=-2)
    return s, _settled(np.real(change), s)


_svdvals = joint(
    "svdvals",
    lambda x: np.linalg.svd(x, compute_uv=False),
    _svdvals_forward,
    _svdvals_pull,
    _svdvals_push,
)


@composite(np.linalg.svdvals)
def svdvals(x: Any) -> Any:
    return _svdvals(x)


@composite(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    if not hermitian:
        return _SVD(*_svd(a, full_matrices=full_matrices)) if compute_uv else _svdvals(a)
    if not compute_uv:
        return np.flip(np.sort(np.abs(np.linalg.eigvalsh(a)), axis=-1), -1)
    w, v = np.linalg.eigh(a)
    order = np.flip(np.argsort(np.abs(w), axis=-1), -1)
    w = np.take_along_axis(w, order, axis=-1)
    v = np.take_along_axis(v, columns(order), axis=-1)
    return _SVD(v, np.abs(w), adjoint(v * columns(np.sign(w))))
