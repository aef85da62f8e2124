"""Norms of vectors and matrices, and condition numbers.

A norm has a kink where it is 0, and its derivative there is 0, the least-norm subgradient; the
maximum norm and the spectral norm split ties evenly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.linalg import LinAlgError

from ..batching import front
from ..verbs import composite, reduction, rule
from .matrices import square
from .order import asked
from .shapes import scalar


def _vector_norm(x: Any, **keywords: Any) -> Any:
    return np.linalg.vector_norm(x, **keywords)


def _slope(ans: Any, x: Any, ord: float = 2) -> Any:
    """x̄ / ‖x‖ for the Euclidean norm, sign(x)·(|x| / ‖x‖)ᵖ⁻¹ for others."""
    zero = ans == 0
    if ord == 2:
        return np.where(zero, 0.0, np.conj(x) / np.where(zero, 1.0, ans))
    zero = zero | (x == 0)
    size = np.where(zero, 1.0, np.abs(x))
    share = size / np.where(zero, 1.0, ans)
    return np.where(zero, 0.0, np.conj(x) / size * share ** (ord - 1.0))


#: (Σ|x|ᵖ)^(1/p) over any number of axes.
p_norm = reduction(_vector_norm, _slope)


def _of_vectors(x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    if ord == np.inf:
        return np.max(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == -np.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        ones = np.where(x != 0, np.ones_like(np.real(x)), 0.0)
        return np.sum(ones, axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"np.linalg.norm: ord={ord!r} is a norm of matrices, not of vectors.")
    return p_norm(x, ord=ord, axis=axis, keepdims=keepdims)


def _of_matrices(x: Any, ord: Any, axis: tuple[int, int], keepdims: bool) -> Any:
    if ord is None or ord == "fro":
        ans = p_norm(x, ord=2, axis=axis, keepdims=keepdims)
        return asked(ans, np.linalg.norm, x, axis=axis, keepdims=keepdims)
    if ord not in (1, -1, 2, -2, np.inf, -np.inf, "nuc"):
        raise ValueError(f"np.linalg.norm: ord={ord!r} is no norm of matrices.")
    x = np.moveaxis(x, axis, (-2, -1))
    if ord in (2, -2, "nuc"):
        sizes = np.linalg.svdvals(x)
    else:
        sizes = np.sum(np.abs(x), axis=-2 if ord in (1, -1) else -1)
    reduce = np.sum if ord == "nuc" else np.max if ord in (1, 2, np.inf) else np.min
    ans = asked(reduce(sizes, axis=-1), np.linalg.norm, x, ord=ord, axis=(-2, -1))
    return np.expand_dims(ans, axis) if keepdims else ans


@composite(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None and ord is None:
        return p_norm(x, ord=2, axis=None, keepdims=keepdims)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if len(axes) == 1:
        return _of_vectors(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) == 2:
        return _of_matrices(x, ord, axes, keepdims)
    raise ValueError(
        f"np.linalg.norm: over {len(axes)} axes of an array of shape {x.shape} with ord={ord!r}; "
        f"give axis, one or two of them."
    )


@composite(np.linalg.vector_norm)
def vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    return _of_vectors(x, 2 if ord is None else ord, axis, keepdims)


@composite(np.linalg.matrix_norm)
def matrix_norm(x: Any, keepdims: bool = False, ord: Any = "fro") -> Any:
    return _of_matrices(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


def _inverse_or_inf(x: Any) -> Any:
    try:
        return np.linalg.inv(x)
    except LinAlgError:
        matrices = np.reshape(x, (-1, *x.shape[-2:]))
        if len(matrices) == 1:
            return np.full_like(x, np.inf)
        return np.reshape([_inverse_or_inf(matrix) for matrix in matrices], x.shape)


#: The inverse, and infinities for a singular matrix.
inverse_or_inf = rule(
    _inverse_or_inf,
    lambda g, ans: -np.matmul(ans.mT, np.matmul(g, ans.mT)),
    lambda t, ans: -np.matmul(ans, np.matmul(t, ans)),
    batch=front,
)


@composite(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    if x.size == 0:
        raise LinAlgError("cond is not defined on empty arrays")
    with np.errstate(all="ignore"):
        if p is None or p in (2, -2):
            s = np.linalg.svdvals(x)
            ans = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            square("linalg.cond", x)
            inverse = inverse_or_inf(x)
            axes = (-2, -1)
            ans = np.linalg.norm(x, p, axis=axes) * np.linalg.norm(inverse, p, axis=axes)
    # Of the zero matrix it is infinite too.
    return scalar(np.where(np.isnan(ans) & ~np.isnan(x).any(axis=(-2, -1)), np.inf, ans))
