"""Functional, transform-based automatic differentiation for plain NumPy programs."""

from . import methods, rules, tree
from .core import is_traced, value
from .errors import (
    DerivativeLostError,
    LeakedTracerError,
    MutationError,
    TreeError,
    UnsupportedError,
)
from .forward import jvp
from .reverse import grad, jacrev, stop_gradient, value_and_grad, vjp

__version__ = "0.1.0"

__all__ = [
    "DerivativeLostError",
    "LeakedTracerError",
    "MutationError",
    "TreeError",
    "UnsupportedError",
    "grad",
    "is_traced",
    "jacrev",
    "jvp",
    "methods",
    "rules",
    "stop_gradient",
    "tree",
    "value",
    "value_and_grad",
    "vjp",
]
