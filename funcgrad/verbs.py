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

    elementwise(np.exp, lambda g, ans: g * ans)

keeps only exp's result, and the same line pulls a cotangent back, pushes a tangent forward and
batches. Where a verb cannot know how to batch, ``batch`` says it (see ``funcgrad.batching``);
without it vmap runs one example at a time, with a warning. Rule bodies are plain NumPy, which runs
on raw arrays at first order and traces like any other code when a derivative is differentiated
again. In them constants are Python floats (a NumPy scalar would turn float32 into float64), a mask
is ``np.where(m, g, 0.0)`` and never a product (inf · 0 is NaN), and nothing branches on a value.

A verb takes NumPy's functions, which traced values then find, and functions of one's own or of a C
library, for which it returns what is called in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .adapting import adapter, parameters_of
from .batching import BatchRule, aligned, looped, over
from .core import (
    FUNCTIONS,
    OPERATORS,
    UFUNCS,
    Primitive,
    function_name,
    strip,
)
from .declared import Declared, complete, keywords_of
from .pull import Pull, Rule, signature
from .views import apart

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
    view: bool = False,
) -> Primitive:
    """Make the primitive of ``function`` and let NumPy calls and operators reach it.

    ``dispatches``: the function, not being NumPy's, yet reaches this primitive again on tracers.
    ``view``: NumPy's result shares the memory of the operand, if it can.
    """
    module = getattr(function, "__module__", None) or ""
    if isinstance(function, np.ufunc) and isinstance(pulls, list) and len(pulls) != function.nin:
        raise TypeError(
            f"{function.__name__} takes {function.nin} operands, and has rules for {len(pulls)}. "
            f"Give one rule for each, and None where the derivative is zero."
        )
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
    name = _primitive_name(function)
    primitive = Primitive(name, function, pulls, pushes, batch, dispatches, view)
    PRIMITIVES[name] = primitive
    if isinstance(function, np.ufunc):
        UFUNCS[function] = primitive
    elif is_numpys:
        count = operands or (len(pulls) if isinstance(pulls, list) else 1)
        keywords = keywords_of(pulls).union(accepts)
        complete(primitive, parameters_of(function, names), count)
        FUNCTIONS[function] = adapter(function, primitive, count, keywords, names)
    if symbol is not None:
        # Operators compute on raw operands as Python does: on NumPy scalars that is ten times as
        # fast, and a Python float stays weak where a ufunc would make it a strong float64.
        operator, impl = symbol if isinstance(symbol, tuple) else (symbol, symbol)
        impl = function if dispatches and not is_numpys else impl
        OPERATORS[operator] = Primitive(name, impl, pulls, pushes, batch, True, view)
    return primitive


def _rule(rule: Rule, kind: str = "", broadcasts: bool = False) -> Pull:
    if not hasattr(rule, "__code__"):
        raise TypeError(
            f"a rule is a Python function, whose parameters say what it takes, and got {rule!r}. "
            f"Write lambda g, x: …"
        )
    return Pull(rule, kind, broadcasts)


def _primitive_name(function: Any) -> str:
    return function_name(function).removeprefix("np.").rpartition("funcgrad.")[2].split("._")[-1]


def elementwise(
    function: Any, *rules: Rule | None, jvp: Rule | None = None, symbol: Any = None
) -> Primitive:
    """Declare an operation whose Jacobian is diagonal: one rule an operand, None for zero.

    ``jvp`` is for a function of one complex operand that is not holomorphic.

    >>> import math, funcgrad as fg
    >>> erf = elementwise(np.frompyfunc(math.erf, 1, 1),
    ...                   lambda g, x: g * (2.0 / math.sqrt(math.pi)) * np.exp(-x * x))
    >>> round(float(fg.grad(erf)(0.0)), 6)
    1.128379
    """
    pulls = [rule and _rule(rule, "elementwise") for rule in rules]
    pushes = pulls if jvp is None else [_rule(jvp, "elementwise")]
    return _declare(function, pulls, pushes, batch=aligned, symbol=symbol)


def linear(
    function: Any,
    transpose: Rule,
    *,
    batch: BatchRule = looped,
    variadic: bool = False,
    accepts: Sequence[str] = (),
    names: str | None = None,
    view: bool = False,
) -> Primitive:
    """Declare an operation linear in its operands; ``transpose`` pulls a cotangent back to them.
    A ``view`` only rearranges elements, and its result shares the memory of the operand.

    >>> import funcgrad as fg
    >>> backwards = linear(lambda x: x[::-1], lambda g: g[::-1])
    >>> fg.grad(lambda x: x @ backwards(x))(np.array([1.0, 2.0])).tolist()
    [4.0, 2.0]
    """
    pull = _rule(transpose)
    pulls = pull if variadic else [pull]
    return _declare(function, pulls, "linear", batch=batch, accepts=accepts, names=names, view=view)


