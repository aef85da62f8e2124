"""Averages, covariances and histograms, all put together from other functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..batching import ragged
from ..core import is_traced, operand, raw
from ..verbs import composite, constant, dispatched
from .constants import stop
from .indexing import placed
from .order import asked
from .shapes import astype, scalar


@composite(np.average, traced=("weights",))
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: bool = False
) -> Any:
    if weights is None:
        ans = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.full(np.shape(ans), np.size(a) / np.size(ans), ans.dtype)
        return (ans, scalar(total)) if returned else ans
    given, weights = weights, along_axes(a, weights, axis)
    kinds = [] if np.result_type(a).kind in "fc" else [float]  # which integers are averaged as
    dtype = np.result_type(a, weights, *kinds)
    weights = weights if np.result_type(weights) == dtype else astype(weights, dtype)
    total = np.sum(np.broadcast_to(weights, a.shape), axis=axis, keepdims=keepdims)
    none = np.any(total == 0)
    if not is_traced(none) and none:
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    ans = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    ans = astype(ans, dtype) if ans.dtype != dtype else ans
    ans = asked(ans, np.average, a, axis=axis, weights=given, keepdims=keepdims)
    return (ans, scalar(astype(np.broadcast_to(total, ans.shape), dtype))) if returned else ans


def along_axes(a: Any, weights: Any, axis: Any) -> Any:
    """``weights`` with the dimensions of ``a``, of which they have all or those in ``axis``."""
    if np.shape(weights) == a.shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = normalize_axis_tuple(axis, a.ndim)
    if np.shape(weights) != tuple(a.shape[i] for i in axes):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis."
        )
    weights = np.transpose(weights, np.argsort(axes))
    return np.reshape(weights, [n if i in axes else 1 for i, n in enumerate(a.shape)])


@composite(np.cov, traced=("y", "aweights"))
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None, dtype: Any = None,
) -> Any:  # fmt: skip
    rows = _variables(m, rowvar)
    if y is not None:
        rows = np.concatenate([rows, _variables(y, rowvar)], axis=0)
    dtype = np.result_type(rows, np.float64) if dtype is None else dtype
    rows = astype(rows, dtype)
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = None if fweights is None else np.asarray(fweights, float)
    if weights is not None and np.any(weights < 0):
        raise ValueError("fweights cannot be negative")
    if aweights is not None:
        aweights = astype(operand(aweights), np.float64)
        if np.shape(aweights) != (rows.shape[1],):
            raise RuntimeError("incompatible numbers of samples and aweights")
        weights = aweights if weights is None else weights * aweights
    if weights is None:
        total: Any = float(rows.shape[1])
        mean = np.mean(rows, axis=1, keepdims=True)
        weighted, factor = rows - mean, total - ddof
    else:
        total = np.sum(weights)
        mean = np.sum(rows * weights, axis=1, keepdims=True) / total
        weighted = (rows - mean) * weights
        factor = total - ddof * (1.0 if aweights is None else np.sum(weights * aweights) / total)
    factor = np.maximum(factor, 0.0)  # of fewer observations than ddof: infinite or NaN
    ans = np.squeeze(np.matmul(weighted, np.conj((rows - mean).T)) * np.divide(1.0, factor))
    return astype(ans, dtype)


#: Whether this NumPy takes one row of many observations for one even with rowvar=False.
_ROW_IS_A_VARIABLE = np.cov(np.ones((1, 2)), rowvar=False, bias=True).ndim == 0


def _variables(m: Any, rowvar: bool) -> Any:
    """``m`` with a row for each variable and a column for each observation."""
    if np.ndim(m) > 2:
        raise ValueError("m has more than 2 dimensions")
    rows = np.reshape(m, (1, -1)) if np.ndim(m) < 2 else m
    is_row = np.ndim(m) < 2 or (_ROW_IS_A_VARIABLE and np.shape(rows)[0] == 1)
    return rows if rowvar or is_row else rows.T


@composite(np.corrcoef, traced=("y",))
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, dtype: Any = None) -> Any:
    keywords = {} if dtype is None else {"dtype": dtype}
    c = np.cov(x, y, rowvar, **keywords)
    if np.ndim(c) == 0:
        return c / c
    spread = np.sqrt(np.real(np.diagonal(c)))
    ans = c / spread[:, None] / spread[None, :]
    inside = np.clip(np.real(ans), -1, 1)
    if ans.dtype.kind == "c":
        inside = inside + 1j * np.clip(np.imag(ans), -1, 1)
    # What is beyond 1 is a rounding, and no kink.
    return ans - stop(ans - inside)


# Histograms: what is counted is constant; the weights are added up, and edges follow the extremes.


def _bin_count(a: Any, bins: str, range: Any) -> int:
    return len(np.histogram_bin_edges(a, bins, range)) - 1


bin_count = constant(_bin_count, batch=ragged)


def _edges(a: Any, bins: Any, range: Any, of_dtype: bool = True) -> Any:
    """The edges of the bins for the values ``a``, ``of_dtype``: in no lower precision."""
    if np.iscomplexobj(a):
        raise TypeError("a histogram is of real numbers. Write np.real(z), np.abs(z) or the like.")
    if np.ndim(bins) == 1:
        edges = operand(bins)
        falls = np.any(edges[1:] < edges[:-1])
        if not is_traced(falls) and falls:
            raise ValueError("`bins` must increase monotonically, when an array")
        return edges
    if np.ndim(bins) != 0:
        raise ValueError("`bins` must be 1d, when an array")
    count = bin_count(a, bins=bins, range=range) if isinstance(bins, str) else int(bins)
    if count < 1:
        raise ValueError("`bins` must be positive, when an integer")
    if range is not None:
        low, high = range
    else:
        low, high = (np.min(a), np.max(a)) if np.size(a) else (0.0, 1.0)
    if not all(np.all(np.isfinite(raw(end))) for end in (low, high)):
        raise ValueError(f"the range of a histogram, from {low} to {high}, is not finite.")
    if not is_traced(low) and not is_traced(high) and low > high:
        raise ValueError("max must be larger than min in range parameter.")
    dtype = np.result_type(low, high, *[a] * of_dtype)
    dtype = dtype if dtype.kind == "f" else np.dtype(float)
    pad = astype(np.where(low == high, 0.5, 0.0), dtype)
    return np.linspace(low - pad, high + pad, count + 1, dtype=dtype)


def _bins_of(a: Any, edges: Any) -> tuple[Any, Any]:
    """The bin that each value is in, and whether it is in one."""
    last = edges.shape[0] - 1
    bins = np.searchsorted(edges, a, side="right") - 1
    # The last bin has its right edge too.
    bins = np.where(a == edges[-1], last - 1, bins)
    return np.clip(bins, 0, last - 1), (bins >= 0) & (bins < last)


@dispatched(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    return _edges(np.ravel(operand(a)), bins, range)


@dispatched(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    a = np.ravel(operand(a))
    edges = _edges(a, bins, range)
    at, inside = _bins_of(a, edges)
    if weights is None:
        counted = astype(inside, np.intp)
    else:
        counted = np.where(inside, np.ravel(operand(weights)), 0)
    total = placed(counted, at, edges.shape[0] - 1)
    if density:
        return total / astype(np.diff(edges), float) / np.sum(total), edges
    return total, edges


def _is_sequence(bins: Any) -> bool:
    return isinstance(bins, list | tuple) or np.ndim(bins) > 0


@dispatched(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    if isinstance(sample, list | tuple):
        sample = np.stack([operand(x) for x in sample], axis=-1)
    if np.ndim(sample) == 1:
        sample = np.reshape(sample, (-1, 1))
    count, dims = np.shape(sample)
    bins = bins if _is_sequence(bins) else [bins] * dims
    ranges = [None] * dims if range is None else range
    if len(bins) != dims:
        raise ValueError("The dimension of bins must be equal to the dimension of the sample x.")
    edges = [_edges(sample[:, i], b, r, False) for i, (b, r) in enumerate(zip(bins, ranges))]
    shape = tuple(e.shape[0] - 1 for e in edges)
    at: Any = 0
    inside: Any = True
    for i, e in enumerate(edges):
        own, within = _bins_of(sample[:, i], e)
        at, inside = at * shape[i] + own, inside & within
    weights = np.ones(count) if weights is None else astype(operand(weights), float, casting="safe")
    total = placed(np.where(inside, weights, 0.0), at, int(np.prod(shape)))
    # NumPy cuts the values that are outside of the edges away, which leaves a part of an array.
    total = np.pad(np.reshape(total, shape), 1)[(slice(1, -1),) * dims]
    if density:
        for i, e in enumerate(edges):
            total = total / np.reshape(
                np.diff(e), [-1 if k == i else 1 for k, _ in enumerate(edges)]
            )
        total = total / np.sum(placed(np.where(inside, weights, 0.0), at, int(np.prod(shape))))
    return total, edges


@dispatched(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    if _is_sequence(bins) and len(bins) not in (1, 2):
        bins = [bins, bins]
    total, edges = np.histogramdd((x, y), bins, range, density, weights)
    return total, edges[0], edges[1]


@dispatched(np.bincount)
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    x = operand(x)
    size = max(int(np.max(x)) + 1 if np.size(x) else 0, minlength)
    if weights is None:
        return placed(np.ones(np.shape(x), np.intp), x, size)
    return placed(astype(operand(weights), float, casting="safe"), x, size)
