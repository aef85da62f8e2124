"""A recurrent network of 64 units over 1,000 steps: ``scan`` beside the loop that it stands for."""

import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.peers import funcgrad
from benchmarks.timing import medians, table, target
from funcgrad import scan

UNITS, STEPS = 64, 1000
# The gradient through scan must not cost more than a tenth above that of the loop.
SLACK = 1.1
# A loop of 1,000 steps takes JAX minutes, un-jitted; MyGrad and PyTorch have no part in this.
MEASURED = {"autograd"}

Weights = tuple[Any, Any]


def by_scan(xs: np.ndarray, weights: Weights) -> Any:
    def step(h: Any, x: Any) -> tuple[Any, Any]:
        h = np.tanh(np.dot(weights[0], h) + np.dot(weights[1], x))
        return h, h

    return np.sum(scan(step, np.zeros(UNITS), xs)[1] ** 2)


def by_loop(numpy: ModuleType, xs: np.ndarray, weights: Weights) -> Any:
    h, hs = np.zeros(UNITS), []
    for x in xs:
        h = numpy.tanh(numpy.dot(weights[0], h) + numpy.dot(weights[1], x))
        hs.append(h)
    return numpy.sum(numpy.stack(hs) ** 2)


def report(quick: bool) -> None:
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(STEPS, UNITS))
    weights = tuple(rng.normal(size=(2, UNITS, UNITS)) / np.sqrt(2 * UNITS))
    loop = partial(by_loop, np, xs)
    contestants: dict[Any, Callable[[], Any]] = {
        ("scan", "value"): partial(by_scan, xs, weights),
        ("scan", "gradient"): partial(funcgrad.gradient, partial(by_scan, xs), weights),
        ("loop", "value"): partial(loop, weights),
        ("loop", "gradient"): partial(funcgrad.gradient, loop, weights),
    }
    names = ["scan", "loop"]
    for peer in peers.load()[0]:
        if peer.PACKAGE in MEASURED:
            f = partial(by_loop, peer.numpy, xs)
            names.append(f"loop, {peer.NAME}")
            contestants[names[-1], "value"] = partial(f, weights)
            contestants[names[-1], "gradient"] = partial(peer.gradient, f, weights)
    times = medians(contestants, rounds=3 if quick else 11)
    rows = []
    for name in names:
        ratio = times["scan", "gradient"] / times[name, "gradient"]
        rows.append(
            [
                name,
                f"{1e6 * times[name, 'value'] / STEPS:.1f}",
                f"{1e6 * times[name, 'gradient'] / STEPS:.1f}",
                f"{ratio:.2f}",
                target(ratio, SLACK if name == "loop" else 1.0) if name != "scan" else "",
            ]
        )
    table(
        f"A recurrent network of {UNITS} units over {STEPS:,} steps: microseconds a step, and the "
        f"gradient by scan over each",
        ["", "value", "gradient", "ratio", "target"],
        rows,
    )


if __name__ == "__main__":
    report("--quick" in sys.argv)
