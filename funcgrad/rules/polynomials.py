"""Polynomials by their coefficients, the highest power first, as in NumPy's poly functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batching import each
from ..core import is_traced, operand
from ..verbs import composite, rule
from .order import in_order
from .shapes import astype


def _coefficients(p: Any) -> Any:
    p = operand(p)
    return np.reshape(p, (1,)) if np.ndim(p) == 0 else p


@composite(np.polyval, operands=2)
def polyval(p: Any, x: Any) -> Any:
    p, x = _coefficients(p), operand(x)
    # Of x's own dtype, a Python number's too.
    ans = in_order(np.zeros(np.shape(x), np.result_type(x)), x)
    for i in range(p.shape[0]):
        ans = ans * x + p[i]
    return ans


def _summed(a1: Any, a2: Any, sign: int) -> Any:
    a1, a2 = _coefficients(a1), _coefficients(a2)
    size = max(a1.shape[0], a2.shape[0])
    a1, a2 = (np.concatenate([np.zeros(size - a.shape[0], a.dtype), a]) for a in (a1, a2))
    return a1 + a2 if sign > 0 else a1 - a2


@composite(np.polyadd, operands=2)
def polyadd(a1: Any, a2: Any) -> Any:
    return _summed(a1, a2, 1)


@composite(np.polysub, operands=2)
def polysub(a1: Any, a2: Any) -> Any:
    return _summed(a1, a2, -1)


def _has_values(*arrays: Any) -> bool:
    """Whether shapes may depend on the values: not where they hold many examples."""
    for t in arrays:
        while is_traced(t):
            if t.owner.transform == "vmap":
                return False
            t = t.value
    return True


def _trimmed(p: Any) -> Any:
    """``p`` without leading zeros."""
    if not _has_values(p):
        return p
    places = np.flatnonzero(p)
    return p[int(places[0]) :] if places.size else p[-1:]


@composite(np.polymul, operands=2)
def polymul(a1: Any, a2: Any) -> Any:
    return np.convolve(_trimmed(_coefficients(a1)), _trimmed(_coefficients(a2)))


@composite(np.polydiv, operands=2)
def polydiv(u: Any, v: Any) -> Any:
    u, v = _coefficients(u) + 0.0, _coefficients(v) + 0.0
    m = v.shape[0]
    rest = u + 0.0 * v[0]
    quotient = []
    for k in range(u.shape[0] - m + 1):
        quotient.append(rest[k] / v[0])
        rest = np.concatenate([rest[:k], rest[k : k + m] - quotient[-1] * v, rest[k + m :]])
    zeros = len(quotient)
    if _has_values(rest):
        while np.allclose(rest[0], 0, rtol=1e-14) and rest.shape[0] > 1:
            rest = rest[1:]
    elif zeros:
        rest = rest[min(zeros, rest.shape[0] - 1) :]
    return np.stack(quotient) if quotient else np.zeros(1, rest.dtype), rest


@composite(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = _coefficients(p)
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


@composite(np.polyint, traced=("k",))
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    p = _coefficients(p)
    k = np.zeros(m) if k is None else _coefficients(k)
    constants = [k[0]] * m if k.shape[0] == 1 else [k[i] for i in range(k.shape[0])]
    if len(constants) < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for constant in constants[:m]:
        powers = np.arange(p.shape[0], 0, -1)
        p = np.concatenate([p / powers, np.reshape(constant, (1,))])
    return p


@composite(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    zeros = _coefficients(seq_of_zeros)
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1]:
        zeros = np.linalg.eigvals(zeros)
    elif zeros.ndim == 1:
        zeros = astype(zeros, np.dtype(np.mintypecode(zeros.dtype.char)))
    else:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    ans = np.ones(1, zeros.dtype)
    for i in range(zeros.shape[0]):
        end = np.zeros(1, zeros.dtype)
        ans = np.concatenate([ans, end]) - np.concatenate([end, ans * zeros[i]])
    if ans.dtype.kind == "c" and _has_values(zeros):
        # Of pairs of conjugate roots the coefficients are real.
        ordered = np.sort(zeros), np.sort(np.conj(zeros))
        ans = np.real(ans) if np.all(ordered[0] == ordered[1]) else ans
    return ans


@composite(np.polyfit, operands=2, traced=("w",))
def polyfit(
    x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    x, y = operand(x) + 0.0, operand(y) + 0.0
    if x.ndim != 1 or y.ndim not in (1, 2) or x.shape[0] != y.shape[0] or not x.shape[0]:
        raise TypeError(
            f"np.polyfit takes x of one dimension and y as long, and got shapes {x.shape} and "
            f"{y.shape}."
        )
    order = int(deg) + 1
    if order < 1:
        raise ValueError("expected deg >= 0")
    rcond = x.shape[0] * np.finfo(x.dtype).eps if rcond is None else rcond
    lhs, rhs = np.vander(x, order), y
    if w is not None:
        lhs = astype(lhs * w[:, None], lhs.dtype, casting="same_kind")
        rhs = astype((rhs.T * w).T, rhs.dtype, casting="same_kind")
    scale = np.sqrt(np.sum(lhs * lhs, axis=0))
    lhs = lhs / scale
    c, *others = np.linalg.lstsq(lhs, rhs, rcond)
    fit = (c.T / scale).T
    if full:
        return fit, *others, rcond
    if not cov:
        return fit
    base = np.linalg.inv(np.matmul(lhs.T, lhs)) / np.outer(scale, scale)
    if cov == "unscaled":
        factor: Any = 1.0
    elif x.shape[0] <= order:
        raise ValueError("the number of data points must exceed order to scale the covariance.")
    else:
        residuals = np.sum(np.square(np.abs(rhs - np.matmul(lhs, c))), axis=0)
        factor = residuals / (x.shape[0] - order)
    return fit, base * factor if y.ndim == 1 else base[:, :, None] * factor


# Roots move as dz = −Σ zⁿ⁻ʲ dpⱼ / p′(z), by the theorem on implicit functions.


def _roots_pull(g: Any, ans: Any, x: Any) -> Any:
    powers = ans[:, None] ** np.arange(x.shape[0] - 1, -1, -1)
    return -np.matmul(g / np.polyval(np.polyder(x), ans), powers)


rule(
    np.roots,
    _roots_pull,
    lambda t, ans, x: -np.polyval(t, ans) / np.polyval(np.polyder(x), ans),
    batch=each,
)
