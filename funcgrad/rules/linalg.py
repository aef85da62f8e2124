"""Determinants, inverses, linear systems, and the products of ``np.linalg``.

Formulas are those of Giles 2008, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation", in which X̄ is the cotangent of X. Matrices may be stacked: every rule
acts on the last two axes. What is plainly other functions put together is written as such.
"""

from __future__ import annotations

import operator
import string
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.linalg import LinAlgError

from ..batching import align, front
from ..core import Primitive, operand, raw
from ..errors import UnsupportedError
from ..pull import unbroadcast
from ..verbs import composite, constant, rule
from .elementwise import annihilate
from .matrices import adjoint, conj, joint, of_full_rank, square
from .matrices import hermitian as hermitian_part
from .order import in_order
from .shapes import astype, scalar

# Determinants. The gradient of the determinant is the matrix of cofactors, which is finite where
# the inverse is not: with A = U S Vᴴ it is det(U) det(Vᴴ) Ū C Vᵀ, where C is diagonal, the products
# of all singular values but one.


rule(
    np.linalg.det,
    lambda g, x: np.expand_dims(g, (-2, -1)) * cofactors(x),
    lambda t, x: np.sum(t * cofactors(x), axis=(-2, -1)),
    batch=front,
)


def _bases(x: Any) -> tuple[Any, Any, Any, Any]:
    """U, S and Vᴴ of matrices, and det(U) det(Vᴴ)."""
    u, s, vh = np.linalg.svd(x)
    return u, s, vh, np.linalg.det(u) * np.linalg.det(vh)


def _before(s: Any) -> Any:
    """The product of those before each."""
    return np.cumprod(np.concatenate([np.ones_like(s[..., :1]), s[..., :-1]], axis=-1), axis=-1)


def _after(s: Any) -> Any:
    return np.flip(_before(np.flip(s, -1)), -1)


def _cofactors(x: Any) -> Any:
    u, s, vh, phase = _bases(x)
    products = np.expand_dims(phase, -1) * _before(s) * _after(s)
    return np.matmul(np.conj(u) * np.expand_dims(products, -2), np.conj(vh))


def _cofactors_change(x: Any, y: Any) -> Any:
    # In the bases of the SVD the cofactors of S + D are, to first order, the sum of the other Dⱼⱼ
    # times the product of all s but i and j on the diagonal, and −Dⱼᵢ times that off it.
    u, s, vh, phase = _bases(x)
    d = np.conj(u.mT) @ y @ np.conj(vh.mT)
    n = s.shape[-1]
    later = np.where(np.tri(n, k=0, dtype=bool), 1.0, s[..., None, :])
    between = np.cumprod(np.concatenate([np.ones_like(later[..., :1]), later], axis=-1), axis=-1)
    others = np.triu(_before(s)[..., :, None] * between[..., :n] * _after(s)[..., None, :], 1)
    others = others + others.mT
    trace = (others @ np.diagonal(d, axis1=-2, axis2=-1)[..., None])[..., 0]
    inner = np.where(np.eye(n, dtype=bool), trace[..., None], -others * d.mT)
    ans = np.conj(u) @ (phase[..., None, None] * inner) @ np.conj(vh)
    return ans.astype(np.result_type(x, y), copy=False)


def _cofactors_twice(x: Any, y: Any, g: Any) -> Any:
    """The third derivative of the determinant along y and g, at matrices that are not singular."""
    inverse = np.linalg.inv(x)
    a, b = np.matmul(inverse, y), np.matmul(inverse, g)
    ab = np.matmul(a, b)
    tr_a, tr_b, tr_ab = (
        np.expand_dims(np.trace(z, axis1=-2, axis2=-1), (-2, -1)) for z in (a, b, ab)
    )
    rest = (tr_a * tr_b - tr_ab) * inverse
    rest = rest - np.matmul(tr_a * b + tr_b * a - ab - np.matmul(b, a), inverse)
    return np.expand_dims(np.linalg.det(x), (-2, -1)) * rest.mT


