"""The run of a transform, as tracers see it: what becomes of operations, questions and writes.

Each trace has a *birth* number, from one counter. Nothing is global besides, so threads cannot
disturb each other and an exception leaves nothing to undo.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NoReturn

from .errors import DerivativeLostError, LeakedTracerError, blamed

births = itertools.count(1)

#: Python's own numbers, whose dtype gives way to that of whatever they meet.
WEAK = {float, int, bool, complex}


def name_of(f: Any) -> str:
    """What errors call a function."""
    return getattr(f, "__name__", type(f).__name__)


class Trace:
    """One run of one transform. A transform is a subclass with its own ``process``."""

    transform = "trace"
    #: Whether its tracers are arrays that are written to: see ``funcgrad.rules.writable``.
    writable = False

    def __init__(self, f: Callable[..., Any]) -> None:
        self.birth = next(births)
        self.f = f

    def process(self, primitive: Any, operands: tuple[Any, ...], keywords: dict) -> Any:
        """Evaluate one primitive, at least one of whose operands is a tracer of this trace."""
        raise NotImplementedError

    def joint(self, primitive: Any, operands: tuple[Any, ...], keywords: dict) -> Any:
        """Evaluate a primitive of ``funcgrad.joint``, as any other where nothing else is said."""
        return self.process(primitive, operands, keywords)

    def close(self) -> None:
        """Refuse every later use of this trace's tracers."""
        # Instance attributes hide the methods, so that a live trace pays for no check.
        self.process = self.joint = _leaked  # type: ignore[method-assign]
        self.look = self.lose = _looked_at_late  # type: ignore[method-assign, assignment]

    @property
    def label(self) -> str:
        """What errors call this run."""
        return f"{self.transform} of {name_of(self.f)}"

    @property
    def closed(self) -> bool:
        return self.process is _leaked

    def shape(self, tracer: Any) -> tuple[int, ...]:
        """The shape that the user's function sees."""
        return () if type(tracer.value) in WEAK else tracer.value.shape

    def format(self, tracer: Any, spec: str) -> str:
        """What an f-string shows of ``tracer``."""
        return format(tracer.value, spec)

    def look(self, tracer: Any, convert: Callable[[Any], Any], what: str) -> Any:
        """``convert`` of the value of ``tracer``, which has no derivative to lose."""
        return convert(tracer.value)

    def duplicated(self, tracer: Any) -> Any:
        """What copy.copy makes: the same value, cut off from whatever is written to ``tracer``."""
        return type(tracer)(self, tracer.value, tracer.node)

    def share(self, tracer: Any) -> None:
        """Note that what was asked for is ``tracer`` itself as a plain array, and not a copy."""

    def lose(self, tracer: Any, convert: Callable[[Any], Any], what: str, instead: str) -> Any:
        """``convert`` of the value of ``tracer``, whose derivative that loses: refused."""
        where, remedy = blamed()
        raise DerivativeLostError(
            f"{what}{where} would turn a traced value of shape {tracer.shape} and dtype "
            f"{tracer.dtype} into a plain number and lose its derivative ({self.label}). Write "
            f"{remedy or instead}, or funcgrad.value(t) where the plain number is meant."
        )


def _leaked(primitive: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> NoReturn:
    raise leak(primitive.name, next(t for t in operands if _is_late(t)))


def _is_late(t: Any) -> bool:
    owner = getattr(t, "owner", None)
    return isinstance(owner, Trace) and owner.closed


def _looked_at_late(tracer: Any, *question: Any) -> NoReturn:
    raise leak("a question about a value", tracer)


def leak(user: str, t: Any) -> LeakedTracerError:
    """The error for a tracer of an ended transform that ``user`` came upon."""
    return LeakedTracerError(
        f"{user} got a traced value of shape {t.shape} and dtype {t.dtype} that belongs to "
        f"{t.owner.label}, which has ended. Return the value from the function (has_aux=True "
        f"carries extra results), or keep value(t), the plain number."
    )
