"""The cost of an operation: a chain of 1,000 of them on values so small that overhead is all.

The chain repeats ``y = sin(y) * x + 0.5`` and ends in a sum. *Recording* runs it with everything
kept that a gradient needs, the *gradient* is the chain forward and backward, both with NumPy's own
time included; NumPy alone runs the chain and nothing else.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.peers import funcgrad
from benchmarks.timing import medians, table, target

ROUNDS = 333
OPERATIONS = 3 * ROUNDS + 1
LIMITS = {"autograd": 0.4, "PyTorch eager": 1.0}


def chain(numpy: Any, rounds: int = ROUNDS) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = x
        for _ in range(rounds):
            y = numpy.sin(y) * x + 0.5
        return numpy.sum(y)

    return f


def report(quick: bool) -> None:
    libraries = [funcgrad, *peers.load()[0]]
    for title, x in (("one number", 0.7), ("10 elements", np.linspace(0.1, 0.9, 10))):
        contestants = {"NumPy alone": partial(chain(np), x)}
        for library in libraries:
            f = chain(library.numpy)
            contestants[library.NAME, "record"] = partial(library.record, f, x)
            contestants[library.NAME, "gradient"] = partial(library.gradient, f, x)
        times = medians(contestants, rounds=5 if quick else 15)
        recording, gradient = times["funcgrad", "record"], times["funcgrad", "gradient"]
        alone = times["NumPy alone"]
        rows = [["NumPy alone", "", "", _microseconds(alone), f"{gradient / alone:.2f}", ""]]
        for library in libraries:
            name = library.NAME
            theirs = times[name, "gradient"]
            rows.append(
                [
                    name,
                    _microseconds(times[name, "record"]),
                    f"{recording / times[name, 'record']:.2f}",
                    _microseconds(theirs),
                    f"{gradient / theirs:.2f}",
                    target(gradient / theirs, LIMITS[name]) if name in LIMITS else "",
                ]
            )
        table(
            f"An operation on {title}: microseconds, and funcgrad's over each",
            ["", "recording", "ratio", "gradient", "ratio", "target"],
            rows,
        )


def _microseconds(chain_seconds: float) -> str:
    return f"{1e6 * chain_seconds / OPERATIONS:.2f}"


if __name__ == "__main__":
    report("--quick" in sys.argv)
