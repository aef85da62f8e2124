"""MyGrad: tensors with a backward method, updates by hand."""

from collections.abc import Callable
from typing import Any

import mygrad as numpy
from mygrad.nnet.activations import relu
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks.peers.by_hand import training

NAME, PACKAGE = "MyGrad", "mygrad"


def record(f: Callable[..., Any], x: Any) -> Any:
    return f(numpy.tensor(x))


def gradient(f: Callable[..., Any], x: Any) -> Any:
    x = numpy.tensor(x)
    f(x).backward()
    return x.grad


def _loss_and_gradients(layers: Any, x: Any, labels: Any) -> Any:
    tensors = [(numpy.tensor(w), numpy.tensor(b)) for w, b in layers]
    for w, b in tensors[:-1]:
        x = relu(x @ w + b)
    w, b = tensors[-1]
    loss = softmax_crossentropy(x @ w + b, labels)
    loss.backward()
    return loss.data, [(w.grad, b.grad) for w, b in tensors]


def trainer(layers: Any, optimizer: str) -> Callable[[Any, Any], Any]:
    return training(_loss_and_gradients, layers, optimizer)


TRAINERS = {NAME: trainer}
