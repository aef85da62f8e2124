"""Results that share no memory with anything, and arguments that are not to be changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core import Tracer, frozen, is_written, read_only


def unchanged(t: Any) -> Any:
    """``t`` for a function that must not change it: an array as a read-only view."""
    t = frozen(t)
    return read_only(t) if type(t) is np.ndarray else t


def copied(t: Any) -> Any:
    """A copy of the array ``t`` as it is now: one that is written to, if ``t`` is."""
    return np.copy(t) if is_written(t) else frozen(t)


def own(t: Any) -> Any:
    """The same, of a plain array too: code for JAX says ``carry += x`` and means a new one."""
    return np.copy(t) if isinstance(t, np.ndarray) else copied(t)


def apart(t: Any) -> Any:
    """A result, or a list or tuple of them, that is a view of nothing."""
    if type(t) is list or type(t) is tuple:
        return type(t)(map(apart, t))
    if type(t) is not Tracer:
        return t.copy(order="K") if type(t) is np.ndarray and t.base is not None else t
    if t.owner.writable:
        is_whole = t.owner.root is t.owner  # type: ignore[attr-defined]
        return t if is_whole else t.owner.duplicated(t)
    return t if t.origin is None else frozen(t)
