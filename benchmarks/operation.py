"""The cost of an operation: a chain of 1,000 of them on values so small that overhead is all.

The chain repeats ``y = sin(y) * x + 0.5`` and ends in a sum. *Recording* runs it with everything
kept that a gradient needs (``vjp``), the *gradient* is the chain forward and backward, both with
NumPy's own time included; NumPy alone runs the chain and nothing else.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.peers import funcgrad
from benchmarks.timing import medians, ratio, table, target

ROUNDS = 333
OPERATIONS = 3 * ROUNDS + 1
LIMITS = {"autograd": 0.4, "PyTorch eager": 1.0}


def chain(numpy: Any) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = x
        for _ in range(ROUNDS):
            y = numpy.sin(y) * x + 0.5
        return numpy.sum(y)

    return f


def report(quick: bool) -> None:
    libraries = [funcgrad, *peers.load()[0]]
    for title, x in (("one number", 0.7), ("10 elements", np.linspace(0.1, 0.9, 10))):
        contestants = {"NumPy alone": lambda x=x: chain(np)(x)}
        for library in libraries:
            for what in (library.record, library.gradient):
                contestants[what, library.NAME] = lambda what=what, f=chain(library.numpy), x=x: (
                    what(f, x)
                )
        times = medians(contestants, rounds=5 if quick else 25)
        ours = times[funcgrad.gradient, funcgrad.NAME]
        alone = times["NumPy alone"]
        rows = [["NumPy alone", microseconds(alone), "", microseconds(alone), ratio(ours, alone), ""]]
        for library in libraries:
            name = library.NAME
            recording, gradient = times[library.record, name], times[library.gradient, name]
            rows.append(
                [
                    name,
                    microseconds(recording),
                    ratio(times[funcgrad.record, funcgrad.NAME], recording),
                    microseconds(gradient),
                    ratio(ours, gradient),
                    target(ours / gradient, LIMITS[name]) if name in LIMITS else "",
                ]
            )
        table(
            f"An operation on {title}: microseconds, and funcgrad's as a multiple",
            ["", "recording", "funcgrad /", "gradient", "funcgrad /", "target"],
            rows,
        )


def microseconds(chain_seconds: float) -> str:
    return f"{1e6 * chain_seconds / OPERATIONS:.2f}"


if __name__ == "__main__":
    report("--quick" in sys.argv)
