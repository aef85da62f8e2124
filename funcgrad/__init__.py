"""Functional, transform-based automatic differentiation for plain NumPy programs."""

from . import check, debug, nn, optim, random, tree
from .core import is_traced, value
from .errors import (
    DerivativeLostError,
    LeakedTracerError,
    MutationError,
    TreeError,
    UnsupportedError,
)
from .forward import jvp
from .graph import make_graph
from .reverse import grad, jacrev, stop_gradient, value_and_grad, vjp

__version__ = "0.1.0"

__all__ = [
    "DerivativeLostError",
    "LeakedTracerError",
    "MutationError",
    "TreeError",
    "UnsupportedError",
    "check",
    "debug",
    "grad",
    "is_traced",
    "jacrev",
    "jvp",
    "make_graph",
    "nn",
    "optim",
    "random",
    "stop_gradient",
    "tree",
    "value",
    "value_and_grad",
    "vjp",
]
