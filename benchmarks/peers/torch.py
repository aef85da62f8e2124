"""PyTorch, eager: modules and optimizers that change their parameters in place."""

from collections.abc import Callable
from typing import Any

import torch as numpy

from benchmarks.peers import THREADS

NAME, PACKAGE = "PyTorch eager", "torch"

numpy.set_num_threads(THREADS)
numpy.set_num_interop_threads(THREADS)


def record(f: Callable[..., Any], x: Any) -> Any:
    return f(numpy.tensor(x, dtype=numpy.float64, requires_grad=True))


def gradient(f: Callable[..., Any], x: Any) -> Any:
    x = numpy.tensor(x, dtype=numpy.float64, requires_grad=True)
    f(x).backward()
    return x.grad


def trainer(layers: Any, optimizer: str) -> Callable[[Any, Any], Any]:
    modules: list[Any] = []
    for w, b in layers:
        linear = numpy.nn.Linear(*w.shape)
        with numpy.no_grad():
            linear.weight.copy_(numpy.from_numpy(w.T))
            linear.bias.copy_(numpy.from_numpy(b))
        modules += [linear, numpy.nn.ReLU()]
    model = numpy.nn.Sequential(*modules[:-1])
    if optimizer == "sgd":
        updates: Any = numpy.optim.SGD(model.parameters(), lr=0.1)
    else:
        updates = numpy.optim.Adam(model.parameters(), lr=1e-3)

    def step(x: Any, labels: Any) -> Any:
        updates.zero_grad()
        loss = numpy.nn.functional.cross_entropy(
            model(numpy.from_numpy(x)), numpy.from_numpy(labels)
        )
        loss.backward()
        updates.step()
        return loss.item()

    return step


TRAINERS = {NAME: trainer}
