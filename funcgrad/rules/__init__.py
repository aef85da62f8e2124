"""The derivative rules, one file a family of NumPy functions. Importing it declares them all."""

from . import constants, contractions, elementwise, indexing, reductions, shapes

__all__ = ["constants", "contractions", "elementwise", "indexing", "reductions", "shapes"]
