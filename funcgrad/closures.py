"""The traced values that functions take from their surroundings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from . import tree
from .core import OPERANDS, Tracer, is_written


def traced_in(*roots: Any) -> list[Tracer]:
    """The traced values that pytrees hold, at every level, those that functions in them close over
    included."""
    found: list[Tracer] = []
    seen: set[int] = set()
    rest = list(roots)
    while rest:
        item = rest.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if type(item) is Tracer:
            found.append(item)
            rest += [item.value, item.node]
        elif isinstance(item, functools.partial):
            rest += [item.func, item.args, item.keywords]
        elif inspect.isfunction(item):
            rest += map(_contents, item.__closure__ or ())
        elif type(item) not in OPERANDS:
            leaves = tree.leaves(item)
            rest += leaves if not (len(leaves) == 1 and leaves[0] is item) else []
    return found


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it has none yet
        return None


@contextmanager
def untouched(label: str, *functions: Callable[..., Any]) -> Iterator[None]:
    """Refuse that ``functions`` write to what they close over, as some examples only would."""
    before = [(t, *_state(t)) for t in traced_in(*functions)]
    yield
    if any(_state(t) != (owner, version) for t, owner, version in before):
        raise TypeError(
            f"{label}: a function wrote to an array from its surroundings, which under vmap would "
            f"change it for all examples, and is meant for some. Pass the array as an operand, and "
            f"return what becomes of it."
        )


def _state(t: Tracer) -> tuple[Any, int]:
    """What changes when ``t`` is written to."""
    return t.owner, t.owner.root.version if is_written(t) else 0  # type: ignore[attr-defined]
