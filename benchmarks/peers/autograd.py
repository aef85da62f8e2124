"""autograd: NumPy's names from a wrapped namespace, updates by hand."""

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as numpy

from benchmarks.peers.by_hand import training

NAME = PACKAGE = "autograd"


def record(f: Callable[..., Any], x: Any) -> Any:
    return autograd.make_vjp(f)(x)


def gradient(f: Callable[..., Any], x: Any) -> Any:
    return autograd.grad(f)(x)


def _loss(layers: Any, x: Any, labels: Any) -> Any:
    for w, b in layers[:-1]:
        x = numpy.maximum(x @ w + b, 0.0)
    w, b = layers[-1]
    logits = x @ w + b
    below = logits - numpy.max(logits, axis=1, keepdims=True)
    log_probs = below - numpy.log(numpy.sum(numpy.exp(below), axis=1, keepdims=True))
    return -numpy.mean(log_probs[numpy.arange(len(labels)), labels])


def trainer(layers: Any, optimizer: str) -> Callable[[Any, Any], Any]:
    return training(autograd.value_and_grad(_loss), layers, optimizer)


TRAINERS = {NAME: trainer}
