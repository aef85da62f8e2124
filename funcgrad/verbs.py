"""The verbs that declare primitives, each stating a derivative once for every mode.

A rule is a small function whose *parameters are its residual list*: what it names is kept for the
backward pass, and nothing else is. The first parameter is the cotangent ``g`` (or, in a ``jvp``,
the tangent ``t``); the others are among ::

    ans                 the result
    x, y, z             the operands, in order; ys is the tuple of all but the first
    others              all operands as a tuple, with a stand-in for the one that g is for
    x_like, y_like, …   a stand-in with the operand's shape and dtype that keeps no array alive
    i                   which operand the cotangent is for, where one rule serves all of them

and any other name is a keyword of the call (``axis``, ``keepdims`` …) with the rule's own default.
So ::

    elementwise(np.tanh, lambda g, ans: g * (1.0 - ans * ans))

keeps only tanh's result, and the same line pulls a cotangent back, pushes a tangent forward and
batches. Where a verb cannot know how to batch, ``batch`` says it (see ``funcgrad.batching``);
without it vmap runs one example at a time, with a warning. Rule bodies are plain NumPy, which runs
on raw arrays at first order and traces like any other code when a derivative is differentiated
again. In them constants are Python floats (a NumPy scalar would turn float32 into float64), a mask
is ``np.where(m, g, 0.0)`` and never a product (inf · 0 is NaN), and nothing branches on a value.

A verb takes NumPy's functions, which traced values then find, and functions of one's own or of a C
library, for which it returns what is called in their place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from .adapting import adapter, parameters_of
from .batching import BatchRule, aligned, looped, over
from .core import (
    FUNCTIONS,
    OPERATORS,
    UFUNCS,
    Primitive,
    bind,
    function_name,
    holds_tracer,
    operand,
    strip,
)
from .errors import DerivativeLostError
from .pull import Pull, Rule, signature
from .trace import WEAK

#: Every primitive of NumPy's and funcgrad's functions by name. The test table has a row for each.
PRIMITIVES: dict[str, Primitive] = {}


def _declare(
    function: Any,
    pulls: Any,
    pushes: Any,
    *,
    batch: BatchRule,
    symbol: Any = None,
    accepts: Sequence[str] = (),
    operands: int | None = None,
    names: str | None = None,
    dispatches: bool = False,
) -> Primitive:
    """Make the primitive of ``function`` and let NumPy calls and operators reach it.

    ``dispatches``: the function, not being NumPy's, yet reaches this primitive again on tracers.
    """
    module = getattr(function, "__module__", None) or ""
    by_objects = isinstance(function, np.ufunc) and set("".join(function.types)) <= set("O->")
    is_numpys = (isinstance(function, np.ufunc) and not by_objects) or (
        module.startswith("numpy") and not isinstance(function, np.vectorize | np.ufunc)
    )
    if not is_numpys and module.partition(".")[0] != "funcgrad":
        declared = Declared(function, pulls, pushes, batch, accepts, operands, names, by_objects)
        if by_objects:
            UFUNCS[function] = declared
        return declared
    dispatches = dispatches or is_numpys
    primitive = Primitive(_primitive_name(function), function, pulls, pushes, batch, dispatches)
    PRIMITIVES[primitive.name] = primitive
    if isinstance(function, np.ufunc):
        UFUNCS[function] = primitive
    elif is_numpys:
        count = operands or (len(pulls) if isinstance(pulls, list) else 1)
        keywords = _keywords(pulls).union(accepts)
        _complete(primitive, parameters_of(function, names), count)
        FUNCTIONS[function] = adapter(function, primitive, count, keywords, names)
    if symbol is not None:
        # Operators compute on raw operands as Python does: on NumPy scalars that is ten times as
        # fast, and a Python float stays weak where a ufunc would make it a strong float64.
        operator, impl = symbol if isinstance(symbol, tuple) else (symbol, symbol)
        impl = function if dispatches and not is_numpys else impl
        OPERATORS[operator] = Primitive(primitive.name, impl, pulls, pushes, batch, True)
    return primitive


def _rule(rule: Rule, elementwise: bool = False, broadcasts: bool = False) -> Pull:
    if not hasattr(rule, "__code__"):
        raise TypeError(
            f"a rule is a Python function, whose parameters say what it takes, and got {rule!r}. "
            f"Write lambda g, x: …"
        )
    return Pull(rule, elementwise, broadcasts)


def _keywords(pulls: Any) -> frozenset[str]:
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
        name = getattr(function, "__name__", type(function).__name__).removesuffix(" (vectorized)")

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
        count = operands or (len(pulls) if isinstance(pulls, list) else 1)
        try:
            parameters = parameters_of(function, names)
        except ValueError:  # as for many functions written in C
            parameters = {f"x{i}": inspect.Parameter.empty for i in range(count)}
        _complete(self, parameters, count)
        by_place = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(p, by_place) for p in parameters])
        if isinstance(pulls, Pull):
            self.adapted = lambda *args, **kw: bind(self, tuple(map(operand, args)), kw)
        else:
            self.adapted = adapter(
                impl,
                lambda *args, **keywords: bind(self, args, keywords),
                count,
                _keywords(pulls).union(accepts),
                parameters,
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not holds_tracer([args, *kwargs.values()]):
            return self.impl(*map(operand, args), **kwargs)
        return self.adapted(*args, **kwargs)


def _complete(primitive: Primitive, parameters: dict[str, Any], count: int) -> None:
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
    return found[()] if found.ndim == 0 else found


def _primitive_name(function: Any) -> str:
    return function_name(function).removeprefix("np.").rpartition("funcgrad.")[2].split("._")[-1]


def elementwise(
    function: Any, *rules: Rule | None, jvp: Rule | None = None, symbol: Any = None
) -> Primitive:
    """Declare an operation whose Jacobian is diagonal: one rule an operand, None for zero.

    ``jvp`` is for a function of one complex operand that is not holomorphic.
    """
    pulls = [rule and _rule(rule, elementwise=True) for rule in rules]
    pushes = pulls if jvp is None else [_rule(jvp, elementwise=True)]
    return _declare(function, pulls, pushes, batch=aligned, symbol=symbol)


def linear(
    function: Any,
    transpose: Rule,
    *,
    batch: BatchRule = looped,
    variadic: bool = False,
    accepts: Sequence[str] = (),
    names: str | None = None,
) -> Primitive:
    """Declare an operation linear in its operands; ``transpose`` pulls a cotangent back to them."""
    pull = _rule(transpose)
    pulls = pull if variadic else [pull]
    return _declare(function, pulls, "linear", batch=batch, accepts=accepts, names=names)


def bilinear(
    function: Any, lhs: Rule, rhs: Rule, *, batch: BatchRule = looped, symbol: Any = None
) -> Primitive:
    """Declare a product: linear in each of two operands while the other stands still."""
    pulls = [_rule(lhs, broadcasts=True), _rule(rhs, broadcasts=True)]
    return _declare(function, pulls, "multilinear", batch=batch, symbol=symbol)


def multilinear(function: Any, transpose: Rule, *, batch: BatchRule = looped) -> Primitive:
    """Declare a product of any number of operands; ``transpose`` serves operand ``i``."""
    return _declare(function, _rule(transpose), "multilinear", batch=batch)


def reduction(function: Any, partial: Rule, *, accepts: Sequence[str] = ()) -> Primitive:
    """Declare a function over axes by its partial derivatives ∂ans/∂x, an array of x's shape.

    In ``partial``, ``ans`` keeps the reduced axes, whatever the call said.
    """
    with_ans = "ans" in dict(signature(partial))
    where_ans = [name for name, _ in signature(partial)].index("ans") if with_ans else -1

    def pull(g: Any, x_like: Any, axis: Any = None, keepdims: bool = False, *residuals: Any) -> Any:
        return expand(g, x_like.ndim, axis, keepdims) * weights(x_like, axis, keepdims, residuals)

    def push(t: Any, x_like: Any, axis: Any = None, keepdims: bool = False, *residuals: Any) -> Any:
        weighted = t * weights(x_like, axis, keepdims, residuals)
        return np.sum(weighted, axis=axis, keepdims=keepdims)

    def weights(x_like: Any, axis: Any, keepdims: bool, residuals: tuple[Any, ...]) -> Any:
        if not with_ans:
            return partial(*residuals)
        ans = expand(residuals[where_ans], x_like.ndim, axis, keepdims)
        return partial(*residuals[:where_ans], ans, *residuals[where_ans + 1 :])

    pulls, pushes = [Pull(pull, also=partial)], [Pull(push, also=partial)]
    return _declare(function, pulls, pushes, batch=over(), accepts=accepts)


def expand(g: Any, ndim: int, axis: Any, keepdims: bool) -> Any:
    """``g`` with the axes that a reduction of an array of ``ndim`` dimensions took away, as 1."""
    if keepdims or axis is None or ndim == 0:
        return g
    return np.expand_dims(g, axis)


def constant(
    function: Any,
    operands: int = 1,
    *,
    batch: BatchRule = aligned,
    symbol: Any = None,
    accepts: Sequence[str] = (),
) -> Primitive:
    """Declare an operation whose derivative is zero: what it gives, grad and jvp do not follow."""
    return _declare(
        function, None, None, batch=batch, symbol=symbol, accepts=accepts, operands=operands
    )


def rule(
    function: Any,
    vjp: Rule | Sequence[Rule | None],
    jvp: Rule | Sequence[Rule | None],
    *,
    batch: BatchRule = looped,
    symbol: Any = None,
    accepts: Sequence[str] = (),
    dispatches: bool = False,
) -> Primitive:
    """Declare an operation by its two derivatives, one rule an operand each."""
    pulls = [r and _rule(r) for r in ([vjp] if callable(vjp) else vjp)]
    pushes = [r and _rule(r) for r in ([jvp] if callable(jvp) else jvp)]
    return _declare(
        function,
        pulls,
        pushes,
        batch=batch,
        symbol=symbol,
        accepts=accepts,
        dispatches=dispatches,
    )


def composite(
    function: Any,
    operands: int = 1,
    names: str | None = None,
    sequence: bool = False,
    traced: Sequence[str] = (),
) -> Callable[[Rule], Rule]:
    """Declare that a NumPy function is the decorated code over other functions.

    Its parameters after the first ``operands`` are the keywords it takes, those in ``traced``
    operands too. ``sequence``: its operand is a sequence of arrays, some of which may be traced.
    """

    def declare(body: Rule) -> Rule:
        keywords = frozenset(list(inspect.signature(body).parameters)[operands:])
        FUNCTIONS[function] = adapter(function, body, operands, keywords, names, sequence, traced)
        return body

    return declare


def dispatched(function: Any) -> Callable[[Rule], Rule]:
    """Declare that the decorated code, which takes what the NumPy function takes, runs instead."""

    def declare(body: Rule) -> Rule:
        FUNCTIONS[function] = body
        return body

    return declare


def refuse(function: Any, instead: str) -> None:
    """Declare that a NumPy function would write traced values into a plain array."""

    def refused(*args: Any, **kwargs: Any) -> NoReturn:
        raise DerivativeLostError(
            f"{function_name(function)} would write a traced value into a plain array and lose "
            f"its derivative. Write {instead}, or funcgrad.value(t) for the plain number."
        )

    FUNCTIONS[function] = refused


def query(function: Any) -> None:
    """Declare a question about shapes or dtypes, answered from the tracer and never recorded."""

    def answer(*args: Any, **kwargs: Any) -> Any:
        return function(*strip(args), **strip(kwargs))

    FUNCTIONS[function] = answer
