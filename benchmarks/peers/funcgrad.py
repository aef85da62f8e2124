"""funcgrad itself, with its own networks and optimizers."""

from collections.abc import Callable
from typing import Any

import numpy as numpy  # as every peer names its counterpart of it

import funcgrad
from funcgrad import nn, optim

NAME = PACKAGE = "funcgrad"


def record(f: Callable[..., Any], x: Any) -> Any:
    return funcgrad.vjp(f, x)


def gradient(f: Callable[..., Any], x: Any) -> Any:
    return funcgrad.grad(f)(x)


def trainer(layers: Any, optimizer: str) -> Callable[[Any, Any], Any]:
    in_dim, *hidden, out_dim = [w.shape[0] for w, _ in layers] + [layers[-1][0].shape[1]]
    model = nn.mlp(in_dim, hidden, out_dim)
    params: Any = [part for w, b in layers for part in ({"w": w, "b": b}, ())]
    params = tuple(params[:-1])  # relu has no parameters, and stands between the layers
    init, update = {"sgd": optim.sgd(0.1), "adam": optim.adam(1e-3)}[optimizer]
    state = init(params)

    def loss_fn(params: Any, x: Any, labels: Any) -> Any:
        return nn.cross_entropy(model.apply(params, x), labels)

    value_and_grad = funcgrad.value_and_grad(loss_fn)

    def step(x: Any, labels: Any) -> Any:
        nonlocal params, state
        loss, grads = value_and_grad(params, x, labels)
        updates, state = update(grads, state, params)
        params = optim.apply_updates(params, updates)
        return loss

    return step


TRAINERS = {NAME: trainer}