def _matrices(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    """Batch an operation on several stacks of matrices that broadcast."""
    return primitive.apply(*align(operands, mine), **keywords)


# The second derivative of the determinant is symmetric, so one function serves both modes.
cofactors: Primitive = rule(
    _cofactors,
    lambda g, x: cofactors_change(x, g),
    lambda t, x: cofactors_change(x, t),
    batch=front,
)
cofactors_change: Primitive = rule(
    _cofactors_change,
    [lambda g, x, y: _cofactors_twice(x, y, g), lambda g, x: cofactors_change(x, g)],
    [lambda t, x, y: _cofactors_twice(x, y, t), lambda t, x: cofactors_change(x, t)],
    batch=_matrices,
)


def _logdet_slope(x: Any, sign: Any) -> tuple[Any, Any]:
    """The slope of log|det(x)| as a quotient: the transposed inverse over 1 and, where the matrix
    is singular, the cofactors over 0."""
    is_singular = sign == 0
    if not np.any(raw(is_singular)):
        return np.linalg.inv(x).mT, np.ones_like(sign)
    at = np.expand_dims(is_singular, (-2, -1))
    inverse = np.linalg.inv(np.where(at, np.eye(x.shape[-1], dtype=x.dtype), x))
    return np.where(at, cofactors(x), inverse.mT), np.where(is_singular, 0 * sign, 1)


def _slogdet_forward(x: Any) -> Any:
    sign, logabs = _slogdet(x)
    return (sign, logabs), (sign, x)


def _slogdet_pull(g: Any, residual: Any) -> list[Any]:
    (gsign, glog), (sign, x) = g, residual
    if sign.dtype.kind == "c":
        glog = glog + 1j * np.imag(gsign * sign)
    slope, divisor = _logdet_slope(x, sign)
    glog, divisor = (np.expand_dims(z, (-2, -1)) for z in (glog, divisor))
    with np.errstate(all="ignore"):
        return [annihilate(glog, glog * slope / divisor)]


def _slogdet_push(operands: Any, tangents: Any) -> Any:
    (x,), (t,) = operands, tangents
    sign, logabs = _slogdet(x)
    slope, divisor = _logdet_slope(x, sign)
    with np.errstate(all="ignore"):
        change = np.sum(t * slope, axis=(-2, -1)) / divisor
    change = annihilate(np.any(t, axis=(-2, -1)), change)
    turned = sign * (1j * np.imag(change)) if sign.dtype.kind == "c" else np.zeros_like(sign)
    return (sign, logabs), (turned, np.real(change))


_slogdet = joint(
    "slogdet",
    lambda x: tuple(np.linalg.slogdet(x)),
    _slogdet_forward,
    _slogdet_pull,
    _slogdet_push,
)
_SLOGDET = type(np.linalg.slogdet(np.eye(1)))


@composite(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    square("linalg.slogdet", a)
    return _SLOGDET(*_slogdet(a))


# Inverses and linear systems.


rule(
    np.linalg.inv,
    lambda g, ans: -np.matmul(ans.mT, np.matmul(g, ans.mT)),
    lambda t, ans: -np.matmul(ans, np.matmul(t, ans)),
    batch=front,
)


def _solve(x: Any, y: Any) -> Any:
    return np.linalg.solve(x, y)


def _solve_stacks(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    x, y = operands
    if mine == (False, True) and x.ndim == 2 and y.ndim == 3:  # one matrix, factored once
        columns = np.reshape(np.moveaxis(y, 0, 1), (y.shape[1], size * y.shape[2]))
        columns = primitive.apply(x, columns)
        return np.moveaxis(np.reshape(columns, (y.shape[1], size, y.shape[2])), 1, 0)
    return _matrices(primitive, size, operands, mine, keywords)


def _solve_matrix(g: Any, ans: Any, x: Any) -> Any:
    g = -np.matmul(np.linalg.solve(x.mT, g), ans.mT)
    return unbroadcast(g, x.shape)


# Of matrices y: a vector is a matrix of one column.
_solve_matrices = rule(
    _solve,
    [
        _solve_matrix,
        lambda g, x, y_like: unbroadcast(np.linalg.solve(x.mT, g), y_like.shape),
    ],
    [
        lambda t, ans, x: -np.linalg.solve(x, np.matmul(t, ans)),
        lambda t, x: np.linalg.solve(x, t),
    ],
    batch=_solve_stacks,
)


@composite(np.linalg.solve, operands=2)
def solve(a: Any, b: Any) -> Any:
    square("linalg.solve", a)
    if b.ndim == 1:
        return _solve_matrices(a, np.expand_dims(b, -1))[..., 0]
    return _solve_matrices(a, b)


def _pinv(x: Any, **keywords: Any) -> Any:
    return np.linalg.pinv(x, **keywords)


def _pinv_pull(g: Any, ans: Any, x: Any) -> Any:
    p, gt = ans, g.mT
    left, right = np.matmul(p, adjoint(p)), np.matmul(adjoint(p), p)
    g1 = np.matmul(p.mT, np.matmul(g, p.mT))
    g2 = np.matmul(gt - np.matmul(x, np.matmul(p, gt)), left)
    g3 = np.matmul(right, gt - np.matmul(np.matmul(gt, p), x))
    return conj(g2 + g3) - g1


def _pinv_push(t: Any, ans: Any, x: Any) -> Any:
    p, th = ans, adjoint(t)
    left, right = np.matmul(p, adjoint(p)), np.matmul(adjoint(p), p)
    outer = np.matmul(left, th - np.matmul(np.matmul(th, x), p))
    inner = np.matmul(th - np.matmul(p, np.matmul(x, th)), right)
    return outer + inner - np.matmul(p, np.matmul(t, p))


# Golub and Pereyra 1973, "The differentiation of pseudo-inverses and nonlinear least squares
# problems whose variables separate", eq. 4.12. The rank is held fixed, since where it changes there
# is no derivative.
_pseudo_inverse = rule(_pinv, _pinv_pull, _pinv_push, batch=front)


@composite(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, rtol: Any = None) -> Any:
    keywords = {key: v for key, v in (("rcond", rcond), ("rtol", rtol)) if v is not None}
    if hermitian:
        a = hermitian_part("linalg.pinv", a)
    ans = _pseudo_inverse(a, **keywords)
    x, p = raw(a), raw(ans)
    left_out = x - np.matmul(x, np.matmul(p, x)) if keywords else 0.0
    if np.linalg.norm(left_out) <= np.finfo(x.dtype).eps ** 0.5 * np.linalg.norm(x):
        return ans
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    kept = np.arange(s.shape[-1]) < np.expand_dims(np.linalg.matrix_rank(ans), -1)
    inverse = np.where(kept, 1.0 / np.where(kept, s, 1.0), 0.0)
    return np.matmul(adjoint(vh) * np.expand_dims(inverse, -2), adjoint(u))


def _ranks(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    x = operands[0]
    if x.ndim < 3:  # a vector, whose rank is 1 unless it is zero
        return np.any(np.reshape(x, (size, -1)) != 0, axis=-1).astype(int)
    return primitive.apply(x, **keywords)


constant(np.linalg.matrix_rank, batch=_ranks, accepts=("tol", "hermitian", "rtol"))


@composite(np.linalg.lstsq, operands=2)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    if a.ndim != 2 or b.ndim not in (1, 2) or len(a) != len(b):
        raise LinAlgError(
            f"np.linalg.lstsq takes a matrix and a vector or matrix with as many rows, and got "
            f"shapes {a.shape} and {b.shape}."
        )
    m, n = a.shape
    dtypes = [x.dtype if x.dtype.kind in "fc" else np.float64 for x in (a, b)]
    a, b = (astype(x, np.result_type(*dtypes, np.float32)) for x in (a, b))
    eps = float(np.finfo(a.dtype).eps)
    rcond = eps * (max(m, n) if rcond is None else 1) if rcond in (None, -1) else rcond
    a = of_full_rank(
        a,
        rcond=rcond,
        failing="np.linalg.lstsq: matrices whose columns and rows are both dependent have no "
        "derivative, since the solution jumps. Add rows of a small multiple of the identity.",
    )
    columns = np.reshape(b, (m, -1))
    x = np.matmul(np.linalg.pinv(a, rcond), columns)
    if m > n:
        residuals = np.sum(np.square(np.abs(columns - np.matmul(a, x))), axis=0)
    else:
        residuals = np.zeros(0, x.real.dtype)
    return np.reshape(x, (n, *b.shape[1:])), residuals, np.int32(min(m, n)), np.linalg.svdvals(a)


@composite(np.linalg.tensorsolve, operands=2)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    if axes is not None:
        axes = normalize_axis_tuple(axes, a.ndim)
        a = np.transpose(a, [i for i in range(a.ndim) if i not in axes] + list(axes))
    shape = a.shape[b.ndim :]
    size = int(np.prod(shape))
    if a.size != size * size:
        raise LinAlgError(
            f"np.linalg.tensorsolve: of shape {a.shape}, the axes of b (the first {b.ndim}) and "
            f"the others must have the same product."
        )
    return np.reshape(np.linalg.solve(np.reshape(a, (size, size)), np.ravel(b)), shape)


@composite(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    if ind <= 0:
        raise ValueError(f"np.linalg.tensorinv: ind is {ind}, and must be positive.")
    size = int(np.prod(a.shape[ind:]))
    inverse = np.linalg.inv(np.reshape(a, (-1, size)))
    return np.reshape(inverse, a.shape[ind:] + a.shape[:ind])


@composite(np.linalg.matrix_power, view=True)
def matrix_power(a: Any, n: int) -> Any:
    square("linalg.matrix_power", a)
    n = operator.index(n)
    if n == 0:
        return in_order(np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape), a)
    return _power(np.linalg.inv(a), -n) if n < 0 else _power(a, n)


def _power(a: Any, n: int) -> Any:
    if n == 1:
        return a
    half = _power(a, n // 2)
    even = np.matmul(half, half)
    return np.matmul(even, a) if n % 2 else even


# Products. Those of np.linalg are the array API's: of the last axes, and of vectors as such.


@composite(np.linalg.multi_dot, sequence=True)
def multi_dot(arrays: Any) -> Any:
    arrays = [operand(x) for x in arrays]
    if len(arrays) < 2:
        raise ValueError("np.linalg.multi_dot: needs two arrays or more.")
    labels = [string.ascii_letters[i : i + 2] for i in range(len(arrays))]
    for i in (0, -1):  # where a vector stands for a row or a column
        if arrays[i].ndim == 1:
            labels[i] = labels[i][1] if i == 0 else labels[i][0]
    inputs = ",".join(labels)
    ends = "".join(a for a in inputs if inputs.count(a) == 1 and a != ",")
    return in_order(scalar(np.einsum(f"{inputs}->{ends}", *arrays, optimize="greedy")), "C")


@composite(np.cross, operands=2)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise UnsupportedError(
            f"np.cross of vectors of {a.shape[-1]} and {b.shape[-1]} elements has no derivative "
            f"rule, only of 3. Write x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0] for 2."
        )
    after, before = [1, 2, 0], [2, 0, 1]
    ans = a[..., after] * b[..., before] - a[..., before] * b[..., after]
    return np.moveaxis(in_order(ans, "C"), -1, axisc)


@composite(np.linalg.cross, operands=2)
def cross_along(x1: Any, x2: Any, axis: int = -1) -> Any:
    return np.cross(x1, x2, axis=axis)


@composite(np.linalg.outer, operands=2)
def outer(x1: Any, x2: Any) -> Any:
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(
            f"np.linalg.outer takes two vectors, and got shapes {x1.shape} and {x2.shape}."
        )
    return np.outer(x1, x2)


@composite(np.linalg.matmul, operands=2)
def matmul(x1: Any, x2: Any) -> Any:
    return np.matmul(x1, x2)


@composite(np.linalg.tensordot, operands=2)
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    return np.tensordot(x1, x2, axes=axes)


@composite(np.linalg.vecdot, operands=2)
def vecdot(x1: Any, x2: Any, axis: int = -1) -> Any:
    return np.vecdot(x1, x2, axis=axis)  # type: ignore[call-overload]


@composite(np.linalg.matrix_transpose, view=True)
def matrix_transpose(x: Any) -> Any:
    return np.matrix_transpose(x)


@composite(np.linalg.diagonal, view=True)
def diagonal(x: Any, offset: int = 0) -> Any:
    return np.diagonal(x, offset, axis1=-2, axis2=-1)


@composite(np.linalg.trace)
def trace(x: Any, offset: int = 0, dtype: Any = None) -> Any:
    return np.sum(np.diagonal(x, offset, axis1=-2, axis2=-1), axis=-1, dtype=dtype)
