"""JAX: un-jitted for single operations, with and without jit for training; updates by hand."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as numpy

from benchmarks.peers.by_hand import OPTIMIZERS

NAME, PACKAGE = "JAX un-jitted", "jax"

jax.config.update("jax_enable_x64", True)


def record(f: Callable[..., Any], x: Any) -> Any:
    return jax.vjp(f, numpy.asarray(x))


def gradient(f: Callable[..., Any], x: Any) -> Any:
    return jax.grad(f)(numpy.asarray(x)).block_until_ready()


def _loss(layers: Any, x: Any, labels: Any) -> Any:
    for w, b in layers[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = layers[-1]
    log_probs = jax.nn.log_softmax(x @ w + b)
    return -log_probs[numpy.arange(len(labels)), labels].mean()


def trainer(
    layers: Any, optimizer: str, compiled: Callable[..., Any] = lambda f: f
) -> Callable[[Any, Any], Any]:
    init, update = OPTIMIZERS[optimizer]
    layers = jax.tree.map(numpy.asarray, layers)
    state = init(layers)

    @compiled
    def advance(layers: Any, state: Any, x: Any, labels: Any) -> Any:
        loss, gradients = jax.value_and_grad(_loss)(layers, x, labels)
        return loss, *update(gradients, state, layers)

    def step(x: Any, labels: Any) -> Any:
        nonlocal layers, state
        loss, layers, state = advance(layers, state, x, labels)
        return float(loss)

    return step


TRAINERS = {
    NAME: trainer,
    "JAX jitted": lambda layers, optimizer: trainer(layers, optimizer, jax.jit),
}
