"""Second derivatives: products with the Hessian beside gradients, and whole Hessians.

Each library takes the way that it recommends: funcgrad, JAX and PyTorch push tangents through the
gradient, autograd differentiates the gradient's product with the vector by reverse mode.
"""

import importlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import funcgrad
from benchmarks import peers
from benchmarks.networks import NETWORKS
from benchmarks.timing import medians, table, target
from funcgrad import nn

NETWORK = NETWORKS[0]
FEATURES, EXAMPLES = 50, 500
LIMIT = 4.0  # gradients that a product with the Hessian may cost

Function = Callable[..., Any]


class Library(NamedTuple):
    """A contestant. What its transforms return is to be called with numbers in and results out."""

    name: str
    numpy: Any
    array: Function
    relu: Function
    entropy: Function
    grad: Function  # of f, at x
    product: Function  # of the Hessian of f at x, with v
    hessian: Function  # of f, at x


def libraries() -> list[Library]:
    present = {peers.key(peer): peer for peer in peers.load()[0]}
    makers = {"autograd": with_autograd, "torch": with_torch, "jax": with_jax}
    found = [with_funcgrad()]
    for name, make in makers.items():
        if name in present:
            found += make(present[name])
    return found


def with_funcgrad() -> Library:
    return Library(
        "funcgrad",
        np,
        lambda x: x,
        nn.relu,
        nn.cross_entropy,
        funcgrad.grad,
        lambda f: lambda x, v: funcgrad.hvp(f, (x,), (v,))[0],
        funcgrad.hessian,
    )


def with_autograd(peer: Any) -> list[Library]:
    autograd, numpy = peer.autograd, peer.numpy

    def entropy(logits: Any, labels: Any) -> Any:
        below = logits - numpy.max(logits, axis=1, keepdims=True)
        log_probs = below - numpy.log(numpy.sum(numpy.exp(below), axis=1, keepdims=True))
        return -numpy.mean(log_probs[numpy.arange(len(labels)), labels])

    def product(f: Function) -> Function:
        def inner(x: Any, v: Any) -> Any:
            if isinstance(v, list | tuple):
                return sum(inner(a, b) for a, b in zip(x, v))
            return numpy.sum(x * v)

        gradient = autograd.grad(f)
        return autograd.grad(lambda x, v: inner(gradient(x), v))

    return [
        Library(
            peer.NAME,
            numpy,
            lambda x: x,
            lambda x: numpy.maximum(x, 0.0),
            entropy,
            autograd.grad,
            product,
            autograd.hessian,
        )
    ]


def with_torch(peer: Any) -> list[Library]:
    torch = peer.numpy
    transforms = importlib.import_module("torch.func")

    def product(f: Function) -> Function:
        return lambda x, v: transforms.jvp(transforms.grad(f), (x,), (v,))[1]

    return [
        Library(
            "PyTorch torch.func",
            torch,
            torch.from_numpy,
            torch.relu,
            torch.nn.functional.cross_entropy,
            transforms.grad,
            product,
            transforms.hessian,
        )
    ]


def with_jax(peer: Any) -> list[Library]:
    jax, numpy = peer.jax, peer.numpy

    def entropy(logits: Any, labels: Any) -> Any:
        log_probs = jax.nn.log_softmax(logits)
        return -numpy.mean(log_probs[numpy.arange(len(labels)), labels])

    def product(f: Function) -> Function:
        return lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1]

    def made(name: str, compiled: Function) -> Library:
        def done(transform: Function) -> Function:
            def of(f: Function) -> Function:
                transformed = compiled(transform(f))
                return lambda *args: jax.block_until_ready(transformed(*args))

            return of

        transforms = [done(transform) for transform in (jax.grad, product, jax.hessian)]
        return Library(name, numpy, numpy.asarray, jax.nn.relu, entropy, *transforms)

    return [made("JAX un-jitted", lambda f: f), made("JAX jitted", jax.jit)]


# Problems: the function, and where it is differentiated.


def rosenbrock(library: Library) -> Function:
    def f(x: Any) -> Any:
        return library.numpy.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return f


