"""What NumPy functions do on tracers, one file a family. Importing it declares them all."""

from . import (
    constants,
    contractions,
    elementwise,
    indexing,
    methods,
    reductions,
    shapes,
    sorting,
)

__all__ = [
    "constants",
    "contractions",
    "elementwise",
    "indexing",
    "methods",
    "reductions",
    "shapes",
    "sorting",
]
