"""What the rules of matrices share: transposes, checks, and values that are equal.

Eigenvectors and singular vectors have a derivative with terms 1/(λⱼ − λᵢ). Where eigenvalues are
equal there is no such term: the vectors are then any basis of a subspace, and only what is the same
for every basis has a derivative. Where the cotangent, or the tangent, does not reach the term it is
left out; where it does, that is an error. Eigenvalues that are equal share their cotangents evenly,
which is right for every symmetric function of them and for others the least-norm choice. So at
A = I, ``np.sum(np.linalg.eigvalsh(A) ** 3)`` has the gradient 3·I, and
``np.linalg.eigh(A)[1][0, 1]`` has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from ..batching import BatchRule, align, front, spread
from ..core import Primitive
from ..joint import Joint
from ..pull import unbroadcast
from ..verbs import PRIMITIVES, rule


def joint(
    name: str, impl: Any, forward: Any, pull: Any, push: Any, batch: BatchRule = front
) -> Joint:
    """The operation ``name`` on stacks of matrices, differentiated as a whole."""
    PRIMITIVES[name] = primitive = Joint(name, impl, forward, pull, push, batch)
    return primitive


def conj(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


def adjoint(x: Any) -> Any:
    """The conjugate transpose of matrices."""
    return conj(x.mT)


def skew(x: Any) -> Any:
    """The part of matrices that is minus its conjugate transpose."""
    return 0.5 * (x - adjoint(x))


def diagonal(x: Any) -> Any:
    return np.diagonal(x, axis1=-2, axis2=-1)


def columns(x: Any) -> Any:
    """A factor for each column."""
    return np.expand_dims(x, -2)


def rows(x: Any) -> Any:
    """A factor for each row."""
    return np.expand_dims(x, -1)


def square(name: str, a: Any) -> None:
    """Raise unless ``a`` is a stack of square matrices, as NumPy does."""
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
    return strict + adjoint(strict) + np.where(np.eye(a.shape[-1], dtype=bool), np.real(a), 0.0)


def _of_full_rank(x: Any, *, rcond: float | None, failing: str) -> Any:
    if np.any(np.linalg.matrix_rank(x, rtol=rcond) < min(x.shape[-2:])):
        raise LinAlgError(failing)
    return x


#: Matrices, which must be of full rank.
of_full_rank = rule(_of_full_rank, lambda g: g, lambda t: t, batch=front)


# Where values are equal.

_REASON = (
    "determined: that of vectors whose values are equal (or zero), where any basis will do, that "
    "of a vector's phase, or a second derivative of values that are equal. Write "
    "np.linalg.eigvalsh or np.linalg.svdvals for functions of the values alone, and matrix "
    "functions by solve, cholesky, trace, det or matrix_power."
)
_OF_QR = (
    "determined: that of the last columns of q, which are any basis of what the first ones leave. "
    "Write mode='reduced', or a function of the projector on them."
)


def rounding(x: Any) -> Any:
    """Below what size the elements of each matrix may be but rounding."""
    largest = np.max(np.abs(x), axis=(-2, -1), keepdims=True, initial=0.0)
    return float(np.finfo(x.dtype).eps) ** 0.5 * largest


def _over_gaps(x: Any, y: Any, z: Any, limit: Any, *, name: str) -> Any:
    if np.any(z & (np.abs(x) > limit)):
        reason = _OF_QR if name == "qr" else _REASON
        raise LinAlgError(f"np.linalg.{name}: a derivative is asked for that is not {reason}")
    return x * y


def stacked(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    x, *others = operands
    first = x if mine[0] else spread(x, size)
    return primitive.apply(*align([first, *others], (True, *mine[1:])), **keywords)


def _over_gaps_also(t: Any, ys: tuple[Any, ...], name: str) -> Any:
    y, z, limit = ys
    return over_gaps(t, y, z, np.maximum(limit, rounding(t)), name=name)


#: x·y, where y = 1/gap is 0 where ``z`` says that there is no gap. There x must not be greater than
#: ``limit``, and nor must its tangents and the cotangents of the product.
over_gaps: Primitive = rule(
    _over_gaps,
    [_over_gaps_also, lambda g, x, y_like: unbroadcast(g * x, y_like.shape), None, None],
    [_over_gaps_also, lambda t, x: t * x, None, None],
    batch=stacked,
)


def vanishing(x: Any, where: Any, scale: Any, name: str) -> Any:
    """``x``, which ``where`` that says must be 0 but for rounding in matrices as large as
    ``scale``, and so must its tangents and cotangents."""
    return over_gaps(x, 1.0, where, rounding(scale), name=name)


def tolerance(w: Any) -> Any:
    """How far apart equal values may come out, of matrices of this size."""
    largest = np.max(np.abs(w), axis=-1, keepdims=True, initial=0.0)
    return 10.0 * w.shape[-1] * float(np.finfo(w.dtype).eps) * largest


def reciprocal(x: Any, zero: Any) -> Any:
    """1/x, and 0 where ``zero``."""
    return np.where(zero, 0.0, 1.0 / np.where(zero, 1.0, x))


def gaps(w: Any) -> tuple[Any, Any]:
    """1/(wⱼ − wᵢ), 0 for equal ones, and where i and j are two but their values are equal."""
    differences = columns(w) - rows(w)
    ties = np.abs(differences) <= rows(tolerance(w))
    return reciprocal(differences, ties), ties & ~np.eye(w.shape[-1], dtype=bool)


def _tied_mean(x: Any, y: Any, *, name: str) -> Any:
    differences = columns(y) - rows(y)
    weights = np.where(np.abs(differences) <= rows(tolerance(y)), np.ones_like(differences), 0.0)
    weights = weights / np.sum(weights, axis=-1, keepdims=True)
    return np.matmul(weights, rows(x))[..., 0]


def _tied_mean_also(t: Any, x: Any, y: Any, name: str) -> Any:
    for each in (x, t):
        alike(each, y, name)
    return tied_mean(t, y, name=name)


#: x with the average over equal values y in place of each. That is a choice of the first derivative
#: where values have a kink; it has a derivative itself where there was nothing to choose.
tied_mean: Primitive = rule(
    _tied_mean, [_tied_mean_also, None], [_tied_mean_also, None], batch=stacked
)


def _unmixed(x: Any, y: Any, *, name: str) -> Any:
    return x


def _unmixed_also(t: Any, x: Any, y: Any, name: str) -> Any:
    for matrices in (x, t):
        vanishing(matrices, y, matrices, name)
    return t


#: Matrices x in a basis of vectors of which those are tied that y says: neither they nor their
#: tangents and cotangents may mix tied vectors where they are differentiated.
unmixed: Primitive = rule(_unmixed, [_unmixed_also, None], [_unmixed_also, None], batch=stacked)


def diagonals(x: Any) -> Any:
    """Diagonal matrices."""
    return np.where(np.eye(x.shape[-1], dtype=bool), rows(x), 0.0)


def turning(p: Any, g: Any, scale: Any, w: Any, name: str) -> Any:
    """The cotangent of what VᴴdV comes from, given ``p`` = VᵀV̄ and the cotangent ``g`` of values.

    Between equal values the skew part of ``p`` must vanish, or the loss depends on the basis. If
    the Hermitian part is there, the loss may be one of the projector, whose derivative needs no
    term, or of a matrix function V f(w) Vᴴ, which needs f′. It is f′ that ``g`` shows: to be 0
    where the diagonal of ``p`` has something and ``g`` nothing.
    """
    reciprocals, ties = gaps(w)
    limit = rounding(scale)
    projects = (np.abs(diagonal(p)) > limit[..., 0]) & (g == 0)
    undecided = ties & ~(rows(projects) & columns(projects))
    p = over_gaps(p, 1.0, undecided, limit, name=name)
    phases = np.eye(w.shape[-1], dtype=bool)
    turn = over_gaps(skew(p), 1.0, phases, limit, name=name)
    return over_gaps(turn, reciprocals, ties, limit, name=name)


def alike(g: Any, w: Any, name: str) -> Any:
    """``g``, which must be equal where ``w`` is: beside vectors, and to be differentiated."""
    vanishing(columns(g) - rows(g), gaps(w)[1], rows(g), name)
    return g