def logistic_regression(library: Library) -> Function:
    rng = np.random.default_rng(0)
    x, signs = rng.normal(size=(EXAMPLES, FEATURES)), rng.choice([-1.0, 1.0], EXAMPLES)
    x = library.array(x * signs[:, None])
    numpy = library.numpy
    return lambda w: numpy.mean(numpy.log(1.0 + numpy.exp(-(x @ w))))


def network(library: Library) -> Function:
    x, labels = map(library.array, NETWORK.data())

    def loss(layers: Any) -> Any:
        h = x
        for w, b in layers[:-1]:
            h = library.relu(h @ w + b)
        w, b = layers[-1]
        return library.entropy(h @ w + b, labels)

    return loss


def around(dimensions: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=dimensions)


PRODUCTS = {
    "784-128-64-10, batch 100, float32": (network, NETWORK.layers()),
    "Rosenbrock in 100 dimensions": (rosenbrock, around(100)),
}
HESSIANS = {
    "Rosenbrock in 10 dimensions": (rosenbrock, around(10)),
    "Rosenbrock in 100 dimensions": (rosenbrock, around(100)),
    f"a logistic regression, {FEATURES} features": (logistic_regression, around(FEATURES) / 10.0),
}


def report(quick: bool) -> None:
    rounds = 3 if quick else 11
    contestants = libraries()
    for title, (problem, x) in PRODUCTS.items():
        products(title, contestants, problem, x, rounds)
    for title, (problem, x) in HESSIANS.items():
        hessians(title, contestants, problem, x, rounds)


def products(
    title: str, contestants: list[Library], problem: Function, x: Any, rounds: int
) -> None:
    calls = {}
    for library in contestants:
        f = problem(library)
        at = funcgrad.tree.map(library.array, x)
        along = funcgrad.tree.map(lambda leaf: library.array(np.cos(leaf)), x)  # noqa: B023
        calls[library.name, "grad"] = partial(library.grad(f), at)
        calls[library.name, "hvp"] = partial(library.product(f), at, along)
    _check_agreement({key: call() for key, call in calls.items() if key[1] == "hvp"})
    times = medians(calls, rounds)
    rows = []
    for library in contestants:
        gradient, product = times[library.name, "grad"], times[library.name, "hvp"]
        limit = target(product / gradient, LIMIT) if library is contestants[0] else ""
        ours = times["funcgrad", "hvp"] / product
        cells = [f"{1e3 * gradient:.3f}", f"{1e3 * product:.3f}", f"{product / gradient:.2f}"]
        rows.append([library.name, *cells, limit, f"{ours:.2f}"])
    table(
        f"A product with the Hessian of {title}: milliseconds, in gradients, and funcgrad's over "
        f"each",
        ["", "grad", "hvp", "hvp / grad", "target", "ratio"],
        rows,
    )


def hessians(
    title: str, contestants: list[Library], problem: Function, x: Any, rounds: int
) -> None:
    calls = {
        library.name: partial(library.hessian(problem(library)), library.array(x))
        for library in contestants
    }
    _check_agreement({name: call() for name, call in calls.items()})
    times = medians(calls, rounds)
    rows = [
        [name, f"{1e3 * seconds:.3f}", f"{times['funcgrad'] / seconds:.2f}"]
        for name, seconds in times.items()
    ]
    table(
        f"The Hessian of {title}: milliseconds, and funcgrad's over each",
        ["", "Hessian", "ratio"],
        rows,
    )


def _check_agreement(results: dict[Any, Any]) -> None:
    (_, expected), *others = results.items()
    for name, found in others:
        for got, want in zip(funcgrad.tree.leaves(found), funcgrad.tree.leaves(expected)):
            # float32 arithmetic for the network, in an order of its own in every library.
            tolerance = 1e-3 if want.dtype == np.float32 else 1e-9
            apart = np.max(np.abs(np.asarray(got) - want))
            if not apart <= tolerance * np.max(np.abs(want)):
                raise RuntimeError(f"{name} does not compute the same: {apart} apart")


if __name__ == "__main__":
    report("--quick" in sys.argv)
