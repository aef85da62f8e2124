"""Losses, each the mean over a batch, and one_hot.

Labels say which class each sample belongs to: as an integer array of the shape of the logits
without their last axis, or as weights of the classes (one-hot or soft labels) of the shape of the
logits themselves. One sample, without a batch axis, works as well. For integer labels the
cross-entropy is one primitive: with p = softmax(logits) and n samples its gradient is
(p − one_hot(labels)) / n, which neither overflows nor divides by a vanishing probability.

>>> import numpy as np, funcgrad as fg
>>> gradient = fg.grad(cross_entropy)(np.array([[0.0, 0.0], [1e4, -1e4]]), np.array([0, 1]))
>>> gradient.tolist()
[[-0.25, 0.25], [0.5, -0.5]]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..batching import front, stacks
from ..core import is_traced
from ..joint import Joint
from ..verbs import PRIMITIVES, constant, rule
from .activations import below_max, log_softmax, softmax

#: Up to so many classes, NumPy's inner loops had better run along the samples.
FEW_CLASSES = 32


def _places(labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The index, in an array of one row a label, of the entries that the labels name."""
    labels = labels.ravel()
    # A negative label, taken for unsigned, is a large one.
    if labels.size and np.maximum.reduce(labels.astype(np.uint64)) >= classes:
        wrong = labels[(labels < 0) | (labels >= classes)]
        raise ValueError(
            f"labels of {classes} classes lie between 0 and {classes - 1}, got {wrong[0]} "
            f"({wrong.size} of {labels.size} labels are out of range)."
        )
    return np.arange(labels.size), labels


def _rows(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, x.shape[-1])


def _one_hot(labels: np.ndarray, num_classes: int, dtype: Any) -> np.ndarray:
    rows = np.zeros((labels.size, num_classes), dtype)
    rows[_places(labels, num_classes)] = 1
    return rows.reshape(*labels.shape, num_classes)


def _losses(logits: np.ndarray, labels: np.ndarray) -> tuple[Any, Any, Any]:
    """The mean loss, softmax(logits) as rows, and which of its entries the labels name."""
    rows = _rows(logits)
    if rows.shape[-1] <= FEW_CLASSES:
        rows = np.asarray(rows, order="F")
    below, _ = below_max(rows, -1)
    places = _places(labels, below.shape[-1])
    picked = below[places]
    rows = np.exp(below)
    totals = np.add.reduce(rows, axis=-1, keepdims=True)
    rows /= totals
    return np.add.reduce(np.log(totals[:, 0]) - picked) / labels.size, rows, places


def _cross_entropy(logits: Any, labels: Any) -> Any:
    return _losses(logits, labels)[0]


def _cross_entropy_forward(logits: Any, labels: Any) -> tuple[Any, Any]:
    if is_traced(logits) or is_traced(labels):
        return cross_entropy(logits, labels), (_slope(logits, labels), np.size(labels))
    loss, rows, places = _losses(logits, labels)
    rows[places] -= 1
    return loss, (rows.reshape(logits.shape), labels.size)


def _cross_entropy_pull(g: Any, residual: Any) -> Any:
    slope, count = residual
    return g / count * slope, None


def _cross_entropy_push(operands: Any, tangents: Any) -> Any:
    logits, labels = operands
    change = np.sum(tangents[0] * _slope(logits, labels)) / np.size(labels)
    return cross_entropy(logits, labels), change


def _slope(logits: Any, labels: Any) -> Any:
    return softmax(logits) - one_hot(labels, logits.shape[-1], logits.dtype)


def _nll_loss(log_probs: np.ndarray, labels: np.ndarray) -> Any:
    return -np.mean(_rows(log_probs)[_places(labels, log_probs.shape[-1])])


