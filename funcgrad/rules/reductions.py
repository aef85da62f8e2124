"""Sums, means, products, extrema and spreads over axes.

Ties in max and min share the cotangent evenly; the spread of values that do not spread has
derivative 0 (the least-norm subgradient); products are exact where factors are zero.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..adapting import with_out
from ..batching import along_one, over, stacks
from ..core import FUNCTIONS, Primitive, call, is_traced, operand
from ..verbs import composite, expand, linear, reduction, rule
from .constants import stop
from .order import asked, in_order
from .shapes import astype, scalar


def _spread(g: Any, x_like: Any, axis: Any, keepdims: bool, where: Any) -> Any:
    """``g`` of a sum, at every element that went into it."""
    g = np.broadcast_to(expand(g, x_like.ndim, axis, keepdims), x_like.shape)
    return g if where is True else np.where(where, g, 0.0)


linear(
    np.sum,
    lambda g, x_like, axis=None, keepdims=False, where=True: _spread(
        g, x_like, axis, keepdims, where
    ),
    batch=over(),
    accepts=("dtype",),
)


def _count(x: Any, axis: Any, where: Any) -> Any:
    """How many elements go into each result, as an array that still has the reduced axes."""
    if where is True:
        axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
        return float(np.prod([x.shape[i] for i in axes]))
    where = np.broadcast_to(where, x.shape)
    return np.sum(where, axis=axis, keepdims=True).astype(np.result_type(x.dtype, np.float32))


def _divided(x: Any, count: Any) -> Any:
    """``x / count`` in x's dtype, which the count itself may be too large for."""
    if type(count) is float:
        return x * (1.0 / count if count else np.nan)
    return (x / count).astype(x.dtype)


def _mean_pull(
    g: Any, x_like: Any, axis: Any = None, keepdims: bool = False, where: Any = True
) -> Any:
    g = _divided(expand(g, x_like.ndim, axis, keepdims), _count(x_like, axis, where))
    return _spread(g, x_like, axis, True, where)


linear(np.mean, _mean_pull, batch=over(), accepts=("dtype",))


def _extremum(function: Any) -> None:
    def shares(t: Any, ans: Any, x: Any, axis: Any, keepdims: bool, where: Any) -> Any:
        best = (x == expand(ans, x.ndim, axis, keepdims)) & where
        best = best | (np.isnan(x) & where)
        return np.where(best, _divided(t, _count(x, axis, best)), 0.0)

    rule(
        function,
        lambda g, ans, x, axis=None, keepdims=False, where=True: shares(
            expand(g, x.ndim, axis, keepdims), ans, x, axis, keepdims, where
        ),
        lambda t, ans, x, axis=None, keepdims=False, where=True: np.sum(
            shares(t, ans, x, axis, keepdims, where), axis=axis, keepdims=keepdims
        ),
        batch=over(),
        accepts=("initial",),
    )


_extremum(np.max)
_extremum(np.min)


