"""NumPy without a library: gradients and updates written by hand, functional, on fresh arrays.

The updates are plain arithmetic and serve every peer that leaves them to its users.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Layers = list[tuple[Any, Any]]


class Optimizer(NamedTuple):
    init: Callable[[Layers], Any]
    update: Callable[[Layers, Any, Layers], tuple[Layers, Any]]  # to new layers and new state


def _sgd_update(gradients: Layers, state: None, layers: Layers) -> tuple[Layers, None]:
    return [(w - 0.1 * gw, b - 0.1 * gb) for (w, b), (gw, gb) in zip(layers, gradients)], state


def _adam_init(layers: Layers) -> tuple[int, Layers, Layers]:
    zeros = [(np.zeros_like(w), np.zeros_like(b)) for w, b in layers]
    return 0, zeros, zeros


def _adam_update(gradients: Layers, state: Any, layers: Layers) -> tuple[Layers, Any]:
    count, means, squares = state
    count += 1
    means = _decayed(0.9, means, gradients)
    squares = _decayed(0.999, squares, [(gw * gw, gb * gb) for gw, gb in gradients])
    # The bias corrections as two scalars, which spares two passes over the arrays.
    root = (1 - 0.999**count) ** 0.5
    rate, floor = 1e-3 * root / (1 - 0.9**count), 1e-8 * root

    def moved(p: Any, m: Any, s: Any) -> Any:
        return p - rate * m / (s**0.5 + floor)

    layers = [
        (moved(w, mw, sw), moved(b, mb, sb))
        for (w, b), (mw, mb), (sw, sb) in zip(layers, means, squares)
    ]
    return layers, (count, means, squares)


def _decayed(decay: float, old: Layers, new: Layers) -> Layers:
    return [
        (decay * ow + (1 - decay) * nw, decay * ob + (1 - decay) * nb)
        for (ow, ob), (nw, nb) in zip(old, new)
    ]


OPTIMIZERS = {
    "sgd": Optimizer(lambda layers: None, _sgd_update),
    "adam": Optimizer(_adam_init, _adam_update),
}


def loss_and_gradients(layers: Layers, x: np.ndarray, labels: np.ndarray) -> tuple[Any, Layers]:
    inputs = [x]
    for w, b in layers[:-1]:
        inputs.append(np.maximum(inputs[-1] @ w + b, 0.0))
    w, b = layers[-1]
    logits = inputs[-1] @ w + b

    n, rows = len(labels), np.arange(len(labels))
    below = logits - logits.max(axis=1, keepdims=True)
    exp = np.exp(below)
    sums = exp.sum(axis=1, keepdims=True)
    loss = (np.log(sums[:, 0]) - below[rows, labels]).mean()

    g = exp / sums
    g[rows, labels] -= 1.0
    g = g / n
    gradients: Layers = []
    for i in reversed(range(len(layers))):
        gradients.append((inputs[i].T @ g, g.sum(axis=0)))
        if i:
            g = (g @ layers[i][0].T) * (inputs[i] > 0)
    return loss, gradients[::-1]


def training(
    value_and_gradients: Callable[..., tuple[Any, Layers]], layers: Layers, optimizer: str
) -> Callable[[Any, Any], Any]:
    """A step of training, given how the loss and the gradients of the layers are found."""
    init, update = OPTIMIZERS[optimizer]
    state = init(layers)

    def step(x: Any, labels: Any) -> Any:
        nonlocal layers, state
        loss, gradients = value_and_gradients(layers, x, labels)
        layers, state = update(gradients, state, layers)
        return loss

    return step


def trainer(layers: Layers, optimizer: str) -> Callable[[Any, Any], Any]:
    return training(loss_and_gradients, layers, optimizer)


TRAINERS = {"NumPy by hand": trainer}