def _with_labels(loss: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Batch a function of outputs and integer labels: ``loss`` of stacks of them."""

    def batch(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
        return loss(*stacks(operands, mine, size))

    return batch


def _nll_of_each(log_probs: Any, labels: Any) -> Any:
    picked = np.where(one_hot(labels, log_probs.shape[-1], bool), log_probs, 0.0)
    return -np.sum(picked, axis=tuple(range(1, log_probs.ndim))) / math.prod(labels.shape[1:])


_one_hot_primitive = constant(_one_hot, batch=front)
_cross_entropy_primitive = PRIMITIVES["cross_entropy"] = Joint(
    "cross_entropy",
    _cross_entropy,
    _cross_entropy_forward,
    _cross_entropy_pull,
    _cross_entropy_push,
    _with_labels(lambda logits, labels: _nll_of_each(log_softmax(logits), labels)),
)
_nll_loss_primitive = rule(
    _nll_loss,
    [lambda g, x_like, y: np.where(one_hot(y, x_like.shape[-1], bool), -g / np.size(y), 0.0), None],
    [lambda t, y: nll_loss(t, y), None],
    batch=_with_labels(_nll_of_each),
)


def one_hot(labels: Any, num_classes: int, dtype: DTypeLike = np.float32) -> Any:
    """Rows of zeros with a 1 in the place that each integer label names: ``(*shape, num_classes)``.

    float32, the default, is exact here and does not widen what it meets. Raises ``ValueError`` for
    a label out of range and ``TypeError`` for labels that are not integers.

    >>> one_hot([2, 0], 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    labels = _array(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"one_hot takes integer labels, got dtype {labels.dtype} and shape {labels.shape}. "
            f"Write labels.astype(int)."
        )
    return _one_hot_primitive(labels, num_classes=num_classes, dtype=dtype)


def cross_entropy(logits: Any, labels: Any) -> Any:
    """The mean over the batch of −Σₖ labelsₖ log softmax(logits)ₖ.

    ``logits`` are ``(classes,)`` or ``(batch, classes)``, unnormalised; ``labels`` are integers or
    weights of the classes. Raises ``ValueError`` for labels that fit neither way.

    >>> import numpy as np
    >>> float(cross_entropy(np.zeros((2, 4)), [1, 3]).round(6))
    1.386294
    """
    logits = _array(logits)
    labels = _labels("cross_entropy", "logits", logits, labels)
    if labels.shape == logits.shape:
        return _expected_nll(log_softmax(logits), labels)
    return _cross_entropy_primitive(logits, labels)


def nll_loss(log_probs: Any, labels: Any) -> Any:
    """The mean over the batch of the negative log-likelihood −Σₖ labelsₖ log_probsₖ.

    Of ``log_softmax(logits)`` it is the cross-entropy, whose shapes and errors it shares.

    >>> import numpy as np
    >>> float(nll_loss(np.log(np.array([[0.25, 0.75]])), [1]).round(6))
    0.287682
    """
    log_probs = _array(log_probs)
    labels = _labels("nll_loss", "log-probabilities", log_probs, labels)
    if labels.shape == log_probs.shape:
        return _expected_nll(log_probs, labels)
    return _nll_loss_primitive(log_probs, labels)


def mse_loss(pred: Any, target: Any) -> Any:
    """The mean of (pred − target)² over all elements; the shapes must be equal.

    >>> import numpy as np
    >>> float(mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    pred, target = _array(pred), _array(target)
    if pred.shape != target.shape:
        raise ValueError(
            f"mse_loss takes predictions and targets of one shape, got {pred.shape} and "
            f"{target.shape}, which would be broadcast against each other. Reshape one of them."
        )
    return np.mean(np.square(pred - target))


def _expected_nll(log_probs: Any, weights: Any) -> Any:
    # A class of weight 0 and probability 0 adds nothing, as in the limit.
    void = (weights == 0) & np.isneginf(log_probs)
    total = np.sum(weights * np.where(void, 0.0, log_probs))
    return -total / math.prod(log_probs.shape[:-1])


def _array(x: Any) -> Any:
    return x if hasattr(x, "dtype") else np.asarray(x)


def _labels(name: str, what: str, outputs: Any, labels: Any) -> Any:
    """``labels`` as an array: indices (integer, one dimension less) or weights (as floats)."""
    labels = _array(labels)
    shape, kind = outputs.shape, labels.dtype.kind
    if not shape or not shape[-1]:
        raise ValueError(f"{name} takes {what} of shape (…, classes), got shape {shape}.")
    if labels.shape == shape[:-1] and kind in "iu":
        return labels
    if labels.shape == shape and kind in "biuf":
        return labels if kind == "f" else labels.astype(outputs.dtype)
    hint = " Write labels.astype(int)." if labels.shape == shape[:-1] else ""
    raise ValueError(
        f"{name}: for {what} of shape {shape}, labels are integers of shape {shape[:-1]} or "
        f"weights of the classes of shape {shape}; got dtype {labels.dtype} and shape "
        f"{labels.shape}.{hint}"
    )
