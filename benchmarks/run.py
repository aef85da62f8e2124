"""Measure what funcgrad costs beside its peers, in one run: ``python benchmarks/run.py``.

Each part is a module of its own and runs in a process of its own, with as many threads for NumPy's
BLAS as for PyTorch and JAX. A peer that is not installed is left out by name; ``pip install -e
.[bench]`` installs them all. Times are medians of interleaved repetitions (A B C A B C …), so that
a noisy machine disturbs all contestants alike; what counts are the ratios.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

PARTS = {
    "operation": "the cost of an operation, forward and backward",
    "training": "a training step of three networks",
    "batching": "the gradient of every example of a batch",
    "second_order": "products with the Hessian, and Hessians",
    "control": "a recurrent network by scan",
    "indexing": "a loop over the elements of an array",
    "memory": "memory of a recorded operation and of a training step",
    "startup": "import time and time to the first gradient",
    "compositions": "agreement with JAX on compositions of transforms",
}

# Whichever of these a BLAS reads; PyTorch and JAX are told by benchmarks.peers as well.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

# glibc gives freed memory back to the system and takes it again by rules under which the same
# training step costs half as much again, or not, by what ran before. It keeps it here.
HEAP = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 25)}


def main() -> int:
    described = "\n".join(f"  {name:12} {what}" for name, what in PARTS.items())
    parser = argparse.ArgumentParser(
        description="Measure what funcgrad costs beside its peers, as ratios of medians.",
        epilog=f"parts:\n{described}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"any of {', '.join(PARTS)} (default: all)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer repetitions and cases: a rough look"
    )
    parser.add_argument("--threads", type=int, default=1, help="for every library (default: 1)")
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")

    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        **HEAP,
        **dict.fromkeys(THREADS, str(options.threads)),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    flags = ["--quick"] * options.quick
    for part in ("setting", *(options.parts or PARTS)):
        command = [sys.executable, "-m", f"benchmarks.{part}", *flags]
        if code := subprocess.run(command, env=environment, cwd=root).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
