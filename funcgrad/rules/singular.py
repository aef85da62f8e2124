"""Singular values and vectors.

Townsend 2016, "Differentiating the singular value decomposition", eq. 16 to 18, with its terms
1/(sⱼ² − sᵢ²) in two parts, of which only one is large where values are close: with
Uᴴ dA V = H + N, Hermitian and skew, Uᴴ dU and Vᴴ dV are H/(sⱼ − sᵢ) ± N/(sᵢ + sⱼ). A singular value
that is 0 has derivative 0, like the absolute value that it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batching import on_stacks
from ..joint import Joint
from ..verbs import composite
from .constants import stop
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
    vanishing,
)
from .spectral import parting


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
            vanishing(skew(p[..., k:]), arbitrary, gu, "svd")
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


# Singular values alone: as for eigenvalues in funcgrad.rules.spectral, the gradient being
# conj(U) diag(g) conj(Vᴴ). In its derivative H takes the place of VᴴdXV, and N has a part with
# (gᵢ + gⱼ)/(sᵢ + sⱼ).

_NAME = "svdvals"


def _settled(t: Any, s: Any) -> Any:
    """(Co)tangents of singular values: 0 at 0, as for abs."""
    return np.where(_zeros(s), 0.0, tied_mean(t, s, name=_NAME))


def _slopes(g: Any, s: Any) -> tuple[Any, Any]:
    """(gⱼ − gᵢ)/(sⱼ − sᵢ) and (gᵢ + gⱼ)/(sᵢ + sⱼ); g must be equal where s is, and 0 at 0."""
    alike(g, s, _NAME)
    vanishing(rows(g), rows(_zeros(s)), rows(g), _NAME)
    return (columns(g) - rows(g)) * gaps(s)[0], columns(g) + rows(g)


def _singular(g: Any, x: Any, u: Any, s: Any, vh: Any) -> Any:
    return np.matmul(conj(u), rows(_settled(g, s)) * conj(vh))


def _singular_forward(g: Any, x: Any, u: Any, s: Any, vh: Any) -> Any:
    return singular(g, x, u, s, vh), (g, x)


def _singular_pull(h: Any, residual: Any) -> list[Any]:
    g, x = residual
    if x.shape[-2] < x.shape[-1]:
        gg, gx, *_ = _singular_pull(adjoint(h), (g, adjoint(x)))
        return [gg, adjoint(gx), None, None, None]
    u, s, vh = _svd(x, full_matrices=False)
    h = np.matmul(conj(h), vh.mT)
    inner = np.matmul(u.mT, h)
    odd = skew(inner)
    flat = inner - odd
    between, across = _slopes(g, s)
    vanishing(flat, gaps(s)[1], inner, _NAME)
    gg = alike(np.real(diagonal(inner)), s, _NAME)
    turned = over_gaps(odd, *_sums(s), rounding(inner), name=_NAME)
    gx = np.matmul(conj(u), between * flat + across * turned)
    if x.shape[-2] > x.shape[-1]:
        gx = gx + _outside(h - np.matmul(conj(u), inner), h, s) * columns(g)
    return [gg, np.matmul(gx, conj(vh)), None, None, None]


def _changed(x: Any, t: Any) -> tuple[Any, ...]:
    """The decomposition of a tall x, its change by t in these bases, and how values part."""
    u, s, vh = _svd(x, full_matrices=False)
    moved = np.matmul(t, adjoint(vh))
    change = np.matmul(adjoint(u), moved)
    odd = skew(change)
    return u, s, vh, moved, change - odd, odd, parting(change - odd, gaps(s)[1])


def _singular_push(operands: Any, tangents: Any) -> Any:
    g, x, *_ = operands
    tall = x.shape[-2] >= x.shape[-1]
    t = (
        _singular_tangent(g, x, *tangents[:2])
        if tall
        else adjoint(_singular_tangent(g, adjoint(x), tangents[0], adjoint(tangents[1])))
    )
    return singular(*operands), conj(t)


def _singular_tangent(g: Any, x: Any, tg: Any, tx: Any) -> Any:
    u, s, vh, moved, flat, odd, basis = _changed(x, tx)
    between, across = _slopes(g, s)
    turned = over_gaps(odd, *_sums(s), rounding(moved), name=_NAME)
    inner = between * flat + across * turned + np.matmul(basis * columns(tg), adjoint(basis))
    t = np.matmul(u, inner)
    if x.shape[-2] > x.shape[-1]:
        t = t + _outside(moved - np.matmul(u, flat + odd), moved, s) * columns(g)
    return np.matmul(t, vh)


singular: Joint = joint(
    "singular", _singular, _singular_forward, _singular_pull, _singular_push, on_stacks
)


def _parted_pull(g: Any, residual: Any) -> list[Any]:
    # To second order a value of 0 follows its vectors' signs, which its least-norm slope does not.
    s = residual[2]
    vanishing(rows(g), rows(_zeros(s)), rows(g), _NAME)
    return [singular(g, *residual), None, None, None]


def _parted_push(operands: Any, tangents: Any) -> Any:
    (x, *_), (t, *_) = operands, tangents
    if x.shape[-2] < x.shape[-1]:
        x, t = adjoint(x), adjoint(t)
    *_, flat, _, basis = _changed(x, t)
    along = np.real(np.sum(conj(basis) * np.matmul(flat, basis), axis=-2))
    return parted_singular(*operands), along


parted_singular: Joint = joint(
    "parted_singular",
    lambda x, u, s, vh: s,
    lambda *operands: (parted_singular(*operands), operands),
    _parted_pull,
    _parted_push,
    on_stacks,
)


def _svdvals_forward(x: Any) -> Any:
    residual = (x, *_svd(stop(x), full_matrices=False))
    return parted_singular(*residual), residual


def _svdvals_push(operands: Any, tangents: Any) -> Any:
    u, s, vh = _svd(operands[0], full_matrices=False)
    change = np.sum(conj(u) * np.matmul(tangents[0], adjoint(vh)), axis=-2)
    return s, _settled(np.real(change), s)


_svdvals = joint(
    "svdvals",
    lambda x: np.linalg.svd(x, compute_uv=False),
    _svdvals_forward,
    lambda g, residual: [singular(g, *residual)],
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
