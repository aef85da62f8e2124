"""Sets of values: which elements they are, plain NumPy finds; their values follow.

The result of each is an index into its arguments, constant where no two values are equal. Its size
depends on the values, so that vmap refuses these functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batching import each, ragged
from ..core import operand
from ..verbs import composite, constant
from .shapes import astype
from .sorting import sharing


def _unique_places(
    ar: Any, *, axis: Any, equal_nan: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.unique(
        ar, return_index=True, return_inverse=True, return_counts=True, axis=axis,
        equal_nan=equal_nan,
    )[1:]  # fmt: skip


unique_places = constant(_unique_places, batch=ragged)


@composite(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False,
    return_counts: bool = False, axis: int | None = None, equal_nan: bool = True,
    sorted: bool = True,
) -> Any:  # fmt: skip
    index, inverse, counts = unique_places(ar, axis=axis, equal_nan=equal_nan)
    values = sharing(np.ravel(ar))[index] if axis is None else _rows(ar, index, axis)
    asked = zip((return_index, return_inverse, return_counts), (index, inverse, counts))
    extra = [x for wanted, x in asked if wanted]
    return (values, *extra) if extra else values


def _rows(ar: Any, index: Any, axis: int) -> Any:
    rows = np.take(np.moveaxis(ar, axis, 0), index, axis=0)
    return np.moveaxis(rows, 0, axis)


_ALL = type(np.unique_all(np.zeros(1)))
_COUNTS = type(np.unique_counts(np.zeros(1)))
_INVERSE = type(np.unique_inverse(np.zeros(1)))


@composite(np.unique_all)
def unique_all(x: Any) -> Any:
    return _ALL(*np.unique(x, True, True, True, equal_nan=False))


@composite(np.unique_counts)
def unique_counts(x: Any) -> Any:
    return _COUNTS(*np.unique(x, return_counts=True, equal_nan=False))


@composite(np.unique_inverse)
def unique_inverse(x: Any) -> Any:
    return _INVERSE(*np.unique(x, return_inverse=True, equal_nan=False))


@composite(np.unique_values)
def unique_values(x: Any) -> Any:
    return np.unique(x, equal_nan=False)


@composite(np.union1d, operands=2)
def union1d(ar1: Any, ar2: Any) -> Any:
    return np.unique(np.concatenate([np.ravel(ar1), np.ravel(ar2)]))


constant(np.isin, operands=2, batch=each, accepts=("assume_unique", "invert", "kind"))


@composite(np.setdiff1d, operands=2)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    ar1 = np.ravel(ar1) if assume_unique else np.unique(ar1)
    return ar1[np.isin(ar1, np.ravel(ar2), invert=True)]


@composite(np.setxor1d, operands=2)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    parts = [np.ravel(x) if assume_unique else np.unique(x) for x in (ar1, ar2)]
    values = np.sort(np.concatenate(parts))
    if not values.shape[0]:
        return values
    changes = np.concatenate([[True], values[1:] != values[:-1], [True]])
    return values[changes[1:] & changes[:-1]]


def _common_places(x: Any, y: Any, assume_unique: bool) -> tuple[np.ndarray, ...]:
    return np.intersect1d(x, y, assume_unique, return_indices=True)[1:]


common_places = constant(_common_places, operands=2, batch=ragged)


@composite(np.intersect1d, operands=2)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    x = np.ravel(ar1)
    at_x, at_y = common_places(x, np.ravel(ar2), assume_unique=assume_unique)
    common = astype(x[at_x], np.result_type(x, operand(ar2)))
    return (common, at_x, at_y) if return_indices else common
