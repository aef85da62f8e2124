"""The errors that funcgrad raises where NumPy has none of its own.

Each is also one of Python's built-in kinds, so ``except TypeError`` goes on working.
"""


class TreeError(ValueError):
    """Two pytrees do not match, or a tree is malformed."""


class LeakedTracerError(RuntimeError):
    """A traced value was used after the transform that made it had ended."""


class DerivativeLostError(TypeError):
    """An operation would have turned a traced value into a plain number and lost its derivative."""


class UnsupportedError(NotImplementedError):
    """A NumPy function, ufunc method or keyword has no derivative rule."""


class LoopWarning(UserWarning):
    """An operation has no batch rule, so that vmap runs it one example at a time."""
