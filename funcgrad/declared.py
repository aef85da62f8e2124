"""Primitives of functions that NumPy knows nothing of, and what every rule may name."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from .adapting import adapter, parameters_of
from .batching import BatchRule
from .core import Primitive, bind, holds_tracer, operand
from .pull import Pull
from .trace import WEAK, name_of


def keywords_of(pulls: Any) -> frozenset[str]:
    """The keywords that the rules of a primitive name."""
    return frozenset(
        key for p in _compiled(pulls) for kind, key, _ in p.sources if kind == "keyword"
    )


def _compiled(pulls: Any) -> list[Pull]:
    return [pulls] if isinstance(pulls, Pull) else [p for p in pulls or () if p]


class Declared(Primitive):
    """A primitive of a function that NumPy knows nothing of: what is called is this."""

    __slots__ = ("__name__", "__signature__", "adapted")

    def __init__(
        self,
        function: Any,
        pulls: Any,
        pushes: Any,
        batch: BatchRule,
        accepts: Sequence[str],
        operands: int | None,
        names: str | None,
        by_objects: bool,
    ) -> None:
        name = name_of(function).removesuffix(" (vectorized)")

        def impl(*operands: Any, **keywords: Any) -> Any:
            ans = function(*operands, **keywords)
            if by_objects or not (type(ans) in WEAK or isinstance(ans, np.ndarray | np.generic)):
                return _numbers(ans, operands)
            return ans

        impl.__name__ = name
        impl.__module__ = getattr(function, "__module__", None) or "numpy"
        super().__init__(name, impl, pulls, pushes, batch, dispatches=False)
        self.__name__ = name
        if isinstance(pulls, list) and not pulls:
            raise TypeError(f"{name}: give one rule for each operand, or declare it a constant.")
        by_rules = len(pulls) if isinstance(pulls, list) else operands or 1
        count = function.nin if isinstance(function, np.ufunc) else by_rules
        try:
            parameters = parameters_of(function, names)
        except ValueError:  # as for many functions written in C
            parameters = {f"x{i}": inspect.Parameter.empty for i in range(count)}
        complete(self, parameters, count)
        by_place = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(p, by_place) for p in parameters])
        if isinstance(pulls, Pull):
            self.adapted = lambda *args, **kw: bind(self, tuple(map(operand, args)), kw)
        else:
            self.adapted = adapter(
                impl,
                lambda *args, **keywords: bind(self, args, keywords),
                count,
                keywords_of(pulls).union(accepts),
                parameters,
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not holds_tracer([args, *kwargs.values()]):
            return self.impl(*map(operand, args), **kwargs)
        return self.adapted(*args, **kwargs)


def complete(primitive: Primitive, parameters: dict[str, Any], count: int) -> None:
    """Raise unless every rule names what a call has, and give its keywords the call's defaults."""
    pushes = primitive.pushes if isinstance(primitive.pushes, list) else []
    for pull in [*_compiled(primitive.pulls), *_compiled(pushes)]:
        sources = []
        for kind, key, default in pull.sources:
            if kind == "keyword" and key not in parameters and default is ...:
                raise TypeError(
                    f"{primitive.name}: its rule takes {key!r}, which is no parameter of the "
                    f"function ({', '.join(parameters)}). Beside g, a rule takes ans, the operands "
                    f"as x, y, z, and keywords by their own names."
                )
            if kind in ("operand", "like") and key >= count and isinstance(primitive.pulls, list):
                raise TypeError(
                    f"{primitive.name}: its rule takes {'xyz'[key]!r}, operand {key}, and it is "
                    f"declared with rules for {count}."
                )
            if kind == "keyword" and default is ...:
                default = parameters[key]
            sources.append((kind, key, default))
        pull.sources = tuple(sources)


def _numbers(ans: Any, operands: Sequence[Any]) -> Any:
    """A result that is made of Python's objects, in the precision of the operands."""
    found = np.asarray(ans)
    if found.dtype.kind == "O":
        dtype = np.result_type(*operands)
        found = found.astype(dtype if dtype.kind in "fc" else float)
    elif type(ans) in WEAK:
        found = np.asarray(ans, np.result_type(*operands, ans))
    return found[()] if found.ndim == 0 else found
