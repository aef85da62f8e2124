"""What NumPy functions do on tracers, one file a family. Importing it declares them all."""

from . import (
    constants,
    contractions,
    decompositions,
    elementwise,
    fft,
    indexing,
    linalg,
    matrices,
    methods,
    norms,
    reductions,
    shapes,
    singular,
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
    "matrices",
    "methods",
    "norms",
    "reductions",
    "shapes",
    "singular",
    "sorting",
]
