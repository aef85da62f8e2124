"""Cholesky, QR, eigenvalues, eigenvectors and singular values.

A decomposition has several results, so each is one ``Joint`` operation, and its tangents come from
the differential of its defining equation. Eigenvectors and singular vectors have a derivative with
terms 1/(λⱼ − λᵢ). Where eigenvalues are equal there is no such term: the vectors are then any basis
of a subspace, and only what is the same for every basis has a derivative. A cotangent that does not
reach the term leaves it out; one that does is refused. Eigenvalues that are equal share their
cotangents evenly, which is right for every symmetric function of them and for others the least-norm
choice. So for A = I, ``np.sum(np.linalg.eigvalsh(A) ** 3)`` has the gradient 3·I, and
``np.linalg.eigh(A)[1][0, 0]`` has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from ..batching import align, front, spread
from ..errors import UnsupportedError
from ..joint import Joint
from ..verbs import PRIMITIVES, composite, rule


def adjoint(x: Any) -> Any:
    """The conjugate transpose of matrices."""
    return np.conj(x.mT) if x.dtype.kind == "c" else x.mT


def conj(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


def square(name: str, a: Any) -> None:
    """Raise NumPy's error unless ``a`` is a stack of square matrices."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise LinAlgError(f"np.{name} takes square matrices, and got an array of shape {a.shape}.")


def hermitian(name: str, a: Any, UPLO: str = "L") -> Any:
    """The Hermitian matrices of which LAPACK reads one triangle and the real part of the diagonal.

    Its derivative leaves the other triangle alone, as NumPy does.
    """
    square(name, a)
    if UPLO.upper() not in ("L", "U"):
        raise ValueError(f"np.{name}: UPLO is {UPLO!r}, and must be 'L' or 'U'.")
    strict = np.tril(a, -1) if UPLO.upper() == "L" else np.triu(a, 1)
    diagonal = np.where(np.eye(a.shape[-1], dtype=bool), np.real(a), 0.0)
    return strict + adjoint(strict) + diagonal


def _joint(name: str, impl: Any, forward: Any, pull: Any, push: Any) -> Joint:
    PRIMITIVES[name] = primitive = Joint(name, impl, forward, pull, push, front)
    return primitive


# Where values are equal.


