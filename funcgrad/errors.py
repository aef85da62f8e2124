"""The errors that funcgrad raises where NumPy has none of its own.

Each is also one of Python's built-in kinds, so ``except TypeError`` goes on working.
"""

from __future__ import annotations

import linecache
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np


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


_NOT_THE_USERS = (str(Path(__file__).parent), str(Path(np.__file__).parent))


def assignment() -> str:
    """Where the user's code is, if that line assigns to elements of an array; otherwise empty."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        frame = frame.f_back
    if frame is None:
        return ""
    name, number = frame.f_code.co_filename, frame.f_lineno
    line = linecache.getline(name, number).strip()
    is_write = re.search(r"\]\s*([-+*/%@]|//|\*\*)?=[^=]", line)
    converts = re.search(r"\b(float|array|asarray|math\.\w+)\(", line)
    return f" at {Path(name).name}:{number}, {line}," if is_write and not converts else ""
