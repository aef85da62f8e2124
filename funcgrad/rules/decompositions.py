"""Cholesky and QR factors, eigenvalues and eigenvectors.

A decomposition has several results, so each is one ``Joint`` operation, and its tangents come from
the differential of its defining equation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from ..batching import front, on_stacks
from ..errors import UnsupportedError
from ..verbs import composite, rule
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
    of_full_rank,
    over_gaps,
    rounding,
    rows,
    skew,
    square,
    tied_mean,
    turning,
    unmixed,
    vanishing,
)
from .order import asked, in_order

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
    return in_order(adjoint(factor), factor) if upper else factor


# QR: Walter and Lehmann 2010, "Algorithmic differentiation of linear algebra functions", sec. 3.3,
# and Seeger et al. 2017, "Auto-differentiating linear algebra", for its transpose.


def _qr_forward(x: Any) -> Any:
    ans = _reduced(x)
    return ans, ans


def _qr_pull(g: Any, residual: Any) -> list[Any]:
    (gq, gr), (q, r) = g, residual
    inner = np.matmul(gr, r.mT)
    p = np.matmul(q.mT, gq) - inner
    inner = inner + 2.0 * _lower(skew(p))
    flat = gq - np.matmul(conj(q), np.matmul(q.mT, gq) - inner)
    return [_divided(flat, r.mT)]


def _qr_push(operands: Any, tangents: Any) -> Any:
    q, r = _reduced(operands[0])
    change = _divided(tangents[0], r)
    c = np.matmul(adjoint(q), change)
    turn = 2.0 * skew(_lower(c))  # the skew matrix whose lower triangle is that of c
    return (q, r), (change - np.matmul(q, c - turn), np.matmul(c - turn, r))


_reduced = joint("qr", lambda x: tuple(np.linalg.qr(x)), _qr_forward, _qr_pull, _qr_push)


def _complement(x: Any, y: Any) -> Any:
    return np.linalg.qr(y, mode="complete").Q[..., x.shape[-1] :]


def _complement_pull(g: Any, ans: Any, x: Any) -> Any:
    any_basis = np.ones((g.shape[-1], g.shape[-1]), dtype=bool)
    vanishing(skew(np.matmul(ans.mT, g)), any_basis, g, "qr")
    return -np.matmul(conj(ans), np.matmul(adjoint(g), conj(x)))


#: The last columns of Q, a basis of what the first ones, x, leave; y is the matrix. They move by
#: −Q₁ dQ₁ᴴ Q₂, and turn among one another in a way that is arbitrary, and left out.
complement = rule(
    _complement,
    [_complement_pull, None],
    [lambda t, ans, x: -np.matmul(x, np.matmul(adjoint(t), ans)), None],
    batch=on_stacks,
)


@composite(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    if a.ndim < 2:
        raise LinAlgError(f"np.linalg.qr takes matrices, and got an array of shape {a.shape}.")
    m, n = a.shape[-2:]
    if mode not in ("reduced", "complete", "r"):
        raise UnsupportedError(
            f"np.linalg.qr: mode={mode!r} has no derivative rule. Write mode='reduced', "
            f"mode='complete' or mode='r'."
        )
    q, r = _reduced(a[..., :m])
    if m < n:  # the other columns, in the basis of the first ones
        r = np.concatenate([r, np.matmul(adjoint(q), a[..., m:])], axis=-1)
    if m > n and mode == "complete":
        q = np.concatenate([q, complement(q, a)], axis=-1)
        r = np.concatenate([r, np.zeros((*r.shape[:-2], m - n, n), r.dtype)], axis=-2)
    if m != n:
        r = asked(r, lambda x: np.linalg.qr(x, "r"), a)
    return r if mode == "r" else _Q_AND_R(q, r)


_Q_AND_R = type(np.linalg.qr(np.eye(1)))


# Eigenvalues and eigenvectors of Hermitian matrices: Giles 2008, "Collected matrix derivative
# results for forward and reverse mode algorithmic differentiation", sec. 3.1.


def _eigh_forward(x: Any, UPLO: str) -> Any:
    ans = eigh_factors(x, UPLO=UPLO)
    return ans, ans


def _eigh_pull(g: Any, residual: Any) -> list[Any]:
    (gw, gv), (w, v) = g, residual
    turn = turning(np.matmul(v.mT, gv), gw, gv, w, "eigh")
    return [np.matmul(conj(v), np.matmul(turn, v.mT) + rows(alike(gw, w, "eigh")) * v.mT)]


def _eigh_push(operands: Any, tangents: Any, UPLO: str) -> Any:
    w, v = eigh_factors(operands[0], UPLO=UPLO)
    change = np.matmul(adjoint(v), np.matmul(tangents[0], v))
    turn = over_gaps(change, *gaps(w), rounding(change), name="eigh")
    return (w, v), (np.real(diagonal(change)), np.matmul(v, turn))


eigh_factors = joint(
    "eigh",
    lambda x, UPLO: tuple(np.linalg.eigh(x, UPLO)),
    _eigh_forward,
    _eigh_pull,
    _eigh_push,
)
_EIGH = type(np.linalg.eigh(np.eye(1)))


@composite(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    return _EIGH(*eigh_factors(hermitian("linalg.eigh", a, UPLO), UPLO=UPLO))


# Eigenvalues and eigenvectors of any matrix: Boeddeker et al. 2017, "On the computation of complex-
# valued gradients with application to statistically optimum beamforming", sec. 4.3. Eigenvectors
# keep their length 1, and no tangent along them turns their phase.


def _eig_forward(x: Any) -> Any:
    ans = _eig(x)
    return ans, ans


def _independent(v: Any) -> Any:
    """Eigenvectors, which are a basis unless the matrix is defective."""
    return of_full_rank(
        v,
        rcond=None,
        failing="np.linalg.eig: eigenvalues and eigenvectors of a defective matrix, whose "
        "eigenvectors are no basis, have no derivative. Write np.trace, det or matrix_power for "
        "symmetric functions of eigenvalues.",
    )


def _eig_pull(g: Any, residual: Any) -> list[Any]:
    (gw, gv), (w, v) = g, residual
    v = _independent(v)
    p = np.matmul(v.mT, gv)
    of_column = np.eye(w.shape[-1], dtype=bool)
    vanishing(np.where(of_column, np.imag(p), 0.0), of_column, gv, "eig")
    # The tangent of a column has no part along it: V K − V diag(Vᴴ V K).
    p = p - np.matmul(v.mT, conj(v)) * columns(np.real(diagonal(p)))
    turn = over_gaps(p, *gaps(w), rounding(gv), name="eig")
    values = unmixed(diagonals(alike(gw, w, "eig")), gaps(w)[1], name="eig")
    return [np.linalg.solve(v.mT, np.matmul(turn + values, v.mT))]


def _eig_push(operands: Any, tangents: Any) -> Any:
    w, v = _eig(operands[0])
    v = _independent(v)
    change = np.linalg.solve(v, np.matmul(tangents[0], v))
    moved = np.matmul(v, over_gaps(change, *gaps(w), rounding(change), name="eig"))
    moved = moved - v * np.sum(conj(v) * moved, axis=-2, keepdims=True)
    return (w, v), (diagonal(change), moved)


_eig = joint("eig", lambda x: tuple(np.linalg.eig(x)), _eig_forward, _eig_pull, _eig_push)
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
    v = _independent(v)
    values = diagonals(tied_mean(g, w, name="eigvals"))
    return [np.linalg.solve(v.mT, np.matmul(unmixed(values, gaps(w)[1], name="eigvals"), v.mT))]


def _eigvals_push(operands: Any, tangents: Any) -> Any:
    w, v = _eig(operands[0])
    v = _independent(v)
    change = np.linalg.solve(v, np.matmul(tangents[0], v))
    change = unmixed(change, gaps(w)[1], name="eigvals")
    return w, tied_mean(diagonal(change), w, name="eigvals")


_eigvals = joint("eigvals", np.linalg.eigvals, _eigvals_forward, _eigvals_pull, _eigvals_push)


@composite(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    square("linalg.eigvals", a)
    return _eigvals(a)
