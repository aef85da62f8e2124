"""A loop over the elements ``x[i]`` of an array: linear in its length, or quadratic?

Where the cotangent of each ``x[i]`` is an array of x's full length, a loop over x costs its length
squared.
"""

import sys
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.peers import funcgrad
from benchmarks.timing import medians, table, target

SHORT, LONG = 1000, 8000
# One operation of a linear loop must not grow by more than a quarter.
SLACK = 1.25
# JAX un-jitted takes minutes.
LEFT_OUT = {"jax"}


def loop(x: Any) -> Any:
    total = 0.0
    for i in range(len(x)):
        total = total + x[i] * x[i]
    return total


def report(quick: bool) -> None:
    present = [peer for peer in peers.load()[0] if peer.PACKAGE not in LEFT_OUT]
    libraries = [funcgrad, *present]
    contestants = {
        (library.NAME, n): partial(library.gradient, loop, np.linspace(0.0, 1.0, n))
        for library in libraries
        for n in (SHORT, LONG)
    }
    times = medians(contestants, rounds=3 if quick else 11)
    rows = []
    for library in libraries:
        short = times[library.NAME, SHORT] / SHORT
        long = times[library.NAME, LONG] / LONG
        rows.append(
            [
                library.NAME,
                f"{1e6 * short:.1f}",
                f"{1e6 * long:.1f}",
                f"{long / short:.2f}",
                target(long / short, SLACK) if library is funcgrad else "",
                f"{times['funcgrad', LONG] / times[library.NAME, LONG]:.2f}",
            ]
        )
    table(
        f"A loop over x[i]: microseconds an element of {SHORT:,} and of {LONG:,} (their ratio is 1 "
        f"where the loop is linear), and funcgrad's over each",
        ["", f"{SHORT:,}", f"{LONG:,}", "growth", "target", "ratio"],
        rows,
    )


if __name__ == "__main__":
    report("--quick" in sys.argv)
