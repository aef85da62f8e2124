"""The contestants, one module each, all with the same few names:

    NAME                        what tables call it
    PACKAGE                     what it is installed as
    numpy                       its counterpart of the numpy module
    record(f, x)                f run on x with everything recorded that a gradient needs
    gradient(f, x)              the gradient of the scalar function f at x
    TRAINERS                    {name: trainer}; trainer(layers, optimizer) gives a function
                                step(x, labels) that takes one training step and returns the loss

``layers`` is a list of (weight, bias) pairs of float32 arrays with a relu between them, the loss
the mean cross-entropy, and ``optimizer`` "sgd" (rate 0.1) or "adam" (rate 1e-3). ``by_hand``, NumPy
without a library, has a trainer only.
"""

import importlib
import os
from types import ModuleType

PEERS = ("autograd", "mygrad", "torch", "jax")

#: How many threads each library may use.
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))


def load() -> tuple[list[ModuleType], list[str]]:
    """The modules of the installed peers, and the names of those that are not."""
    present, missing = [], []
    for name in PEERS:
        try:
            present.append(importlib.import_module(f"benchmarks.peers.{name}"))
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            missing.append(name)
    return present, missing


def key(peer: ModuleType) -> str:
    """The name of a contestant's module."""
    return peer.__name__.rpartition(".")[2]
