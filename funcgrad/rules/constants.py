"""Functions whose derivative is zero, and questions about shapes and dtypes."""

from __future__ import annotations

import operator

import numpy as np

from ..core import FUNCTIONS
from ..verbs import constant, query

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

constant(np.round, accepts=("decimals",))
FUNCTIONS[np.around] = FUNCTIONS[np.round]
FUNCTIONS[np.fix] = np.trunc
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
constant(np.isclose, operands=2, accepts=("rtol", "atol", "equal_nan"))
constant(np.allclose, operands=2, accepts=("rtol", "atol", "equal_nan"))
constant(np.array_equal, operands=2, accepts=("equal_nan",))
constant(np.array_equiv, operands=2)
constant(np.isreal)
constant(np.iscomplex)
constant(np.isposinf)
constant(np.isneginf)


def _stop_gradient(x: object) -> object:
    # A copy, since an operation may need the value as it is.
    return x.copy() if isinstance(x, np.ndarray) else x


#: The identity with derivative zero.
stop = constant(_stop_gradient)

for _question in """shape ndim size result_type can_cast common_type min_scalar_type iscomplexobj
        isrealobj array_repr array_str array2string may_share_memory shares_memory""".split():
    query(getattr(np, _question))
