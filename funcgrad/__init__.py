"""Functional, transform-based automatic differentiation for plain NumPy programs."""

import importlib
from types import ModuleType

from . import check, debug, nn, optim, random, toy, tree, verbs
from . import numpy as numpy  # not in __all__, where import * would hide NumPy itself
from .check import check_grads, numerical_grad
from .control import cond, fori_loop, scan, switch, while_loop
from .control import map as map  # not in __all__, where import * would hide Python's own
from .core import is_traced, value
from .custom import custom_jvp, custom_vjp
from .errors import (
    DerivativeLostError,
    LeakedTracerError,
    LoopWarning,
    TreeError,
    UnsupportedError,
)
from .forward import jvp, linearize
from .graph import make_graph
from .implicit import fixed_point, implicit_root
from .jacobian import hessian, jacfwd, jacobian, jacrev
from .ode import odeint
from .products import elementwise_grad, ggnvp, hvp, vhp
from .replay import checkpoint, checkpoint_policies, checkpointed_scan, remat
from .reverse import grad, stop_gradient, value_and_grad, vjp
from .rules.updates import at
from .systems import linear_solve
from .vmap import vmap

__version__ = "0.1.0"

__all__ = [
    "DerivativeLostError",
    "LeakedTracerError",
    "LoopWarning",
    "TreeError",
    "UnsupportedError",
    "at",
    "check",
    "check_grads",
    "checkpoint",
    "checkpoint_policies",
    "checkpointed_scan",
    "cond",
    "custom_jvp",
    "custom_vjp",
    "data",
    "debug",
    "elementwise_grad",
    "fixed_point",
    "fori_loop",
    "ggnvp",
    "grad",
    "hessian",
    "hvp",
    "implicit_root",
    "is_traced",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linear_solve",
    "linearize",
    "make_graph",
    "nn",
    "numerical_grad",
    "odeint",
    "optim",
    "random",
    "remat",
    "scan",
    "stop_gradient",
    "switch",
    "toy",
    "training",
    "tree",
    "value",
    "value_and_grad",
    "verbs",
    "vhp",
    "vjp",
    "vmap",
    "while_loop",
]


def __getattr__(name: str) -> ModuleType:
    # What may download is imported when it is asked for: it costs as much as all of the rest.
    if name in ("data", "training"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'funcgrad' has no attribute {name!r}")
