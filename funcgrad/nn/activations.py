"""Activations: functions from logits or features to arrays of the same shape, and logsumexp.

Each is one primitive, so that it is one step of a tape and holds up where the formula written out
would overflow: the largest entry is subtracted before any exponential. A difference of two equal
infinities counts as 0, so that equal infinite logits share evenly.

>>> import numpy as np
>>> softmax(np.array([1e4, 1e4, -1e4])).tolist()
[0.5, 0.5, 0.0]
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..batching import over
from ..core import Primitive
from ..rules.trigonometric import sech_squared
from ..verbs import elementwise, reduction, rule

Axis = int | tuple[int, ...] | None


def _real(x: Any) -> Any:
    """``x``, an array or NumPy scalar, which must not be complex."""
    if x.dtype.kind == "c":
        raise TypeError(
            f"relu, sigmoid, softmax and what is made of them take real numbers, got dtype "
            f"{x.dtype} and shape {x.shape}. Pass np.real(x), np.imag(x) or np.abs(x)."
        )
    return x


def _relu(x: Any) -> Any:
    return _real(np.maximum(x, 0))


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(_real(np.asarray(x))))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def below_max(x: Any, axis: Axis) -> tuple[Any, Any]:
    """``x`` less its maximum over ``axis``, and the maximum."""
    x = _real(np.asarray(x))
    top = np.maximum.reduce(x, axis=axis, keepdims=True)
    if math.isfinite(np.vdot(top, top)):  # no infinity, nor anything that would square to one
        return x - top, top
    with np.errstate(invalid="ignore"):
        return np.where(x == top, 0.0, x - top), top


def _softmax(x: Any, axis: Axis = -1) -> Any:
    e = np.exp(below_max(x, axis)[0])
    return e / np.add.reduce(e, axis=axis, keepdims=True)


def _log_softmax(x: Any, axis: Axis = -1) -> Any:
    below, _ = below_max(x, axis)
    return below - np.log(np.sum(np.exp(below), axis=axis, keepdims=True))


def _logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    below, top = below_max(x, axis)
    ans = np.log(np.sum(np.exp(below), axis=axis, keepdims=True)) + top
    return ans if keepdims else np.squeeze(ans, axis)[()]


_BITS = {np.dtype(f"f{size}"): np.dtype(f"i{size}") for size in (2, 4, 8)}


def _gate(g: Any, x: Any) -> Any:
    g = np.asarray(g)
    bits = _BITS.get(g.dtype)
    if bits is None:
        return np.where(x > 0, g, 0.0)
    # np.where takes twice the time on a mask without pattern. The bits of g, as integers, may be
    # multiplied by 0, which inf may not.
    return (g.view(bits) * (x > 0)).view(g.dtype)


#: g where x > 0, else 0.
gate: Primitive = elementwise(_gate, lambda g, y: gate(g, y), None)
_relu_primitive = elementwise(_relu, lambda g, ans: gate(g, ans))
_sigmoid_primitive = elementwise(_sigmoid, lambda g, x: g * (0.25 * sech_squared(0.5 * x)))


def _softmax_jacobian(t: Any, ans: Any, axis: Axis = -1) -> Any:
    # diag(p) − p·pᵀ is symmetric: the same product serves both modes.
    return ans * (t - np.sum(t * ans, axis=axis, keepdims=True))


_softmax_primitive = rule(
    _softmax, _softmax_jacobian, _softmax_jacobian, batch=over(-1), kind="rows"
)
_log_softmax_primitive = rule(
    _log_softmax,
    lambda g, ans, axis=-1: g - np.exp(ans) * np.sum(g, axis=axis, keepdims=True),
    lambda t, ans, axis=-1: t - np.sum(t * np.exp(ans), axis=axis, keepdims=True),
    batch=over(-1),
    kind="rows",
)
_logsumexp_primitive = reduction(_logsumexp, lambda x, axis=None: softmax(x, axis))


def relu(x: Any) -> Any:
    """max(x, 0), with derivative 0 at 0.

    >>> import numpy as np
    >>> relu(np.array([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.0, 3.0]
    """
    return _relu_primitive(x)


def sigmoid(x: Any) -> Any:
    """The logistic function 1 / (1 + e⁻ˣ).

    >>> import numpy as np
    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).tolist()
    [0.0, 0.5, 1.0]
    """
    return _sigmoid_primitive(x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent.

    >>> import numpy as np
    >>> tanh(np.array([-1e4, 0.0, 1e4])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return np.tanh(x)


def softmax(x: Any, axis: Axis = -1) -> Any:
    """eˣ / Σ eˣ: positive numbers that sum to 1 over ``axis``.

    >>> import numpy as np
    >>> softmax(np.log(np.array([1.0, 3.0]))).round(6).tolist()
    [0.25, 0.75]
    """
    return _softmax_primitive(x, axis=axis)


def log_softmax(x: Any, axis: Axis = -1) -> Any:
    """log(softmax(x)) = x − logsumexp(x) over ``axis``, finite where softmax underflows to 0.

    >>> import numpy as np
    >>> log_softmax(np.array([0.0, 1e4])).tolist()
    [-10000.0, 0.0]
    """
    return _log_softmax_primitive(x, axis=axis)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """log Σ eˣ over ``axis``, over all axes by default; its gradient is softmax.

    >>> import numpy as np
    >>> float(logsumexp(np.array([1e4, 1e4])).round(6))
    10000.693147
    """
    return _logsumexp_primitive(x, axis=axis, keepdims=keepdims)
