"""``numpy.emath``: functions whose result is complex where a real one does not exist.

What the dtype of a result is depends on the values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import operand
from ..verbs import composite
from .shapes import array_of, astype


def _as_complex(x: Any, outside: Any) -> Any:
    """``x``, complex if it is real and anywhere outside of the domain."""
    if x.dtype.kind == "c" or not np.any(outside(x)):
        return x
    return astype(x, np.complex64 if x.dtype.char == "f" else np.complex128)


def _negative(x: Any) -> Any:
    return x < 0


def _beyond_one(x: Any) -> Any:
    return np.abs(x) > 1


def _extends(extended: Any, plain: Any, outside: Any) -> None:
    @composite(extended, names="x")
    def extend(x: Any) -> Any:
        return plain(_as_complex(x, outside))


_extends(np.emath.sqrt, np.sqrt, _negative)
_extends(np.emath.log, np.log, _negative)
_extends(np.emath.log2, np.log2, _negative)
_extends(np.emath.log10, np.log10, _negative)
_extends(np.emath.arccos, np.arccos, _beyond_one)
_extends(np.emath.arcsin, np.arcsin, _beyond_one)
_extends(np.emath.arctanh, np.arctanh, _beyond_one)


@composite(np.emath.logn, operands=2)
def logn(n: Any, x: Any) -> Any:
    return np.emath.log(operand(x)) / np.emath.log(operand(n))


@composite(np.emath.power, operands=2)
def power(x: Any, p: Any) -> Any:
    x, p = array_of(x), array_of(p)
    return np.power(_as_complex(x, _negative), p * 1.0 if np.any(np.less(p, 0)) else p)
