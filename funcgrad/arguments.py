"""The arguments of one call of a transformed function, some of which are differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .core import Tracer, frozen
from .pull import Like
from .trace import Trace
from .transform import Argnums, check_input, described, resolve_argnums, run


class Arguments:
    """The arguments of a call; ``leaves`` are those of the differentiated ones, all checked."""

    def __init__(
        self,
        trace: Trace,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Argnums,
        allow_int: bool | None = None,
    ) -> None:
        self.trace = trace
        self.args = args
        self.kwargs = kwargs
        self.positions, self.single = resolve_argnums(argnums, len(args), trace)
        differentiated = [args[i] for i in self.positions]
        self.leaves, self.structure = tree.flatten(
            differentiated[0] if self.single else differentiated
        )
        for i, leaf in enumerate(self.leaves):
            if type(leaf) is not np.ndarray or leaf.dtype.kind != "f":
                check_input(leaf, _Name(self, i), allow_int, allow_complex=True)
                self.leaves[i] = frozen(leaf)

    def check_holomorphic(self, holomorphic: bool) -> None:
        """Raise unless all leaves are complex, or without ``holomorphic`` all are real."""
        for i, leaf in enumerate(self.leaves):
            if (Like(leaf).dtype.kind == "c") != holomorphic:
                takes = "complex" if holomorphic else "real"
                instead = (
                    "Write x.astype(complex), or leave holomorphic=True out."
                    if holomorphic
                    else "Pass holomorphic=True where the function is holomorphic; otherwise take "
                    "the real and the imaginary part as two arguments, or funcgrad.jvp."
                )
                raise TypeError(
                    f"{_Name(self, i)} has {described(leaf)}, and with holomorphic={holomorphic} "
                    f"the arguments must be {takes}. {instead}"
                )

    def filled(self, inputs: Sequence[Any]) -> list[Any]:
        """All arguments, with ``inputs`` in place of the differentiated leaves."""
        changed = list(self.args)
        born = tree.unflatten(self.structure, inputs)
        for position, argument in zip(self.positions, [born] if self.single else born):
            changed[position] = argument
        return changed

    def run(self, trace: Trace, f: Callable[..., Any], inputs: Sequence[Any]) -> Any:
        """``f`` on the filled arguments, after which ``trace`` is closed."""
        return run(trace, f, self.filled(inputs), self.kwargs)

    def like(self, leaves: Sequence[Any]) -> Any:
        """``leaves`` in the form of the differentiated argument, or of a tuple of them."""
        whole = tree.unflatten(self.structure, leaves)
        return whole if self.single else tuple(whole)

    def name(self, i: int) -> str:
        """What errors call leaf ``i``."""
        path = self.structure.paths()[i]
        position = self.positions[0]
        if not self.single:
            position, path = self.positions[path[0].key], path[1:]
        at = f", leaf {tree.keystr(path)}" if path else ""
        return f"argument {position}{at}"


class _Name:
    """The name of a leaf, made only where an error needs it."""

    def __init__(self, arguments: Arguments, i: int) -> None:
        self.arguments, self.i = arguments, i

    def __str__(self) -> str:
        return f"{self.arguments.trace.label}: {self.arguments.name(self.i)}"


def split_aux(out: Any, trace: Trace, has_aux: bool) -> tuple[Any, Any]:
    """The result of a function and its aux, None where it has none."""
    if not has_aux:
        return out, None
    if isinstance(out, tuple) and len(out) == 2:
        return out
    one = type(out) is Tracer and out.owner is trace
    raise TypeError(
        f"{trace.label}: with has_aux=True the function must return a pair (result, aux), not "
        f"{'one array' if one else type(out).__name__}."
    )
