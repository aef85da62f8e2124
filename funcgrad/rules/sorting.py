"""Sorting and order statistics.

Equal values share evenly: the derivative of ``np.sort`` averages over each run of ties, so that
``np.sort(x)[0]`` has the derivative of ``np.min(x)``. Everything that picks values by rank is an
index into the sorted values, so that the same holds for medians and quantiles. What NumPy
interpolates between two ranks is linear in the values and in q (Hyndman & Fan, 1996, have the
methods by number).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..batching import on_stacks
from ..core import Primitive, is_traced, raw
from ..trace import WEAK
from ..verbs import composite, rule
from .order import asked, in_order
from .reductions import rows_of
from .shapes import astype, scalar
from .statistics import along_axes


def _tie_average(g: Any, ordered: Any) -> Any:
    same = ordered[..., 1:] == ordered[..., :-1]
    if not same.any():
        return g
    first = np.concatenate([np.ones((*g.shape[:-1], 1), bool), ~same], axis=-1)
    starts = np.flatnonzero(first)
    counts = np.diff(starts, append=g.size)
    sums = np.add.reduceat(g, starts) if g.ndim == 1 else np.add.reduceat(g.ravel(), starts)
    return np.repeat((sums / counts).astype(g.dtype), counts).reshape(g.shape)


#: ``g`` averaged over each run of equal values of ``ordered``, along the last axis.
tie_average: Primitive = rule(
    _tie_average,
    [lambda g, y: tie_average(g, y), None],
    [lambda t, y: tie_average(t, y), None],
    batch=on_stacks,
)


def _shared(x: Any) -> Any:
    return x.copy()


#: Sorted values, as the shares of those that went into them.
shared = rule(
    _shared,
    [lambda g, x: tie_average(g, x)],
    [lambda t, x: tie_average(t, x)],
    batch=on_stacks,
)


def sorted_rows(rows: Any) -> Any:
    """``rows`` sorted along the last axis."""
    order = np.argsort(rows, axis=-1, kind="stable")
    return shared(np.take_along_axis(rows, order, axis=-1))


def sharing(x: Any, axis: int = -1) -> Any:
    """``x`` as it is, of which equal values along ``axis`` share evenly."""
    rows = np.moveaxis(x, axis, -1)
    ranks = np.argsort(np.argsort(rows, axis=-1, kind="stable"), axis=-1)
    return np.moveaxis(np.take_along_axis(sorted_rows(rows), ranks, axis=-1), -1, axis)


@composite(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Any:
    if kind is not None or stable is not None:
        np.sort(np.empty(0), kind=kind, stable=stable)  # which raises NumPy's errors
    if axis is None:
        return sorted_rows(np.ravel(a))
    axis = normalize_axis_index(axis, a.ndim)
    if axis == a.ndim - 1:
        return in_order(sorted_rows(a), a)
    return in_order(np.moveaxis(sorted_rows(np.moveaxis(a, axis, -1)), -1, axis), a)


@composite(np.partition, operands=2)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect") -> Any:
    # In the order that NumPy leaves the others in, which is any.
    if axis is None:
        a, axis = np.ravel(a), 0
    order = np.argpartition(a, kth, axis=axis, kind=kind)
    return in_order(np.take_along_axis(sharing(a, axis), order, axis=axis), a)


@composite(np.sort_complex)
def sort_complex(a: Any) -> Any:
    ordered = np.sort(a)
    if ordered.dtype.kind == "c":
        return ordered
    # Single precision is for small integers, and not for floats.
    small = ordered.dtype.char in "bhBH"
    return astype(ordered, np.result_type(ordered, np.complex64 if small else np.complex128))


# Order statistics.


_LINEAR = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1.0 / 3.0, 1.0 / 3.0),
    "normal_unbiased": (3.0 / 8.0, 3.0 / 8.0),
}


#: The methods that give one of the values.
_WHOLE = {"lower", "higher", "nearest", "inverted_cdf", "closest_observation"}


def _rank(n: Any, q: Any, method: str) -> Any:
    """The rank among n sorted values, from 0 and not whole, that the quantile q has."""
    if method in _LINEAR:
        alpha, beta = _LINEAR[method]
        return n * q + (alpha + q * (1.0 - alpha - beta)) - 1.0
    linear = (n - 1) * q
    rank = n * q - 1.0
    if method in ("lower", "higher"):
        return np.floor(linear) if method == "lower" else np.ceil(linear)
    if method == "midpoint":
        return 0.5 * (np.floor(linear) + np.ceil(linear))
    if method == "nearest":
        return np.rint(linear)
    if method == "inverted_cdf":
        return np.ceil(rank)
    if method == "averaged_inverted_cdf":
        return np.where(np.floor(rank) == rank, rank + 0.5, np.ceil(rank))
    if method == "closest_observation":
        low = np.floor(rank - 0.5)
        return np.where((low == rank - 0.5) & (low % 2 == 1), low, low + 1)
    raise ValueError(
        f"np.quantile has no method {method!r}. It takes {', '.join(_LINEAR)}, inverted_cdf, "
        f"averaged_inverted_cdf, closest_observation, lower, higher, midpoint and nearest."
    )


def _weighted_rank(weights: Any, q: Any) -> Any:
    """The rank where the sorted values' ``weights``, added up, reach the share q of their sum."""
    cdf = np.cumsum(weights, axis=-1, dtype=np.float64)
    cdf = cdf / np.where(cdf[..., -1:] == 0, 1.0, cdf[..., -1:])  # which it is of NaN alone
    if np.asarray(raw(q)).dtype.kind == "f":
        cdf = astype(cdf, np.asarray(raw(q)).dtype)
    # Of a share of 0 it is the first that has a weight.
    below = (cdf == 0) | (cdf < np.reshape(q, (-1,) + (1,) * np.ndim(cdf)))
    return np.moveaxis(np.sum(below, axis=-1), 0, -1)


