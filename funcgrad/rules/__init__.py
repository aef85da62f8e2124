"""What NumPy functions do on tracers, one file a family. Importing it declares them all."""

from . import (
    constants,
    contractions,
    decompositions,
    elementwise,
    fft,
    indexing,
    linalg,
    methods,
    norms,
    reductions,
    shapes,
    sorting,
)

__all__ = [
    "constants",
    "contractions",
    "decompositions",
    "elementwise",
    "fft",
    "indexing",
    "linalg",
    "methods",
    "norms",
    "reductions",
    "shapes",
    "sorting",
]
