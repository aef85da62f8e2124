"""How an array that was not made for it comes to be written to: ``y = 2.0 * t; y[0] = 1.0``.

When an argument or the result of an operation is first written to, it becomes an array as
``funcgrad.rules.writable`` has it, holding what it was: the same object, so that every name of it
sees what is written. All that shares its memory in NumPy becomes one with it. A view has noted
where it came from, and an array which views of it live (``core.seen``).
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core import FUNCTIONS, WRITING, Tracer, frozen, raw
from .order import is_batched, unlike_c
from .writable import Buffer, View


def is_scalar(t: Tracer) -> bool:
    """Whether ``t`` is a number, and no array of no dimensions, so that it cannot be written to."""
    if t.owner.writable or t.shape:
        return False
    plain = raw(t)
    if not isinstance(plain, np.ndarray) or plain.ndim == 0:
        return not isinstance(plain, np.ndarray)
    # Of many examples: views of arrays are arrays, but for an index without an ellipsis.
    if t.origin is None:
        return True
    base, _, keywords = t.origin
    if "at" not in keywords:
        return is_scalar(base)
    at = keywords["at"]
    return not (isinstance(at, tuple) and any(part is Ellipsis for part in at))


def write(z: Tracer, at: Any, v: Any, written: str = "z[i] = v", fresh: bool = False) -> None:
    """``z[at] = v``, which errors call ``written``. Nobody else has a name for a ``fresh`` v."""
    with WRITING:
        opened(z, written).write(at, v, written, fresh)


FUNCTIONS[operator.setitem] = write


def opened(t: Tracer, written: str) -> Buffer:
    """What the array ``t`` holds, which from now on is written to."""
    while not t.owner.writable:
        if is_scalar(t):
            raise TypeError(
                f"{written} cannot change a number ({t.owner.label}). Write z = np.copy(z) for an "
                f"array of no dimensions that is written to."
            )
        root = t
        while root.origin is not None and not is_scalar(root.origin[0]):
            root = root.origin[0]
        _open(root)
    return t.owner  # type: ignore[return-value]


def _open(root: Tracer) -> None:
    """Make arrays to write to of ``root`` and of all its views."""
    layout = unlike_c(root, root.shape)
    if layout is not None and not layout.flags.writeable:
        layout = np.empty_like(layout)
    buffer: Any = Buffer(frozen(root), layout)
    buffer.ordered = layout is None or not is_batched(root)
    _become(root, buffer)
    rest = [root]
    while rest:
        base = rest.pop()
        buffer = base.owner
        for ref in base.views or ():
            view = ref()
            if view is None:
                continue
            _, function, keywords = view.origin  # type: ignore[misc]
            view.origin = None
            layout, is_view = buffer.outline(function, keywords)
            if is_view:
                _become(view, View(buffer, function, keywords, layout, frozen(view)))
                rest.append(view)
        base.views = None


def _become(t: Tracer, buffer: Buffer) -> None:
    t.owner = buffer
    del t.value
