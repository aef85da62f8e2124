"""Medians of interleaved repetitions, and the tables that show them."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: A sample of a contestant repeats it until it has taken about this many seconds.
SAMPLE = 0.02


def medians(contestants: Mapping[Any, Callable[[], Any]], rounds: int) -> dict[Any, float]:
    """Seconds that one call of each contestant takes: the median over ``rounds`` rounds.

    Each round takes one sample of every contestant, and begins with another one. A call that is not
    timed comes before each sample, so that caches and heap are as the contestant leaves them
    itself. The cyclic garbage collector runs as in any program, but starts each sample with nothing
    to do and does not visit what was there before.
    """
    repeats = {}
    for name, contestant in contestants.items():
        contestant()  # caches, compilation
        repeats[name] = max(1, round(SAMPLE / _seconds(contestant, 1)))
    gc.collect()
    gc.freeze()
    samples: dict[Any, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for _ in range(rounds):
        for name in names:
            gc.collect()
            contestants[name]()
            samples[name].append(_seconds(contestants[name], repeats[name]))
        names.append(names.pop(0))
    gc.unfreeze()
    return {name: statistics.median(times) for name, times in samples.items()}


def _seconds(contestant: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        contestant()
    return (time.perf_counter() - start) / repeats


def target(measured: float, limit: float, unit: str = "") -> str:
    """What was to be reached, and whether it was."""
    return f"<= {limit:g}{unit} {'met' if measured <= limit else 'MISSED'}"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns, the first flush left and the others flush right."""
    widths = [max(map(len, column)) for column in zip(columns, *rows)]
    print(f"\n{title}\n")
    for first, *others in (columns, ["-" * width for width in widths], *rows):
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:])]
        print("  ".join(["", first.ljust(widths[0]), *cells]).rstrip())
