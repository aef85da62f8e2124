"""Reductions that leave NaN out, which is a mask: what is left out has derivative zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batching import along_one
from ..verbs import composite, constant
from .reductions import one_of
from .shapes import astype, scalar

constant(np.nanargmax, batch=along_one, accepts=("axis", "keepdims"))
constant(np.nanargmin, batch=along_one, accepts=("axis", "keepdims"))


def _numbers(a: Any, fill: float, where: Any = True) -> tuple[Any, Any]:
    """``a`` with ``fill`` in place of its NaN, and where it has none."""
    found = np.logical_not(np.isnan(a))
    return np.where(found, a, fill), found if where is True else found & where


def _filled(function: Any, plain: Any, fill: float) -> None:
    """Declare a reduction that ``fill`` does not change, or a running one."""

    def body(a: Any, **keywords: Any) -> Any:
        return plain(np.where(np.isnan(a), fill, a), **keywords)

    if plain in (np.cumsum, np.cumprod):

        @composite(function)
        def running(a: Any, axis: Any = None, dtype: Any = None) -> Any:
            return body(a, axis=axis, dtype=dtype)

        return

    @composite(function, traced=("initial", "where"))
    def total(
        a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False,
        initial: Any = fill, where: Any = True,
    ) -> Any:  # fmt: skip
        return body(a, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where)


_filled(np.nansum, np.sum, 0.0)
_filled(np.nanprod, np.prod, 1.0)
_filled(np.nancumsum, np.cumsum, 0.0)
_filled(np.nancumprod, np.cumprod, 1.0)


def _extreme(function: Any, plain: Any, fill: float) -> None:
    @composite(function, traced=("initial", "where"))
    def extreme(
        a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> Any:
        if initial is None and not np.size(a):
            plain(np.empty(np.shape(a)), axis=axis)  # which raises where there is nothing
        kept, found = _numbers(a, fill, where)
        given = fill if initial is None else initial
        ans = plain(kept, axis=axis, keepdims=keepdims, initial=given, where=found)
        if initial is not None:
            return ans
        if where is not True:
            raise ValueError(
                f"np.{function.__name__} with where= needs initial=, the result where the mask "
                f"leaves nothing."
            )
        return scalar(np.where(np.any(found, axis=axis, keepdims=keepdims), ans, np.nan))


_extreme(np.nanmax, np.max, -np.inf)
_extreme(np.nanmin, np.min, np.inf)


def _average(function: Any, plain: Any) -> None:
    @composite(function, traced=("where",))
    def average(
        a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, where: Any = True
    ) -> Any:
        kept, found = _numbers(a, 0.0, where)
        return plain(kept, axis=axis, dtype=dtype, keepdims=keepdims, where=found)


_average(np.nanmean, np.mean)


def _spread(function: Any, plain: Any) -> None:
    @composite(function, traced=("where", "mean"))
    def spread(
        a: Any, axis: Any = None, dtype: Any = None, ddof: float = 0, keepdims: bool = False,
        where: Any = True, mean: Any = None, correction: Any = None,
    ) -> Any:  # fmt: skip
        kept, found = _numbers(a, 0.0, where)
        ddof = ddof if correction is None else one_of(ddof, correction)
        count = np.sum(found, axis=axis, keepdims=keepdims)
        given = {} if mean is None else {"mean": astype(mean, kept.dtype)}
        ans = plain(
            kept, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims, where=found, **given
        )
        return scalar(np.where(count > ddof, ans, np.nan))


_spread(np.nanvar, np.var)
_spread(np.nanstd, np.std)
