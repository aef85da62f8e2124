"""Import time above NumPy's, and time from the start of the process to the first gradient.

Each sample is a fresh interpreter. The first of each contestant, which compiles bytecode into a
cache that the others share and warms the disk cache, is thrown away.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks import peers
from benchmarks.peers import funcgrad
from benchmarks.timing import table, target

IMPORT = "import numpy, time; start = time.monotonic(); import {}; print(time.monotonic() - start)"

FIRST_GRADIENT = {
    "NumPy alone": "import numpy as np; np.sum(np.sin(np.ones(3)))",
    "funcgrad": (
        "import numpy as np, funcgrad; funcgrad.grad(lambda x: np.sum(np.sin(x)))(np.ones(3))"
    ),
    "autograd": (
        "import autograd, autograd.numpy as np;"
        "autograd.grad(lambda x: np.sum(np.sin(x)))(np.ones(3))"
    ),
    "MyGrad": "import mygrad as mg; mg.sum(mg.sin(mg.tensor([1.0, 1.0, 1.0]))).backward()",
    "PyTorch eager": (
        "import torch; torch.sum(torch.sin(torch.ones(3, requires_grad=True))).backward()"
    ),
    "JAX un-jitted": (
        "import jax, jax.numpy as np;"
        "jax.grad(lambda x: np.sum(np.sin(x)))(np.ones(3)).block_until_ready()"
    ),
}


def report(quick: bool) -> None:
    libraries = [funcgrad, *peers.load()[0]]
    names = [library.NAME for library in libraries]
    imports = {library.NAME: IMPORT.format(library.PACKAGE) for library in libraries}
    firsts = {
        name: f"{FIRST_GRADIENT[name]}; import time; print(time.monotonic())"
        for name in ("NumPy alone", *names)
    }
    importing: dict[str, list[float]] = {name: [] for name in imports}
    starting: dict[str, list[float]] = {name: [] for name in firsts}
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(1 + (3 if quick else 11)):
            for name, code in imports.items():
                importing[name].append(_run(code, cache))
            for name, code in firsts.items():
                start = time.monotonic()
                starting[name].append(_run(code, cache) - start)
    above = {name: statistics.median(samples[1:]) for name, samples in importing.items()}
    first = {name: statistics.median(samples[1:]) for name, samples in starting.items()}

    rows = []
    for name in firsts:
        if name in above:
            imported = [_milliseconds(above[name]), f"{above['funcgrad'] / above[name]:.2f}"]
        else:
            imported = ["0", ""]
        rows.append(
            [
                name,
                *imported,
                target(1e3 * above[name], 60, " ms") if name == "funcgrad" else "",
                _milliseconds(first[name]),
                f"{first['funcgrad'] / first[name]:.2f}",
            ]
        )
    table(
        "Starting: milliseconds of import above NumPy's, and of a process to its first gradient, "
        "and funcgrad's over each",
        ["", "import", "ratio", "target", "gradient", "ratio"],
        rows,
    )


def _run(code: str, cache: str) -> float:
    """The number that a fresh interpreter prints, which keeps its bytecode in ``cache``."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return float(output.stdout)


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.0f}"


if __name__ == "__main__":
    report("--quick" in sys.argv)
