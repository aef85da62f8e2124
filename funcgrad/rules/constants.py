"""Functions whose derivative is zero, and questions about shapes and dtypes."""

from __future__ import annotations

import operator

import numpy as np

from ..verbs import constant, query

for _comparison in "less less_equal greater greater_equal equal not_equal".split():
    _names = {"less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge"}
    _symbol = _names.get(_comparison, _comparison.replace("equal", "eq").replace("not_eq", "ne"))
    constant(getattr(np, _comparison), symbol=getattr(operator, _symbol))

for _bitwise, _symbol in (
    ("bitwise_and", "and_"),
    ("bitwise_or", "or_"),
    ("bitwise_xor", "xor"),
    ("left_shift", "lshift"),
    ("right_shift", "rshift"),
    ("invert", "invert"),
):
    constant(getattr(np, _bitwise), symbol=getattr(operator, _symbol))

constant(np.floor_divide, symbol=(operator.floordiv, np.floor_divide))

for _ufunc in """floor ceil trunc rint sign signbit heaviside spacing isnan isfinite isinf
        logical_and logical_or logical_xor logical_not""".split():
    constant(getattr(np, _ufunc))

constant(np.round, accepts=("decimals",))
constant(np.argmax, accepts=("axis", "keepdims"))
constant(np.argmin, accepts=("axis", "keepdims"))
constant(np.argsort, accepts=("axis", "kind", "stable"))
constant(np.argpartition, accepts=("kth", "axis", "kind"))
constant(np.searchsorted, operands=2, accepts=("side", "sorter"))
constant(np.nonzero)
constant(np.flatnonzero)
constant(np.argwhere)
constant(np.count_nonzero, accepts=("axis", "keepdims"))
constant(np.any, accepts=("axis", "keepdims", "where"))
constant(np.all, accepts=("axis", "keepdims", "where"))
constant(np.digitize, operands=2, accepts=("right",))
constant(np.nextafter, operands=2)
for _test in (np.isclose, np.allclose):
    constant(_test, operands=2, accepts=("rtol", "atol", "equal_nan"))
for _test in (np.array_equal, np.array_equiv):
    constant(_test, operands=2, accepts=("equal_nan",))
for _test in (np.isreal, np.iscomplex, np.isposinf, np.isneginf):
    constant(_test)


def _stop_gradient(x: object) -> object:
    return x


#: The identity with derivative zero.
stop = constant(_stop_gradient)

for _question in """shape ndim size result_type can_cast common_type min_scalar_type iscomplexobj
        isrealobj array_repr array_str array2string may_share_memory shares_memory""".split():
    query(getattr(np, _question))
