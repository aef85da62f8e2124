"""Functional, transform-based automatic differentiation for plain NumPy programs."""

from . import tree
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
from .rules import contractions, reductions, shapes

__version__ = "0.1.0"
