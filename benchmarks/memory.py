"""Memory: what recording an operation keeps, and what a training step needs at its peak.

Every figure is of a fresh process. Python's own allocations, and NumPy's, are counted by
tracemalloc; PyTorch and JAX allocate elsewhere and show only in the resident size of the process,
whose growth is coarse and includes what JAX compiles (``/proc``, so on Linux only).
"""

import importlib
import re
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.timing import ratio, table, target

OPERATIONS = 30_000
STATUS = Path("/proc/self/status")


def chain(numpy: Any) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = x
        for _ in range(OPERATIONS // 3):
            y = numpy.sin(y) * x + 0.5
        return numpy.sum(y)

    return f


def kept(library: Any, x: Any) -> tuple[float, float]:
    """Bytes an operation that a recorded chain keeps beside array data: by tracemalloc, by RSS."""


