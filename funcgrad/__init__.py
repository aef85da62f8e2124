"""Functional, transform-based automatic differentiation for plain NumPy programs."""

import importlib
from types import ModuleType

from . import check, debug, nn, optim, random, toy, tree
from .check import check_grads, numerical_grad
from .control import cond, fori_loop, scan, switch, while_loop
from .control import map as map  # not in __all__, where import * would hide Python's own
from .core import is_traced, value
from .errors import (
    DerivativeLostError,
    LeakedTracerError,
    LoopWarning,
    TreeError,
    UnsupportedError,
)
from .forward import jvp
from .graph import make_graph
from .reverse import grad, jacrev, stop_gradient, value_and_grad, vjp
from .vmap import vmap

__version__ = "0.1.0"

__all__ = [
    "DerivativeLostError",
    "LeakedTracerError",
    "LoopWarning",
    "TreeError",
    "UnsupportedError",
    "check",
    "check_grads",
    "cond",
    "data",
    "debug",
    "fori_loop",
    "grad",
    "is_traced",
    "jacrev",
    "jvp",
    "make_graph",
    "nn",
    "numerical_grad",
    "optim",
    "random",
    "scan",
    "stop_gradient",
    "switch",
    "toy",
    "training",
    "tree",
    "value",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]


def __getattr__(name: str) -> ModuleType:
    # What may download is imported when it is asked for: it costs as much as all of the rest.
    if name in ("data", "training"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'funcgrad' has no attribute {name!r}")
