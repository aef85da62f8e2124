"""The gradient of every example of a batch: ``vmap(grad(loss))`` beside a loop of ``grad`` calls.

The result is as many gradients as there are examples, 44 MB of them for the larger network, so
that writing them bounds what batching can save; by hand in NumPy shows where that bound is.
"""

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import funcgrad
from benchmarks.networks import Network
from benchmarks.timing import medians, table, target
from funcgrad import nn

NETWORKS = (Network((784, 128, 64, 10), 100, "sgd"), Network((64, 32, 10), 100, "sgd"))
# Of the time of a loop, for the larger network.
LIMIT = 0.1


def by_hand(layers: Any, x: np.ndarray, labels: np.ndarray) -> Any:
    """One forward and one backward pass of the whole batch, but for the sums over it."""
    inputs = [x]
    for w, b in layers[:-1]:
        inputs.append(np.maximum(inputs[-1] @ w + b, 0.0))
    w, b = layers[-1]
    g = nn.softmax(inputs[-1] @ w + b)
    g[np.arange(len(labels)), labels] -= 1.0
    gradients = []
    for i in reversed(range(len(layers))):
        gradients.append((inputs[i][:, :, None] * g[:, None, :], g))
        if i:
            g = np.where(inputs[i] > 0, g @ layers[i][0].T, 0.0)
    return gradients[::-1]


def loss(
    layers: Any, x: Any, label: Any, relu: Any = nn.relu, entropy: Any = nn.cross_entropy
) -> Any:
    for w, b in layers[:-1]:
        x = relu(x @ w + b)
    w, b = layers[-1]
    return entropy(x @ w + b, label)


def loop(gradient: Callable[..., Any], layers: Any, x: Any, labels: Any) -> list[Any]:
    return [gradient(layers, row, label) for row, label in zip(x, labels)]


def with_jax(network: Network) -> dict[str, Callable[[], Any]]:
    """JAX with and without jit, where it is installed; its loop without takes seconds."""
    if importlib.util.find_spec("jax") is None:
        return {}
    jax = importlib.import_module("benchmarks.peers.jax").jax

    def entropy(logits: Any, label: Any) -> Any:
        return -jax.nn.log_softmax(logits)[label]

    gradient = jax.grad(partial(loss, relu=jax.nn.relu, entropy=entropy))
    batched = jax.vmap(gradient, (None, 0, 0))
    args = jax.tree.map(jax.numpy.asarray, (network.layers(), *network.data()))

    def done(f: Callable[..., Any]) -> Callable[[], Any]:
        return lambda: jax.block_until_ready(f(*args))

    return {
        "JAX vmap, un-jitted": done(batched),
        "JAX vmap, jitted": done(jax.jit(batched)),
        "JAX loop, jitted": done(partial(loop, jax.jit(gradient))),
    }


def report(quick: bool) -> None:
    for network in NETWORKS:
        args = (network.layers(), *network.data())
        gradient = funcgrad.grad(loss)
        contestants = {
            "funcgrad vmap": partial(funcgrad.vmap(gradient, (None, 0, 0)), *args),
            "funcgrad loop": partial(loop, gradient, *args),
            "NumPy by hand": partial(by_hand, *args),
            **with_jax(network),
        }
        _check_agreement({name: f() for name, f in contestants.items() if "loop" not in name})
        times = medians(contestants, rounds=3 if quick else 11)
        ours = times["funcgrad vmap"]
        rows = []
        for name, theirs in times.items():
            judged = name == "funcgrad loop" and network is NETWORKS[0]
            limit = target(ours / theirs, LIMIT) if judged else ""
            rows.append([name, f"{1e3 * theirs:.2f}", f"{ours / theirs:.2f}", limit])
        widths = "-".join(map(str, network.widths))
        table(
            f"The gradient of each of {network.batch} examples, {widths}, float32: milliseconds, "
            f"and those of funcgrad's vmap over each",
            ["", "all", "ratio", "target"],
            rows,
        )


def _check_agreement(gradients: dict[str, Any]) -> None:
    expected = funcgrad.tree.leaves(gradients["NumPy by hand"])
    for name, found in gradients.items():
        for got, want in zip(funcgrad.tree.leaves(found), expected, strict=True):
            # float32 arithmetic, in an order of its own in every library.
            if not np.allclose(got, want, rtol=1e-3, atol=1e-5):
                raise RuntimeError(f"{name} does not compute the same gradients")


if __name__ == "__main__":
    report("--quick" in sys.argv)