def _stacked(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    x, *others = operands
    first = x if mine[0] else spread(x, size)
    return primitive.apply(*align([first, *others], (True, *mine[1:])), **keywords)


def _avoids(x: Any, scale: Any, mask: Any, *, name: str) -> Any:
    limit = np.sqrt(np.finfo(x.dtype).eps) * np.max(np.abs(scale), axis=(-2, -1), initial=0.0)
    if np.any(mask & (np.abs(x) > np.expand_dims(limit, (-2, -1)))):
        raise LinAlgError(
            f"np.linalg.{name}: the derivative asked for needs the vectors of values that are "
            f"equal (or zero), where any basis will do and NumPy's choice of one has no "
            f"derivative, or it needs the phase of a vector. Write np.linalg.eigvalsh or "
            f"np.linalg.svdvals for a function of the values alone, and matrix functions by "
            f"np.linalg.solve, cholesky or matrix_power."
        )
    return x


#: ``x``, which must be zero to rounding, beside ``scale``, where ``mask`` is true.
avoids = rule(
    _avoids, [lambda g: g, None, None], [lambda t: t, None, None], batch=_stacked
)  # fmt: skip


def _tolerance(w: Any) -> Any:
    """How far apart equal values may come out, of matrices of this size."""
    largest = np.max(np.abs(w), axis=-1, keepdims=True, initial=0.0)
    return np.expand_dims(10.0 * w.shape[-1] * float(np.finfo(w.dtype).eps) * largest, -1)


def _reciprocal(x: Any, zero: Any) -> Any:
    """1/x, and 0 where ``zero``."""
    return np.where(zero, 0.0, 1.0 / np.where(zero, 1.0, x))


def _gaps(w: Any) -> tuple[Any, Any]:
    """1/(wⱼ − wᵢ), 0 for equal ones, and which are equal."""
    gaps = np.expand_dims(w, -2) - np.expand_dims(w, -1)
    ties = np.abs(gaps) <= _tolerance(w)
    return _reciprocal(gaps, ties), ties


def _shared(g: Any, w: Any) -> Any:
    """``g`` with the average over equal values in place of each."""
    gaps = np.expand_dims(w, -2) - np.expand_dims(w, -1)
    weights = np.where(np.abs(gaps) <= _tolerance(w), np.ones_like(gaps), 0.0)
    weights = weights / np.sum(weights, axis=-1, keepdims=True)
    return np.matmul(weights, np.expand_dims(g, -1))[..., 0]


def _skew(x: Any) -> Any:
    return 0.5 * (x - adjoint(x))


def _diagonal(x: Any) -> Any:
    return np.diagonal(x, axis1=-2, axis2=-1)


def _turning(p: Any, g: Any, scale: Any, w: Any, name: str) -> Any:
    """The cotangent of V's turning VᴴdV, from ``p`` = VᵀV̄, where equal values let it be determined.

    Between equal values the skew part of ``p`` must vanish, or the loss depends on the basis. If
    the Hermitian part is there, the loss may be one of the projector, whose derivative needs no
    term, or of a matrix function V f(w) Vᴴ, which needs f′. It is f′ that ``g``, the cotangent of
    the values, shows: to be 0 where the diagonal of ``p`` has something and ``g`` nothing.
    """
    ties = _gaps(w)[1]
    largest = np.max(np.abs(scale), axis=(-2, -1), initial=0.0)
    small = np.expand_dims(float(np.finfo(w.dtype).eps) ** 0.5 * largest, -1)
    projects = (np.abs(_diagonal(p)) > small) & (g == 0)
    projects = np.expand_dims(projects, -1) & np.expand_dims(projects, -2)
    apart = ties & ~np.eye(w.shape[-1], dtype=bool)
    p = avoids(p, scale, apart & ~projects, name=name)
    return avoids(_skew(p), scale, ties, name=name)


def _alike(g: Any, w: Any, name: str) -> Any:
    """The cotangents of values, which beside one of their vectors must agree where values do."""
    differences = np.expand_dims(g, -2) - np.expand_dims(g, -1)
    avoids(differences, np.expand_dims(g, -1), _gaps(w)[1], name=name)
    return g


# Cholesky.


def _lower(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    return 0.5 * (np.tril(x) + np.tril(x, -1))


def _divided(x: Any, y: Any) -> Any:
    """x y⁻¹."""
    return np.linalg.solve(y.mT, x.mT).mT


def _cholesky(x: Any) -> Any:
    return np.linalg.cholesky(x)


# Murray 2016, "Differentiation of the Cholesky decomposition", eq. 8 and 10.
_factor = rule(
    _cholesky,
    lambda g, ans: _divided(np.linalg.solve(ans.mT, _lower(np.matmul(ans.mT, g))), conj(ans)),
    lambda t, ans: np.matmul(ans, _lower(_divided(np.linalg.solve(ans, t), adjoint(ans)))),
    batch=front,
)


@composite(np.linalg.cholesky)
def cholesky(a: Any, upper: bool = False) -> Any:
    factor = _factor(hermitian("linalg.cholesky", a, "U" if upper else "L"))
    return adjoint(factor) if upper else factor


# QR: Walter and Lehmann 2010, "Algorithmic differentiation of linear algebra functions", sec. 3.3,
# and Seeger et al. 2017, "Auto-differentiating linear algebra", for its transpose.


def _qr_forward(x: Any) -> Any:
    ans = _reduced(x)
    return ans, ans


def _qr_pull(g: Any, residual: Any) -> list[Any]:
    (gq, gr), (q, r) = g, residual
    inner = np.matmul(gr, r.mT)
    p = np.matmul(q.mT, gq) - inner
    inner = inner + 2.0 * _lower(_skew(p))
    flat = gq - np.matmul(conj(q), np.matmul(q.mT, gq) - inner)
    return [_divided(flat, r.mT)]


def _qr_push(operands: Any, tangents: Any) -> Any:
    q, r = _reduced(operands[0])
    change = _divided(tangents[0], r)
    c = np.matmul(adjoint(q), change)
    turn = 2.0 * _skew(_lower(c))  # the skew matrix whose lower triangle is that of c
    return (q, r), (change - np.matmul(q, c - turn), np.matmul(c - turn, r))


_reduced = _joint("qr", lambda x: tuple(np.linalg.qr(x)), _qr_forward, _qr_pull, _qr_push)


@composite(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    m, n = a.shape[-2:]
    if mode not in ("reduced", "complete", "r") or (mode == "complete" and m > n):
        raise UnsupportedError(
            f"np.linalg.qr: mode={mode!r} of matrices of shape {(m, n)} has no derivative"
            f"{', since the last columns of q are arbitrary' if mode == 'complete' else ''}. "
            f"Write mode='reduced' or mode='r'."
        )
    q, r = _reduced(a[..., :m])
    if m < n:  # the other columns, in the basis of the first ones
        r = np.concatenate([r, np.matmul(adjoint(q), a[..., m:])], axis=-1)
    return r if mode == "r" else _Q_AND_R(q, r)


_Q_AND_R = type(np.linalg.qr(np.eye(1)))


# Eigenvalues and eigenvectors of Hermitian matrices: Giles 2008, "Collected matrix derivative
# results for forward and reverse mode algorithmic differentiation", sec. 3.1.


def _eigh_forward(x: Any, UPLO: str) -> Any:
    ans = _eigh(x, UPLO=UPLO)
    return ans, ans


def _eigh_pull(g: Any, residual: Any) -> list[Any]:
    (gw, gv), (w, v) = g, residual
    turn = _turning(np.matmul(v.mT, gv), gw, gv, w, "eigh")
    inner = np.matmul(_gaps(w)[0] * turn, v.mT) + np.expand_dims(_alike(gw, w, "eigh"), -1) * v.mT
    return [np.matmul(conj(v), inner)]


def _eigh_push(operands: Any, tangents: Any, UPLO: str) -> Any:
    w, v = _eigh(operands[0], UPLO=UPLO)
    change = np.matmul(adjoint(v), np.matmul(tangents[0], v))
    reciprocals, ties = _gaps(w)
    apart = ties & ~np.eye(w.shape[-1], dtype=bool)
    change = avoids(change, change, apart, name="eigh")
    return (w, v), (np.real(_diagonal(change)), np.matmul(v, reciprocals * change))


_eigh = _joint(
    "eigh",
    lambda x, UPLO: tuple(np.linalg.eigh(x, UPLO)),
    _eigh_forward,
    _eigh_pull,
    _eigh_push,
)
_EIGH = type(np.linalg.eigh(np.eye(1)))


@composite(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    return _EIGH(*_eigh(hermitian("linalg.eigh", a, UPLO), UPLO=UPLO))


def _eigvalsh_forward(x: Any, UPLO: str) -> Any:
    w, v = _eigh(x, UPLO=UPLO)
    return w, (w, v)


def _eigvalsh_pull(g: Any, residual: Any) -> list[Any]:
    w, v = residual
    return [np.matmul(conj(v), np.expand_dims(_shared(g, w), -1) * v.mT)]


def _eigvalsh_push(operands: Any, tangents: Any, UPLO: str) -> Any:
    w, v = _eigh(operands[0], UPLO=UPLO)
    return w, _shared(np.real(np.sum(conj(v) * np.matmul(tangents[0], v), axis=-2)), w)


_eigvalsh = _joint(
    "eigvalsh", np.linalg.eigvalsh, _eigvalsh_forward, _eigvalsh_pull, _eigvalsh_push
)


@composite(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    return _eigvalsh(hermitian("linalg.eigvalsh", a, UPLO), UPLO=UPLO)


# Eigenvalues and eigenvectors of any matrix: Boeddeker et al. 2017, "On the computation of complex-
# valued gradients with application to statistically optimum beamforming", sec. 4.3. Eigenvectors
# keep their length 1, and no tangent along them turns their phase.


def _eig_forward(x: Any) -> Any:
    ans = _eig(x)
    return ans, ans


def _eig_pull(g: Any, residual: Any) -> list[Any]:
    (gw, gv), (w, v) = g, residual
    reciprocals, ties = _gaps(w)
    p = np.matmul(v.mT, gv)
    diagonal = np.eye(w.shape[-1], dtype=bool)
    if p.dtype.kind == "c":
        p = p - 1j * avoids(np.where(diagonal, np.imag(p), 0.0), gv, diagonal, name="eig")
    # The tangent of a column has no part along it: V K − V diag(Vᴴ V K).
    overlaps = np.matmul(v.mT, conj(v))
    p = p - overlaps * np.expand_dims(_diagonal(p), -2)
    p = avoids(p, gv, ties & ~diagonal, name="eig")
    inner = reciprocals * p + np.where(diagonal, np.expand_dims(_alike(gw, w, "eig"), -1), 0.0)
    return [np.linalg.solve(v.mT, np.matmul(inner, v.mT))]


def _eig_push(operands: Any, tangents: Any) -> Any:
    w, v = _eig(operands[0])
    change = np.linalg.solve(v, np.matmul(tangents[0], v))
    reciprocals, ties = _gaps(w)
    apart = ties & ~np.eye(w.shape[-1], dtype=bool)
    turn = reciprocals * avoids(change, change, apart, name="eig")
    moved = np.matmul(v, turn)
    moved = moved - v * np.sum(conj(v) * moved, axis=-2, keepdims=True)
    return (w, v), (_diagonal(change), moved)


_eig = _joint("eig", lambda x: tuple(np.linalg.eig(x)), _eig_forward, _eig_pull, _eig_push)
_EIG = type(np.linalg.eig(np.eye(1)))


@composite(np.linalg.eig)
def eig(a: Any) -> Any:
    square("linalg.eig", a)
    return _EIG(*_eig(a))


def _eigvals_forward(x: Any) -> Any:
    w, v = _eig(x)
    return w, (w, v)


def _eigvals_pull(g: Any, residual: Any) -> list[Any]:
    w, v = residual
    return [np.linalg.solve(v.mT, np.expand_dims(_shared(g, w), -1) * v.mT)]


def _eigvals_push(operands: Any, tangents: Any) -> Any:
    w, v = _eig(operands[0])
    return w, _shared(_diagonal(np.linalg.solve(v, np.matmul(tangents[0], v))), w)


_eigvals = _joint("eigvals", np.linalg.eigvals, _eigvals_forward, _eigvals_pull, _eigvals_push)


@composite(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    square("linalg.eigvals", a)
    return _eigvals(a)


# Singular values and vectors: Townsend 2016, "Differentiating the singular value decomposition",
# eq. 16 to 18, with 1/(sⱼ² − sᵢ²) in two parts, of which only one is large where values are close.
# With dP = Uᴴ dA V = H + N, Hermitian and skew, Uᴴ dU and Vᴴ dV are H/(sⱼ − sᵢ) ± N/(sᵢ + sⱼ).
# What is said is for tall matrices; the others are transposed.


def _svd_forward(x: Any, full_matrices: bool) -> Any:
    ans = _svd(x, full_matrices=full_matrices)
    return ans, ans


def _svd_pull(g: Any, residual: Any) -> list[Any]:
    (gu, gs, gvh), (u, s, vh) = g, residual
    if u.shape[-2] >= vh.shape[-1]:
        return [_tall_pull(gu, gs, adjoint(gvh), u, s, adjoint(vh))]
    return [adjoint(_tall_pull(adjoint(gvh), gs, gu, adjoint(vh), s, u))]


def _zeros(s: Any) -> Any:
    return s <= _tolerance(s)[..., 0]


def _sums(s: Any) -> tuple[Any, Any]:
    """1/(sᵢ + sⱼ), 0 where both are zero, and where that is."""
    sums = np.expand_dims(s, -2) + np.expand_dims(s, -1)
    zero = sums <= _tolerance(s)
    return _reciprocal(sums, zero), zero


def _outside(x: Any, scale: Any, s: Any) -> Any:
    """x S⁻¹, of columns that have no part in U; must vanish where s does."""
    zero = np.expand_dims(_zeros(s), -2)
    return avoids(x, scale, zero, name="svd") * _reciprocal(np.expand_dims(s, -2), zero)


def _tall_pull(gu: Any, gs: Any, gv: Any, u: Any, s: Any, v: Any) -> Any:
    k = s.shape[-1]
    m = u.shape[-2]
    inside, g1 = u[..., :k], gu[..., :k]
    pu, pv = np.matmul(inside.mT, g1), np.matmul(v.mT, gv)
    scale = np.concatenate([g1, gv], axis=-2)
    turn = _gaps(s)[0] * _turning(pu + pv, gs, scale, s, "svd")
    sums, zero = _sums(s)
    turn = turn + sums * avoids(_skew(pu - pv), scale, zero, name="svd")
    values = np.where(_zeros(s), 0.0, _alike(gs, s, "svd"))
    right = np.matmul(turn, v.mT) + np.expand_dims(values, -1) * v.mT
    ans = np.matmul(conj(inside), right)
    if m > k:
        if u.shape[-1] > k:
            outside = u[..., k:]
            p = np.matmul(outside.mT, gu)
            arbitrary = np.ones((m - k, m - k), dtype=bool)
            avoids(_skew(p[..., k:]), gu, arbitrary, name="svd")
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
    skew = _skew(change)
    gaps, ties = _gaps(s)
    apart = ties & ~np.eye(k, dtype=bool)
    both = gaps * avoids(change - skew, moved, apart, name="svd")
    sums, zero = _sums(s)
    each = sums * avoids(skew, moved, zero, name="svd")
    tu, tv = np.matmul(inside, both + each), np.matmul(v, both - each)
    ts = np.where(_zeros(s), 0.0, np.real(_diagonal(change)))
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


_svd = _joint(
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
    return np.where(_zeros(s), 0.0, _shared(t, s))


def _svdvals_pull(g: Any, residual: Any) -> list[Any]:
    u, s, vh = residual
    return [np.matmul(conj(u), np.expand_dims(_settled(g, s), -1) * conj(vh))]


def _svdvals_push(operands: Any, tangents: Any) -> Any:
    u, s, vh = _svd(operands[0], full_matrices=False)
    change = np.sum(conj(u) * np.matmul(tangents[0], adjoint(vh)), axis=-2)
    return s, _settled(np.real(change), s)


_svdvals = _joint(
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
    v = np.take_along_axis(v, np.expand_dims(order, -2), axis=-1)
    return _SVD(v, np.abs(w), adjoint(v * np.expand_dims(np.sign(w), -2)))