def _checked_weights(a: Any, weights: Any, axis: Any, method: str) -> Any:
    if method != "inverted_cdf":
        raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
    weights = np.broadcast_to(along_axes(a, np.asarray(weights), axis), a.shape)
    if np.any(weights < 0):
        raise ValueError("Weights must be non-negative.")
    total = np.sum(weights, axis=axis)
    if not np.all(np.isfinite(total) & (total > 0)):
        raise ValueError("Weights included NaN, inf or were all zero.")
    return weights


def quantiles(
    a: Any, q: Any, axis: Any, keepdims: bool, method: str = "linear", skip_nan: bool = False,
    weights: Any = None, halfway: bool = False,
) -> Any:  # fmt: skip
    """The quantiles ``q`` of ``a`` over ``axis``, those of its numbers alone with ``skip_nan``;
    ``halfway`` between two values is their mean, even if it is infinite."""
    shares = np.asarray(raw(q))
    if not np.all((shares >= 0) & (shares <= 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    a = a if is_traced(a) else np.asarray(a)
    if skip_nan and not a.size:
        return np.mean(a, axis=axis, keepdims=keepdims)
    rows, axes = rows_of(a, axis)
    if weights is not None:
        weights, _ = rows_of(_checked_weights(a, weights, axis, method), axis)
        weights = np.where(np.isnan(rows) & skip_nan, 0, weights)
        weights = np.take_along_axis(weights, np.argsort(rows, axis=-1, kind="stable"), axis=-1)
    rows = sorted_rows(rows)
    is_number = np.logical_not(np.isnan(rows))
    n = np.sum(is_number, axis=-1, keepdims=True) if skip_nan else rows.shape[-1]
    last = np.maximum(n - 1, 0)
    weighted = weights is not None
    rank = _weighted_rank(weights, q) if weighted else _rank(n, np.reshape(q, (-1,)), method)
    rank = np.clip(rank, 0, last)
    rank = np.reshape(rank, (1,) * (rows.ndim - np.ndim(rank)) + np.shape(rank))
    low = astype(np.floor(rank), np.intp)
    # Of a rank that is not a variable the next value counts only if it is in between.
    high = np.minimum(low + 1, last) if is_traced(q) else astype(np.ceil(rank), np.intp)
    ans = np.take_along_axis(rows, low, axis=-1)
    if method not in _WHOLE:
        above = np.take_along_axis(rows, high, axis=-1)
        if halfway:
            between = 0.5 * ans + 0.5 * above
        else:
            weak = type(raw(q)) in WEAK
            share = astype(rank - np.floor(rank), np.result_type(rows, 0.0 if weak else q, 0.0))
            # From the nearer end, as NumPy rounds. Infinities may be equal.
            step = above - ans
            between = np.where(share < 0.5, ans + step * share, above - step * (1.0 - share))
        ans = np.where(ans == above, ans, between)
    if not skip_nan:
        ans = np.where(is_number[..., -1:], ans, rows[..., -1:])
    ans = np.moveaxis(ans, -1, 0)
    kept = [1 if i in axes else n for i, n in enumerate(np.shape(a))]
    return scalar(np.reshape(ans, (*np.shape(q), *(kept if keepdims else ans.shape[1:]))))


def _real(a: Any) -> Any:
    if np.iscomplexobj(a):
        raise TypeError("a quantile is of real numbers. Write np.real(z), np.abs(z) or the like.")
    return a


@composite(np.median)
def median(a: Any, axis: Any = None, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    if not a.size:
        return np.mean(a, axis=axis, keepdims=keepdims)
    ans = quantiles(a, 0.5, axis, keepdims, halfway=True)
    return asked(ans, np.median, a, axis=axis, keepdims=keepdims)


@composite(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    ans = quantiles(a, 0.5, axis, keepdims, skip_nan=True, halfway=True)
    return asked(ans, np.nanmedian, a, axis=axis, keepdims=keepdims)


def _of_shares(function: Any, unit: int, skip_nan: bool) -> None:
    """Declare the function of NumPy that takes quantiles by their shares of ``unit``."""

    @composite(function, operands=2)
    def of_shares(
        a: Any, q: Any, axis: Any = None, overwrite_input: bool = False, method: str = "linear",
        keepdims: bool = False, weights: Any = None,
    ) -> Any:  # fmt: skip
        share = q if unit == 1 else q / unit
        ans = quantiles(_real(a), share, axis, keepdims, method, skip_nan, weights)
        weights = weights if weights is None else np.asarray(weights)
        return asked(
            ans, function, a, q, axis=axis, method=method, keepdims=keepdims, weights=weights
        )


_of_shares(np.quantile, 1, skip_nan=False)
_of_shares(np.percentile, 100, skip_nan=False)
_of_shares(np.nanquantile, 1, skip_nan=True)
_of_shares(np.nanpercentile, 100, skip_nan=True)
