"""Medians of interleaved repetitions, and the tables that show them."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: A sample of a contestant repeats it until it has taken about this many seconds.
SAMPLE = 0.02


def medians(contestants: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds that one call of each contestant takes: the median over ``rounds`` rounds.

    Each round takes one sample of every contestant. The cyclic garbage collector runs as it does
    in any program, but starts each sample with nothing to do and does not visit what was there
    before.
    """
    repeats = {}
    for name, contestant in contestants.items():
        contestant()  # imports, caches, compilation
        repeats[name] = max(1, round(SAMPLE / _seconds(contestant, 1)))
    gc.collect()
    gc.freeze()
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            gc.collect()
            samples[name].append(_seconds(contestant, repeats[name]))
    gc.unfreeze()
    return {name: statistics.median(times) for name, times in samples.items()}


def _seconds(contestant: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        contestant()
    return (time.perf_counter() - start) / repeats


def ratio(a: float, b: float) -> str:
    return f"{a / b:.2f} x"


def target(measured: float, limit: float, unit: str = "x") -> str:
    """What was to be reached, and whether it was."""
    return f"<= {limit:g} {unit}: {'met' if measured <= limit else 'MISSED'}"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns, the first flush left and the others flush right."""
    widths = [max(map(len, column)) for column in zip(columns, *rows)]
    print(f"\n{title}\n")
    for row in (columns, ["-" * width for width in widths], *rows):
        first, *others = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        print("  ".join(["  " + first, *others]).rstrip())