def rows_of(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """``a`` with the axes to reduce flattened into the last, and which they were."""
    axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    kept = [i for i in range(a.ndim) if i not in axes]
    size = int(np.prod([a.shape[i] for i in axes]))
    moved = np.transpose(a, [*kept, *axes])
    return np.reshape(moved, (*[a.shape[i] for i in kept], size)), axes


def _others(x: Any, axis: Any = None, where: Any = True) -> Any:
    """At each element the product of all others over ``axis``: exact at zeros, without dividing."""
    if x.ndim == 0:
        return np.ones_like(x)
    kept = x if where is True else np.where(where, x, 1.0)
    rows, axes = rows_of(kept, axis)
    one = np.ones((*rows.shape[:-1], min(1, rows.shape[-1])), x.dtype)
    before = np.cumprod(np.concatenate([one, rows[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, np.flip(rows[..., 1:], -1)], axis=-1), axis=-1)
    products = before * np.flip(after, -1)
    rest = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    products = np.reshape(products, (*rest, *(x.shape[i] for i in axes)))
    products = np.moveaxis(products, tuple(range(-len(axes), 0)), axes)
    return products if where is True else np.where(where, products, 0.0)


reduction(np.prod, _others, accepts=("dtype",))


def _deviation(x: Any, axis: Any, where: Any, ddof: float, dtype: Any) -> Any:
    """(x − mean) / (n − ddof)."""
    mean = np.mean(x, axis=axis, keepdims=True, where=where, dtype=dtype)
    deviation = _divided(x - mean, _count(x, axis, where) - ddof)
    if deviation.dtype.kind == "c":  # the variance is a real function, |x − mean|² on the average
        deviation = np.conj(deviation)
    return deviation if where is True else np.where(where, deviation, 0.0)


reduction(
    np.var,
    lambda x, axis=None, where=True, ddof=0, dtype=None: (
        2.0 * _deviation(x, axis, where, ddof, dtype)
    ),
    accepts=("dtype",),
)


def _is_mean(x: Any, low: Any, dtype: Any) -> Any:
    """Where ``x``, among values that are all ``low``, is their mean: with a real ``dtype`` that of
    their real parts."""
    return (x == low) if dtype is None else (x == low) & (np.imag(x) == 0)


def _std_partial(
    ans: Any, x: Any, axis: Any = None, where: Any = True, ddof: float = 0, dtype: Any = None
) -> Any:
    # Of equal values the mean, and with it the result, may be off by a rounding.
    low = np.min(x, axis=axis, keepdims=True, where=where, initial=np.inf)
    flat = np.all(_is_mean(x, low, dtype) | np.logical_not(where), axis=axis, keepdims=True)
    deviation = _deviation(x, axis, where, ddof, dtype)
    return np.where(flat, 0.0, deviation / np.where(flat, 1.0, ans))


reduction(np.std, _std_partial, accepts=("dtype",))


@composite(np.ptp)
def ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


# What NumPy's own function cannot be given: a mask of which every example of a vmap has its own
# (np.where puts it in place of the elements that it leaves out), a traced initial value, which
# joins the result, and a mean that was computed before.


def one_of(ddof: float, correction: float) -> float:
    """What of the two names of one number was given."""
    if ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    return correction


def _extended(function: Any, masked: Any, join: Any = None, given_mean: Any = None) -> None:
    """Declare ``masked(a, where, keywords)`` for the calls of a reduction with a traced mask,
    ``join(result, initial)`` and ``given_mean(a, keywords)``."""
    signature, static = inspect.signature(function), FUNCTIONS[function]

    def apply(*args: Any, **keywords: Any) -> Any:
        keywords = {key: v for key, v in keywords.items() if v is not np._NoValue}
        if "correction" in keywords:
            keywords["ddof"] = one_of(keywords.get("ddof", 0), keywords.pop("correction"))
        initial = keywords.get("initial")
        is_total = join in (np.add, np.multiply)
        if initial is not None and (is_total or is_traced(initial)):
            if is_total:
                del keywords["initial"]
            else:
                keywords["initial"] = _lowest(np.result_type(args[0]), join is np.maximum)
            ans = apply(*args, **keywords)
            initial = operand(initial)
            return join(ans, initial if ans.dtype.kind in "biu" else astype(initial, ans.dtype))
        if given_mean is not None and ("dtype" in keywords or len(args) > 2):
            given = signature.bind(*args, **keywords).arguments
            dtype = given.pop("dtype")
            if dtype is not None and np.dtype(dtype).kind == "c":  # of what is real all the same
                return astype(apply(astype(operand(given.pop("a")), dtype), **given), dtype)
        if "mean" not in keywords and not is_traced(keywords.get("where")):
            return static(*args, **keywords)
        given = {key: v for key, v in keywords.items() if v is not None}
        keywords = signature.bind(*args, **given).arguments
        a, where = operand(keywords.pop("a")), keywords.pop("where", True)
        a = a if is_traced(a) else np.asarray(a)
        if where is not True and np.broadcast_shapes(a.shape, where.shape) != a.shape:
            raise ValueError(
                f"np.{function.__name__}: where= has shape {where.shape}, which does not broadcast "
                f"to {a.shape}, that of the array."
            )
        if "mean" in keywords:
            return given_mean(a, where, keywords)
        return masked(a, where, keywords)

    FUNCTIONS[function] = with_out(function, apply)


def _filled(function: Any, neutral: int) -> Any:
    """A reduction that ``neutral`` elements do not change, of an array and a mask."""

    def masked(a: Any, where: Any, keywords: dict[str, Any]) -> Any:
        return call(function, (np.where(where, a, neutral),), keywords)

    return masked


def _lowest(dtype: np.dtype[Any], low: bool) -> Any:
    """The lowest value of a dtype, or the highest one."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min if low else np.iinfo(dtype).max
    return not low if dtype.kind == "b" else -np.inf if low else np.inf


def _extreme(function: Any, low: bool) -> Any:
    """The largest element (``low``: the filling is the lowest value) or the smallest one."""

    def masked(a: Any, where: Any, keywords: dict[str, Any]) -> Any:
        if "initial" not in keywords:
            raise ValueError(
                f"np.{function.__name__} with where= needs initial=, the result where the mask "
                f"leaves nothing."
            )
        return call(function, (np.where(where, a, _lowest(a.dtype, low)),), keywords)

    return masked


def _masked_mean(a: Any, where: Any, keywords: dict[str, Any]) -> Any:
    total = np.sum(np.where(where, a, 0.0), **keywords)
    return (total / _kept(a, where, keywords)).astype(total.dtype)


def _kept(a: Any, where: Any, keywords: dict[str, Any]) -> Any:
    """How many elements the mask keeps, beside each result."""
    axes = {key: keywords[key] for key in ("axis", "keepdims") if key in keywords}
    kept = np.sum(np.broadcast_to(where, a.shape), **axes)
    return kept.astype(np.result_type(a.dtype, np.float32))


def _masked_var(a: Any, where: Any, keywords: dict[str, Any]) -> Any:
    mean = keywords.pop("mean", None)
    if mean is None:
        axis, dtype = keywords.get("axis"), keywords.get("dtype")
        mean = np.mean(a, axis=axis, keepdims=True, where=where, dtype=dtype)
    ddof = keywords.pop("ddof", 0)
    deviation = np.where(where, a - mean, 0.0)
    squares = np.square(np.real(deviation))
    if deviation.dtype.kind == "c":
        squares = squares + np.square(np.imag(deviation))
    total = np.sum(squares, **keywords)
    return (total / np.maximum(np.real(_kept(a, where, keywords)) - ddof, 0)).astype(total.dtype)


def _masked_std(a: Any, where: Any, keywords: dict[str, Any]) -> Any:
    # As without a mask: values that are equal have derivative 0, whatever their mean is off by.
    axes = {key: keywords[key] for key in ("axis", "keepdims") if key in keywords}
    low = np.min(np.where(where, a, np.inf), axis=axes.get("axis"), keepdims=True)
    is_mean = _is_mean(a, low, keywords.get("dtype"))
    flat = np.all(is_mean | np.logical_not(where), **axes)
    var = np.var(a, where=where, **keywords)
    # Of nothing, too, all values are equal, and the variance is NaN.
    std = np.where(flat, stop(np.sqrt(var)), np.sqrt(np.where(flat, 1.0, var)))
    return in_order(scalar(std), var)


def _std_about(a: Any, where: Any, keywords: dict[str, Any]) -> Any:
    var = _masked_var(a, where, keywords)
    return scalar(np.where(var == 0, stop(np.sqrt(var)), np.sqrt(np.where(var == 0, 1.0, var))))


_extended(np.sum, _filled(np.sum, 0), np.add)
_extended(np.prod, _filled(np.prod, 1), np.multiply)
_extended(np.any, _filled(np.any, False))
_extended(np.all, _filled(np.all, True))
_extended(np.max, _extreme(np.max, low=True), np.maximum)
_extended(np.min, _extreme(np.min, low=False), np.minimum)
_extended(np.mean, _masked_mean)
_extended(np.var, _masked_var, given_mean=_masked_var)
_extended(np.std, _masked_std, given_mean=_std_about)

# Functions of their own in NumPy, under other names.
FUNCTIONS[np.amax] = FUNCTIONS[np.max]
FUNCTIONS[np.amin] = FUNCTIONS[np.min]

# Running sums and products.


def _cumsum_pull(g: Any, x_like: Any, axis: int | None = None) -> Any:
    along = 0 if axis is None or not x_like.shape else axis
    return np.reshape(np.flip(np.cumsum(np.flip(g, along), along), along), x_like.shape)


linear(np.cumsum, _cumsum_pull, batch=along_one, accepts=("dtype",))


def _recurrence(a: Any, b: Any) -> Any:
    dtype = np.result_type(a, b)
    ans = np.array(np.broadcast_to(b, np.broadcast_shapes(a.shape, b.shape)), dtype)
    if ans.ndim == 1:
        out = ans.tolist()
        for i, factor in enumerate(a.tolist()):
            if i:
                out[i] += factor * out[i - 1]
        return np.array(out, dtype)
    for i in range(1, len(ans)):
        ans[i] += a[i] * ans[i - 1]
    return ans


def _shifted(x: Any, fill: float, by: int) -> Any:
    """``x`` moved one place along its first axis, ``fill`` coming in."""
    edge = np.full((min(1, len(x)), *x.shape[1:]), fill, x.dtype)
    return np.concatenate([edge, x[:-1]] if by > 0 else [x[1:], edge])


def _recurrence_back(g: Any, a: Any) -> Any:
    """The cotangent of b: hᵢ = gᵢ + aᵢ₊₁·hᵢ₊₁."""
    return np.flip(recurrence(np.flip(_shifted(a, 0.0, -1), 0), np.flip(g, 0)), 0)


def _recurrence_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    rows = [np.moveaxis(x, 0, 1) for x in stacks(operands, mine, size)]
    return np.moveaxis(primitive(*rows), 1, 0)


#: yᵢ = aᵢ·yᵢ₋₁ + bᵢ along the first axis, from y₋₁ = 0.
recurrence: Primitive = rule(
    _recurrence,
    [
        lambda g, ans, x: _recurrence_back(g, x) * _shifted(ans, 0.0, 1),
        lambda g, x: _recurrence_back(g, x),
    ],
    [
        lambda t, ans, x: recurrence(x, t * _shifted(ans, 0.0, 1)),
        lambda t, x: recurrence(x, t),
    ],
    batch=_recurrence_stack,
    kind="rows",
)


def _along_first(x: Any, axis: int | None) -> Any:
    return np.ravel(x) if axis is None or x.ndim == 0 else np.moveaxis(x, axis, 0)


def _back_from_first(y: Any, axis: int | None, shape: tuple[int, ...]) -> Any:
    if axis is None or y.ndim == 1:  # NumPy takes a number for an array of one element
        return np.reshape(y, shape)
    return np.moveaxis(y, 0, axis)


def _cumprod_pull(g: Any, ans: Any, x: Any, axis: int | None = None) -> Any:
    before = _shifted(_along_first(ans, axis), 1.0, 1)
    h = _recurrence_back(_along_first(g, axis), _along_first(x, axis))
    return _back_from_first(before * h, axis, x.shape)


def _cumprod_push(t: Any, ans: Any, x: Any, axis: int | None = None) -> Any:
    before = _shifted(_along_first(ans, axis), 1.0, 1)
    moved = recurrence(_along_first(x, axis), _along_first(t, axis) * before)
    return _back_from_first(moved, axis, ans.shape)


rule(
    np.cumprod,
    _cumprod_pull,
    _cumprod_push,
    batch=along_one,
    accepts=("dtype",),
    kind="rows",
)


def _cumulative(function: Any, running: Any, neutral: float) -> None:
    @composite(function)
    def cumulative(
        x: Any, axis: Any = None, dtype: Any = None, include_initial: bool = False
    ) -> Any:
        x = x if x.ndim else np.reshape(x, (1,))
        if axis is None and x.ndim > 1:
            raise ValueError(
                "For arrays which have more than one dimension ``axis`` argument is required."
            )
        axis, *others = normalize_axis_tuple(-1 if axis is None else axis, x.ndim)
        if others:
            raise ValueError(
                f"np.{function.__name__} runs along one axis, and not {axis, *others}."
            )
        ans = running(x, axis=axis, dtype=dtype)
        if not include_initial:
            return ans
        shape = [1 if i == axis else n for i, n in enumerate(x.shape)]
        ans = np.concatenate([np.full(shape, neutral, ans.dtype), ans], axis=axis)
        return asked(ans, function, x, axis=axis, include_initial=True)


if hasattr(np, "cumulative_sum"):  # from NumPy 2.1 on
    _cumulative(np.cumulative_sum, np.cumsum, 0.0)
    _cumulative(np.cumulative_prod, np.cumprod, 1.0)