def bilinear(
    function: Any, lhs: Rule, rhs: Rule, *, batch: BatchRule = looped, symbol: Any = None,
    kind: str = "product",
) -> Primitive:  # fmt: skip
    """Declare a product: linear in each of two operands while the other stands still.

    ``kind="matrices"`` is for one whose cotangents are products of matrices in the last two axes
    wherever the operand has two; see ``funcgrad.zeros``.

    >>> import funcgrad as fg
    >>> area = bilinear(lambda x, y: x * y, lambda g, y: g * y, lambda g, x: g * x)
    >>> [float(d) for d in fg.grad(area, (0, 1))(2.0, 3.0)]
    [3.0, 2.0]
    """
    pulls = [_rule(r, kind, broadcasts=True) for r in (lhs, rhs)]
    return _declare(function, pulls, "multilinear", batch=batch, symbol=symbol)


def multilinear(function: Any, transpose: Rule, *, batch: BatchRule = looped) -> Primitive:
    """Declare a product of any number of operands; ``transpose`` serves operand ``i``.

    >>> import funcgrad as fg
    >>> volume = multilinear(lambda *xs: np.prod(xs), lambda g, i, others: g * np.prod(
    ...     np.stack([x for k, x in enumerate(others) if k != i])))
    >>> [float(d) for d in fg.grad(volume, (0, 1, 2))(2.0, 3.0, 5.0)]
    [15.0, 10.0, 6.0]
    """
    return _declare(function, _rule(transpose, "product"), "multilinear", batch=batch)


def reduction(function: Any, partial: Rule, *, accepts: Sequence[str] = ()) -> Primitive:
    """Declare a function over axes by its partial derivatives ∂ans/∂x, an array of x's shape.

    In ``partial``, ``ans`` keeps the reduced axes, whatever the call said.

    >>> import funcgrad as fg
    >>> def length(x, axis=None, keepdims=False):
    ...     return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))
    >>> norm = reduction(length, lambda ans, x: x / ans)
    >>> fg.grad(norm)(np.array([3.0, 4.0])).tolist()
    [0.6, 0.8]
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

    pulls, pushes = [[Pull(r, "rows", also=partial)] for r in (pull, push)]
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
    """Declare an operation whose derivative is zero: what it gives, grad and jvp do not follow.

    >>> import funcgrad as fg
    >>> thousands = constant(lambda x: np.floor(x / 1000.0))
    >>> float(fg.grad(lambda x: x * thousands(x))(2500.0))
    2.0
    """
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
    view: bool = False,
    kind: str = "",
) -> Primitive:
    """Declare an operation by its two derivatives, one rule an operand each.

    ``kind`` says what zeros in a cotangent annihilate (see ``funcgrad.zeros``).

    >>> import funcgrad as fg
    >>> share = rule(lambda x: x / np.sum(x),
    ...              lambda g, ans, x: (g - np.sum(g * ans)) / np.sum(x),
    ...              lambda t, ans, x: (t - ans * np.sum(t)) / np.sum(x))
    >>> fg.jacrev(share)(np.array([1.0, 3.0])).tolist()
    [[0.1875, -0.0625], [-0.1875, 0.0625]]
    """
    pulls = [r and _rule(r, kind) for r in ([vjp] if callable(vjp) else vjp)]
    pushes = [r and _rule(r, kind) for r in ([jvp] if callable(jvp) else jvp)]
    return _declare(
        function,
        pulls,
        pushes,
        batch=batch,
        symbol=symbol,
        accepts=accepts,
        dispatches=dispatches,
        view=view,
    )


def composite(
    function: Any,
    operands: int = 1,
    names: str | None = None,
    sequence: bool = False,
    traced: Sequence[str] = (),
    view: bool = False,
) -> Callable[[Rule], Rule]:
    """Declare that a NumPy function is the decorated code over other functions.

    Its parameters after the first ``operands`` are the keywords it takes, those in ``traced``
    operands too. ``sequence``: its operand is a sequence of arrays, some of which may be traced.
    ``view``: NumPy's result may share the memory of an operand.

    >>> import funcgrad as fg
    >>> @composite(np.ptp)
    ... def ptp(a, axis=None, keepdims=False):
    ...     return np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims)
    >>> fg.grad(np.ptp)(np.array([1.0, 4.0, 2.0])).tolist()
    [-1.0, 1.0, 0.0]
    """

    def declare(body: Rule) -> Rule:
        keywords = frozenset(list(parameters_of(body, None))[operands:])

        def fresh(*args: Any, **kwargs: Any) -> Any:
            return apart(body(*args, **kwargs))

        run = body if view else fresh
        FUNCTIONS[function] = adapter(function, run, operands, keywords, names, sequence, traced)
        return body

    return declare


def dispatched(function: Any) -> Callable[[Rule], Rule]:
    """Declare that the decorated code, which takes what the NumPy function takes, runs instead."""

    def declare(body: Rule) -> Rule:
        FUNCTIONS[function] = body
        return body

    return declare


def query(function: Any) -> None:
    """Declare a question about shapes or dtypes, answered from the tracer and never recorded."""

    def answer(*args: Any, **kwargs: Any) -> Any:
        return function(*strip(args), **strip(kwargs))

    FUNCTIONS[function] = answer
