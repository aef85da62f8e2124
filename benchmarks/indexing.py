"""A loop over the elements ``x[i]`` of an array: linear in its length, or quadratic?

Where the cotangent of each ``x[i]`` is an array of x's full length, a loop over x costs its length
squared.
"""

import sys
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.peers import funcgrad
from benchmarks.timing import medians, ratio, table, target

SHORT, LONG = 1000, 4000
# JAX un-jitted would take minutes.
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
        (library.NAME, n): lambda library=library, x=np.linspace(0.0, 1.0, n): library.gradient(loop, x)
        for library in libraries
        for n in (SHORT, LONG)
    }
    times = medians(contestants, rounds=3 if quick else 11)
    rows = []
    for library in libraries:
        short, long = times[library.NAME, SHORT], times[library.NAME, LONG]
        rows.append(
            [
                library.NAME,
                f"{1e6 * short / SHORT:.1f}",
                f"{1e6 * long / LONG:.1f}",
                ratio(long, short),
                ratio(times["funcgrad", LONG], long),
                target(long / short, 1.25 * LONG / SHORT) if library is funcgrad else "",
            ]
        )
    table(
        f"A loop over x[i]: microseconds an element, of {SHORT:,} and of {LONG:,}; "
        f"a linear loop takes {LONG / SHORT:g} times as long",
        ["", f"{SHORT:,}", f"{LONG:,}", "longer by", "funcgrad /", "target"],
        rows,
    )


if __name__ == "__main__":
    report("--quick" in sys.argv)
