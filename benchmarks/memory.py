"""Memory: what recording an operation keeps, and what training steps need at their peak.

Every contestant has a fresh process. Allocations of Python and NumPy are counted by tracemalloc.
PyTorch and JAX allocate elsewhere and show only in the resident size of the process, whose growth
is coarse and includes what JAX compiles; it is read from ``/proc``, so on Linux only.

*Beyond the arrays* leaves out the data of arrays; their headers, and the numbers of a chain on one
number, count in full.
"""

import gc
import importlib
import json
import math
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.networks import NETWORKS, Network
from benchmarks.operation import chain
from benchmarks.peers import by_hand, funcgrad, key
from benchmarks.timing import table, target

PROC = Path("/proc/self")
VALUES = {"one number": 0.7, "10 elements": np.linspace(0.1, 0.9, 10)}
ROUNDS = 5_000
OPERATIONS = 3 * ROUNDS
STEPS = 5
LIMIT = 400  # bytes an operation
LOOP = 10_000  # steps on a state of one megabyte
LOOP_LIMIT = 400  # megabytes
UNSEEN = {"torch", "jax"}  # by tracemalloc


def report(quick: bool) -> None:
    present = peers.load()[0]
    values, networks = ([*VALUES][:1], NETWORKS[:1]) if quick else (VALUES, NETWORKS)
    for value in values:
        rows = []
        for library in (funcgrad, *present):
            size, seen = _measured("recording", library, value)
            limit = target(seen / OPERATIONS, LIMIT) if library is funcgrad else ""
            cells = [_number(seen / OPERATIONS, 0), limit, _number(size / OPERATIONS, 0)]
            rows.append([library.NAME, *cells])
        table(
            f"Memory of a recorded operation on {value}: bytes",
            ["", "beyond the arrays", "target", "resident size"],
            rows,
        )
    for index, network in enumerate(networks):
        measured = {
            (library, name): _measured("training", library, name, str(index))
            for library in (by_hand, funcgrad, *present)
            for name in library.TRAINERS
        }
        our_size, ours = measured[funcgrad, "funcgrad"]
        rows = []
        for (_, name), (size, peak) in measured.items():
            allocated = [_number(peak / 1e6, 1), _number(ours / peak, 2)]
            resident = [_number(size / 1e6, 1), _number(our_size / size, 2)]
            rows.append([name, *allocated, *resident])
        table(
            f"Peak memory of {STEPS} training steps of {network}: MB, and funcgrad's over each",
            ["", "allocated", "ratio", "resident size", "ratio"],
            rows,
        )

    size, peak = _measured("loop", funcgrad)
    cells = [_number(peak / 1e6, 0), target(peak / 1e6, LOOP_LIMIT), _number(size / 1e6, 0)]
    table(
        f"Gradient of checkpointed_scan, {LOOP} steps on a state of one megabyte: MB",
        ["", "allocated", "target", "resident size"],
        [[funcgrad.NAME, *cells]],
    )


def _measured(*what: Any) -> tuple[float, float]:
    words = [key(word) if isinstance(word, ModuleType) else word for word in what]
    command = [sys.executable, "-m", "benchmarks.memory", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    size, seen = json.loads(done.stdout)
    return size, seen


def _number(x: float, digits: int) -> str:
    return "" if math.isnan(x) else f"{x:.{digits}f}"


# What the fresh processes do: measure the growth of the resident size first, allocations after.


def recording(library: Any, value: str) -> tuple[float, float]:
    """Bytes that a recorded chain keeps: as resident size, and as allocations but array data."""
    x, f = VALUES[value], chain(library.numpy, ROUNDS)
    library.record(chain(library.numpy, 1), x)  # caches, compilation
    size = _growth(lambda: library.record(f, x))
    if key(library) in UNSEEN:
        return size, math.nan
    gc.collect()
    tracemalloc.start()
    recorded = library.record(f, x)
    not_array_data = tracemalloc.DomainFilter(False, np.lib.tracemalloc_domain)
    kept = tracemalloc.take_snapshot().filter_traces([not_array_data])
    del recorded
    return size, sum(trace.size for trace in kept.traces)


def training(library: Any, name: str, network: str) -> tuple[float, float]:
    """Bytes that training needs at its peak, optimizer state included, in both measures."""

    def train(network: Network, steps: int) -> None:
        step = library.TRAINERS[name](network.layers(), network.optimizer)
        for _ in range(steps):
            step(*network.data())

    chosen = NETWORKS[int(network)]
    train(chosen._replace(widths=(1, 1), batch=1), 1)  # what is loaded at the first use
    size = _growth(lambda: train(chosen, STEPS))
    if key(library) in UNSEEN:
        return size, math.nan
    gc.collect()
    tracemalloc.start()
    train(chosen, STEPS)
    return size, tracemalloc.get_traced_memory()[1]


def loop(library: Any) -> tuple[float, float]:
    """Bytes that the gradient of a long checkpointed loop needs at its peak, in both measures."""

    def step(x: Any, _: None) -> tuple[Any, None]:
        return x - 0.001 * x * x, None

    def last(x: Any) -> Any:
        return np.sum(library.funcgrad.checkpointed_scan(step, x, length=LOOP)[0])

    x = np.linspace(0.0, 1.0, 125_000)
    tracemalloc.start()
    size = _growth(lambda: library.gradient(last, x))
    return size, tracemalloc.get_traced_memory()[1]


def _growth(run: Callable[[], Any]) -> float:
    """Bytes by which the resident size rises at its highest while ``run`` runs; NaN off Linux."""
    gc.collect()
    if not (PROC / "clear_refs").exists():
        return math.nan
    (PROC / "clear_refs").write_text("5")  # forgets the highest so far
    before = _status("VmRSS")
    result = run()
    after = _status("VmHWM")
    del result
    return after - before


def _status(field: str) -> float:
    lines = (PROC / "status").read_text()
    return 1024 * float(re.findall(rf"{field}:\s+(\d+) kB", lines)[0])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measure, library, *rest = sys.argv[1:]
        module = importlib.import_module(f"benchmarks.peers.{library}")
        measures = {"recording": recording, "training": training, "loop": loop}
        print(json.dumps(measures[measure](module, *rest)))
    else:
        report("--quick" in sys.argv)
