"""The keywords of a ufunc's call, done away with: the ufunc is called again without any.

NumPy itself says to which dtypes ``dtype=``, ``signature=`` and ``casting=`` make it cast the
operands. Where a generalized ufunc such as ``np.matmul`` is told its core axes, they are moved to
the end, where it looks for them, and those of the result from there. ``order`` and ``subok`` change
no value. So ``np.add(t, u, dtype=float)`` is ::

    np.add(t.astype(float), u.astype(float))
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..core import FUNCTIONS, operand, raw, ufunc_name
from ..errors import UnsupportedError
from .order import in_order, order_of
from .shapes import astype


def _without_keywords(ufunc: np.ufunc, inputs: Any, keywords: dict[str, Any]) -> Any:
    if keywords.get("where", True) is not True:
        name = ufunc_name(ufunc)
        raise UnsupportedError(
            f"{name}: its keyword 'where' leaves the other elements undefined without out=. Give "
            f"out=z, made as np.zeros(n, like=t), or write np.where(mask, {name}(t), 0.0)."
        )
    order = keywords.get("order", "K")
    if order not in tuple("CFAK"):
        raise ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})")
    operands = _cast(ufunc, [operand(x) for x in inputs], keywords)
    places = {key: x for key, x in keywords.items() if key in ("axes", "axis", "keepdims")}
    ans = _along(ufunc, operands, places) if places else ufunc(*operands)
    return ans if order == "K" else in_order(ans, order_of(order, *operands))


FUNCTIONS[np.ufunc] = _without_keywords


def _cast(ufunc: np.ufunc, operands: list[Any], keywords: dict[str, Any]) -> list[Any]:
    """The operands in the dtypes that the keywords ask for."""
    given = {k: keywords[k] for k in ("signature", "casting") if keywords.get(k) is not None}
    if keywords.get("dtype") is not None:
        dtype = np.dtype(keywords["dtype"])
        given["signature"] = (None,) * ufunc.nin + (dtype,) * ufunc.nout
    if not given:
        return operands
    dtypes = ufunc.resolve_dtypes((*map(_kind, operands), *(None,) * ufunc.nout), **given)
    return [x if _kind(x) == d else astype(x, d) for x, d in zip(operands, dtypes)]


def _kind(x: Any) -> Any:
    """What decides about dtypes: a type of Python's numbers or a dtype."""
    kind = type(raw(x))
    return kind if kind in (int, float, complex) else np.result_type(x)


def _along(ufunc: np.ufunc, operands: list[Any], places: dict[str, Any]) -> Any:
    """A generalized ufunc of one result whose core axes are ``axes``, one entry an operand and
    one for the result, or ``axis`` in all of them."""
    ufunc(*[np.ones((1,) * np.ndim(x)) for x in operands], **places)  # which raises NumPy's errors
    axes, axis, keepdims = map(places.get, ("axes", "axis", "keepdims"))
    *counts, of_result = (
        len(term.split(",")) if term else 0
        for term in re.findall(r"\(([^)]*)\)", str(ufunc.signature))
    )
    kept = counts[0] if keepdims else of_result
    if axis is not None:
        axes = [(axis,) * count for count in (*counts, kept)]
    elif axes is None:
        axes = [tuple(range(-count, 0)) for count in (*counts, kept)]
    axes = [entry if isinstance(entry, tuple) else (entry,) for entry in axes]
    if len(axes) == len(operands):
        axes.append(tuple(range(-kept, 0)))
    ans = ufunc(*[np.moveaxis(x, at, _last(at)) for x, at in zip(operands, axes)])
    if keepdims:
        return np.expand_dims(ans, axes[-1])
    return np.moveaxis(ans, _last(axes[-1]), axes[-1])


def _last(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(-len(axes), 0))
