"""A training loop out of pure functions: a step, epochs of it, and a history of what they gave.

``fit`` is written to be read, and replaced where a program needs another loop: all it does is call
a step made by ``make_step`` on shuffled batches and keep count.

>>> import numpy as np
>>> from funcgrad import nn, optim, random
>>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], np.float32)
>>> y = np.array([0, 1, 1, 0])
>>> model = nn.mlp(2, 16, 2)
>>> def loss_fn(params, x, y):
...     return nn.cross_entropy(model.apply(params, x), y)
>>> start = model.init(random.key(0))
>>> params, history = fit(random.key(1), start, loss_fn, optim.adam(0.05), (x, y), epochs=60,
...                       batch_size=4, progress=False)
>>> accuracy(model.apply(params, x), y)
1.0
>>> history[-1]["loss"] < 0.1 < history[0]["loss"]
True
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import random, tree
from .data import batches
from .optim import GradientTransformation, apply_updates
from .reverse import value_and_grad

Loss = Callable[..., Any]  # (params, *batch) -> scalar
Step = Callable[..., tuple[Any, Any, Any]]  # (params, state, *batch) -> (params, state, loss)
History = list[dict[str, float]]


def make_step(loss_fn: Loss, optimizer: GradientTransformation) -> Step:
    """One step of training: ``step(params, state, *batch)`` returns ``(params, state, loss)``.

    >>> from funcgrad import optim
    >>> optimizer = optim.sgd(0.25)
    >>> step = make_step(lambda w, target: (w - target) ** 2, optimizer)
    >>> w, state, loss = step(0.0, optimizer.init(0.0), 3.0)
    >>> float(w), float(loss)
    (1.5, 9.0)
    """
    loss_and_grads = value_and_grad(loss_fn)

    def step(params: Any, state: Any, *batch: Any) -> tuple[Any, Any, Any]:
        loss, grads = loss_and_grads(params, *batch)
        updates, state = optimizer.update(grads, state, params)
        return apply_updates(params, updates), state, loss

    return step


def fit(
    key: random.Key,
    params: Any,
    loss_fn: Loss,
    optimizer: GradientTransformation,
    arrays: Sequence[Any],
    epochs: int,
    batch_size: int,
    evaluate: Callable[[Any], Mapping[str, float]] | None = None,
    progress: bool = True,
) -> tuple[Any, History]:
    """The trained parameters, and a dict an epoch: "epoch", mean "loss", and what was evaluated.

    ``arrays`` are the arguments of ``loss_fn`` after the parameters, for the whole training set;
    every epoch goes through them in a new order that ``key`` decides, so the same key gives the
    same numbers. ``evaluate(params)`` names its numbers, as in ``{"test accuracy": 0.97}``. With
    ``progress``, a terminal shows a line that keeps up; anything else gets a line an epoch.

    >>> import numpy as np
    >>> from funcgrad import nn, optim, random
    >>> x = np.linspace(-1.0, 1.0, 20)
    >>> line = lambda w, x, y: nn.mse_loss(w["slope"] * x + w["shift"], y)
    >>> w, history = fit(random.key(0), {"slope": 0.0, "shift": 0.0}, line, optim.sgd(0.3),
    ...                  (x, 2.0 * x + 1.0), epochs=50, batch_size=5, progress=False)
    >>> round(float(w["slope"]), 3), round(float(w["shift"]), 3)
    (2.0, 1.0)
    """
    if not isinstance(arrays, tuple | list):
        raise TypeError(
            f"fit takes a tuple of arrays, the arguments of loss_fn after params, got "
            f"{type(arrays).__name__}. Write (x, y), or (x,) for one."
        )
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise TypeError(
            f"fit takes an optimizer, which has init and update, got "
            f"{type(optimizer).__name__}. Write optim.sgd(0.1), for example."
        )
    step, state = make_step(loss_fn, optimizer), optimizer.init(params)
    history: History = []
    for epoch in range(1, epochs + 1):
        line, total, rows = _Line(f"epoch {epoch}/{epochs}", progress), 0.0, 0
        steps = batches(random.fold_in(key, epoch), arrays, batch_size)
        for number, batch in enumerate(steps, start=1):
            params, state, loss = step(params, state, *batch)
            size = len(tree.leaves(batch)[0])
            total, rows = total + size * float(loss), rows + size
            line.show(f"step {number}/{len(steps)}  loss {total / rows:.4f}")
        evaluated = evaluate(params) if evaluate else {}
        if not isinstance(evaluated, Mapping):
            raise TypeError(
                f"fit: evaluate(params) names its numbers, and returned a "
                f"{type(evaluated).__name__}. Write return {{'accuracy': ...}}."
            )
        metrics = {"loss": total / rows, **evaluated}
        line.end("  ".join(f"{name} {metric:.4f}" for name, metric in metrics.items()))
        history.append({"epoch": epoch, **metrics})
    return params, history


def accuracy(logits: Any, labels: Any) -> float:
    """The share of samples whose largest logit is the one that the integer label names.

    >>> import numpy as np
    >>> accuracy(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
    0.5
    """
    if np.ndim(logits) == 0 or np.shape(labels) != np.shape(logits)[:-1]:
        raise ValueError(
            f"accuracy takes logits of shape (…, classes) and labels of shape (…), got "
            f"{np.shape(logits)} and {np.shape(labels)}."
        )
    return float(np.mean(np.argmax(logits, axis=-1) == labels))


class _Line:
    """One epoch's line: rewritten in place ten times a second on a terminal, else printed once."""

    def __init__(self, title: str, wanted: bool) -> None:
        self.title = title
        self.wanted = wanted
        self.live = wanted and sys.stdout.isatty()
        self.start = self.shown = time.monotonic()

    def show(self, text: str) -> None:
        if self.live and time.monotonic() - self.shown > 0.1:
            self.shown = time.monotonic()
            print(f"\r{self.title}  {text}\x1b[K", end="", flush=True)

    def end(self, text: str) -> None:
        if self.wanted:
            text = f"{self.title}  {text}  {time.monotonic() - self.start:.1f} s"
            print(f"\r{text}\x1b[K" if self.live else text, flush=True)
