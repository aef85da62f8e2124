"""Functions whose derivative is zero, and questions about shapes and dtypes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..batching import BatchRule, along_one, each, front, over, ragged
from ..core import FUNCTIONS, Primitive, is_traced, operand
from ..verbs import composite, constant, query
from .order import alike

for _ufunc, _symbol in (
    (np.less, operator.lt),
    (np.less_equal, operator.le),
    (np.greater, operator.gt),
    (np.greater_equal, operator.ge),
    (np.equal, operator.eq),
    (np.not_equal, operator.ne),
    (np.bitwise_and, operator.and_),
    (np.bitwise_or, operator.or_),
    (np.bitwise_xor, operator.xor),
    (np.left_shift, operator.lshift),
    (np.right_shift, operator.rshift),
    (np.invert, operator.invert),
):
    constant(_ufunc, symbol=_symbol)


for _name in """floor ceil trunc rint signbit spacing isnan isfinite isinf
        logical_and logical_or logical_xor logical_not""".split():
    constant(getattr(np, _name))

constant(np.round, batch=alike, accepts=("decimals",))
FUNCTIONS[np.around] = FUNCTIONS[np.round]
FUNCTIONS[np.fix] = np.trunc
constant(np.argmax, batch=along_one, accepts=("axis", "keepdims"))
constant(np.argmin, batch=along_one, accepts=("axis", "keepdims"))
constant(np.argsort, batch=along_one, accepts=("axis", "kind", "stable"))
constant(np.argpartition, batch=along_one, accepts=("kth", "axis", "kind"))


def _searches(place: int) -> BatchRule:
    """Batch a search for operand ``place`` in the other one, which has to be the same for all."""

    def batch(
        primitive: Primitive, size: int, operands: Sequence[Any], mine: Any, keywords: Any
    ) -> Any:
        if mine[1 - place]:
            return each(primitive, size, operands, mine, keywords)
        return primitive.apply(*operands, **keywords)

    return batch


constant(np.searchsorted, operands=2, batch=_searches(1), accepts=("side", "sorter"))
constant(np.digitize, operands=2, batch=_searches(0), accepts=("right",))
constant(np.nonzero, batch=ragged)
constant(np.flatnonzero, batch=ragged)
constant(np.argwhere, batch=ragged)
constant(np.count_nonzero, batch=over(), accepts=("axis", "keepdims"))
constant(np.any, batch=over(), accepts=("axis", "keepdims", "where"))
constant(np.all, batch=over(), accepts=("axis", "keepdims", "where"))
constant(np.isclose, operands=2, accepts=("rtol", "atol", "equal_nan"))
constant(np.isreal)
constant(np.iscomplex)
constant(np.isposinf)
constant(np.isneginf)


def _lexsort(keys: Any, axis: int) -> Any:
    return np.lexsort(keys, axis=axis)


sorted_places = constant(_lexsort, batch=each)


@composite(np.lexsort, names="keys axis=-1", sequence=True)
def lexsort(keys: Any, axis: int = -1) -> Any:
    return sorted_places(np.stack([operand(key) for key in keys]), axis=axis)


@composite(np.unravel_index, names="indices shape order='C'")
def unravel_index(indices: Any, shape: Any, order: str = "C") -> Any:
    shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
    places = []
    for n in shape[::-1] if order == "C" else shape:
        places.append(indices % n)
        indices = indices // n
    return tuple(places[::-1] if order == "C" else places)


@composite(np.ravel_multi_index, names="multi_index dims mode='raise' order='C'", sequence=True)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    modes = [mode] * len(dims) if isinstance(mode, str) else mode
    place: Any = 0
    pairs = list(zip(map(operand, multi_index), dims, modes))
    for i, n, how in pairs if order == "C" else pairs[::-1]:
        if how == "raise" and np.any((i < 0) | (i >= n)):
            raise ValueError("invalid entry in coordinates array")
        place = place * n + (np.clip(i, 0, n - 1) if how == "clip" else i % n)
    return place


def _answer(each: Any) -> Any:
    """Whether all are true: a bool of Python's, but where there is one for each example."""
    ans = np.all(each)
    return ans if is_traced(ans) else bool(ans)


@composite(np.allclose, operands=2)
def allclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    return _answer(np.isclose(a, b, rtol, atol, equal_nan))


@composite(np.array_equal, operands=2)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    if np.shape(a1) != np.shape(a2):
        return False
    same = np.equal(a1, a2)
    return _answer(same | (np.isnan(a1) & np.isnan(a2)) if equal_nan else same)


@composite(np.array_equiv, operands=2)
def array_equiv(a1: Any, a2: Any) -> Any:
    try:
        np.broadcast_shapes(np.shape(a1), np.shape(a2))
    except ValueError:
        return False
    return _answer(np.equal(a1, a2))


def _stop_gradient(x: object) -> object:
    # A copy, since an operation may need the value as it is.
    return x.copy() if isinstance(x, np.ndarray) else x


#: The identity with derivative zero.
stop = constant(_stop_gradient, batch=front)


def _size(a: Any, axis: Any = None) -> int:
    return np.size(np.broadcast_to(np.empty(()), a.shape), axis)


FUNCTIONS[np.shape] = lambda a: a.shape
FUNCTIONS[np.ndim] = lambda a: len(a.shape)
FUNCTIONS[np.size] = _size
for _question in """result_type can_cast common_type min_scalar_type iscomplexobj
        isrealobj array_repr array_str array2string may_share_memory shares_memory einsum_path
        diag_indices_from tril_indices_from triu_indices_from""".split():
    query(getattr(np, _question))
