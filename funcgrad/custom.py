"""Derivative rules of one's own: ``custom_vjp`` and ``custom_jvp``.

A call of a function with a rule is one ``Joint`` primitive, whose operands are the leaves of the
arguments. At first order its bodies run on plain arrays, so they may call NumPy, SciPy or C; what
is differentiated further must be NumPy code. Where only one direction is given, the other is its
transpose: a rule is linear in the cotangent or tangent that it takes.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .calls import Call, batches, halves, kept, zero_like
from .core import raw, youngest
from .joint import Joint, float_places, replaced
from .pull import Like
from .reverse import vjp
from .trace import name_of
from .transform import check_function
from .views import unchanged

_POSITIONAL = inspect.Signature([inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)])


class _Custom:
    """A function whose derivative its author states."""

    def __init__(
        self,
        f: Callable[..., Any],
        nondiff_argnums: int | Sequence[int] = (),
        vectorized: bool = False,
    ) -> None:
        check_function(type(self).__name__, f, f"{type(self).__name__}(f)")
        functools.update_wrapper(self, f)
        self.f = f
        self.vectorized = vectorized
        self.name = name_of(f)
        self.label = f"{type(self).__name__} {self.name}"
        several = isinstance(nondiff_argnums, Sequence)
        try:
            numbers = nondiff_argnums if several else [nondiff_argnums]
            self.nondiff_argnums = [operator.index(i) for i in numbers]  # type: ignore
        except TypeError:
            raise TypeError(
                f"{self.label}: nondiff_argnums is an int or a tuple of ints, and got "
                f"{nondiff_argnums!r}."
            ) from None
        try:
            self.signature = _POSITIONAL if isinstance(f, np.ufunc) else inspect.signature(f)
        except ValueError:  # as for many functions written in C
            self.signature = _POSITIONAL

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if youngest(tree.leaves((args, kwargs))) is None:
            return self.f(*args, **kwargs)
        call = Call(self, args, kwargs)
        operands, call.operands = call.operands, []
        outs = self.primitive(call)(*operands)
        return tree.unflatten(call.form, outs)

    def primitive(self, call: Call) -> Joint:
        raise NotImplementedError


class custom_vjp(_Custom):
    """A function with a pullback of its own.

    ``f.defvjp(fwd, bwd)`` gives it: ``fwd(*args)`` returns ``(f's result, residuals)``, where the
    residuals are any pytree, and ``bwd(residuals, cotangent)`` a tuple with a cotangent for each
    argument, a pytree like it or None for zero. Arguments that ``nondiff_argnums`` names are handed
    to ``bwd`` first. Forward mode transposes ``bwd``, which then must be NumPy code. Under vmap the
    bodies run on one example at a time, with ``vectorized=True`` on all at once, as NumPy code.

    >>> import numpy as np, funcgrad as fg
    >>> @fg.custom_vjp
    ... def clipped(x):
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1.0, 1.0),))
    >>> fg.grad(lambda x: np.sum(5.0 * clipped(x)))(np.zeros(2)).tolist()
    [1.0, 1.0]
    """

    fwd: Callable[..., Any] | None = None
    bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """State the rule: ``fwd(*args) -> (out, residuals)`` and
        ``bwd(*nondiff_args, residuals, cotangent) -> cotangents``."""
        check_function("defvjp", fwd, "f.defvjp(fwd, bwd)")
        check_function("defvjp", bwd, "f.defvjp(fwd, bwd)")
        self.fwd, self.bwd = fwd, bwd

    def primitive(self, call: Call) -> Joint:
        fwd, bwd = self.fwd, self.bwd
        if fwd is None or bwd is None:
            raise TypeError(f"{self.label} has no rule. Call {self.name}.defvjp(fwd, bwd).")
        residual_form: list[tree.Structure] = []

        def run_forward(*values: Any) -> tuple[Any, ...]:
            given = call.body("forward rule", fwd, *call.arguments(values))
            out, residuals = call.pair(given, "(result, residuals)")
            leaves, form = tree.flatten(residuals)
            residual_form[:] = [form]
            return (*call.results(out, values), *[kept(r, values) for r in leaves])

        def forward(*values: Any) -> tuple[Any, Any]:
            leaves = call.one_by_one(run_forward, values)
            count = len(call.outs)
            return leaves[:count], leaves[count:]

        def run_backward(*leaves: Any) -> tuple[Any, ...]:
            count = residual_form[0].num_leaves
            residuals = tree.unflatten(residual_form[0], map(unchanged, leaves[:count]))
            cotangent = tree.unflatten(call.form, map(unchanged, leaves[count:]))
            found = call.body("backward rule", bwd, *call.fixed, residuals, cotangent)
            return call.cotangents(found)

        def pull(g: Any, residuals: Any) -> Sequence[Any]:
            return call.one_by_one(run_backward, (*residuals, *g))

        def push(values: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            ans, residuals = forward(*values)
            pushed = [zero_like(like) for like in call.outs]
            places = float_places(call.outs)

            def backward(*g: Any) -> list[Any]:
                found = pull(replaced(pushed, places, g), residuals)
                return [found[k] for k in call.floats]

            backward.__name__ = f"the backward rule of {self.name}"
            moved = transposed(
                backward, [call.outs[k] for k in places], [tangents[k] for k in call.floats]
            )
            return ans, tuple(replaced(pushed, places, moved))

        return Joint(self.name, call.impl, forward, pull, push, call.batch)


class custom_jvp(_Custom):
    """A function with a rule of its own for tangents.

    ``f.defjvp(rule)`` gives it: ``rule(primals, tangents)`` takes two tuples with an entry for each
    argument and returns ``(f's result, its tangent)``. Arguments that ``nondiff_argnums`` names are
    handed to the rule first. Reverse mode transposes the rule, which must be NumPy code where it
    computes with tangents, and linear in them. Under vmap the bodies run on one example at a time,
    with ``vectorized=True`` on all at once, as NumPy code.

    >>> import numpy as np, funcgrad as fg
    >>> @fg.custom_jvp
    ... def log1pexp(x):
    ...     return np.log1p(np.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t / (1.0 + np.exp(-x))
    >>> float(fg.grad(log1pexp)(100.0))
    1.0
    """

    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """State the rule ``rule(*nondiff_args, primals, tangents) -> (out, tangent)``."""
        check_function("defjvp", rule, "f.defjvp(rule)")
        self.rule = rule
        return rule

    def primitive(self, call: Call) -> Joint:
        rule = self.rule
        if rule is None:
            raise TypeError(f"{self.label} has no rule. Call {self.name}.defjvp(rule).")

        def run_rule(*leaves: Any) -> tuple[Any, ...]:
            values, tangents = halves(leaves)
            primals, moves = call.differentiated(values), call.differentiated(tangents)
            given = call.body("rule", rule, *call.fixed, primals, moves)
            out, tangent = call.pair(given, "(result, tangent)")
            outs = call.results(out, values)
            return (*outs, *call.check(tangent, call.form, call.outs, "the tangent", "the result"))

        def push(values: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            outs, moved = halves(call.one_by_one(run_rule, (*values, *tangents)))
            # A loop over examples that differ in their tangents alone has one result.
            same = not batches(tangents) <= batches(values)
            return (self.primitive(call)(*values) if same else outs), moved

        def forward(*values: Any) -> tuple[Any, Any]:
            return self.primitive(call)(*values), values

        def run_transposed(*leaves: Any) -> tuple[Any, ...]:
            g, values = leaves[: len(call.outs)], leaves[len(call.outs) :]
            zeros = [zero_like(like) for like in call.likes]

            def tangent(*moving: Any) -> tuple[Any, ...]:
                tangents = replaced(zeros, call.floats, moving)
                return halves(run_rule(*values, *tangents))[1]

            tangent.__name__ = f"the rule of {self.name}"
            cotangents = transposed(tangent, [call.likes[k] for k in call.floats], g)
            return tuple(replaced(zeros, call.floats, cotangents))

        def pull(g: Any, values: Sequence[Any]) -> Sequence[Any]:
            return call.one_by_one(run_transposed, (*g, *values))

        return Joint(self.name, call.impl, forward, pull, push, call.batch)


def transposed(f: Callable[..., Any], likes: Sequence[Like], w: Sequence[Any]) -> Sequence[Any]:
    """The transpose of the linear function ``f`` of arrays like ``likes``, applied to ``w``.

    Raises ``ValueError`` where it is not linear: at any y, ⟨f(y), w⟩ and ⟨y, fᵀ(w)⟩ are the same.
    """
    outs, pullback = vjp(f, *[zero_like(like) for like in likes])
    w = type(outs)(w)
    found = pullback(w)
    draw = np.random.default_rng(0).standard_normal
    y = [np.asarray(10.0 * draw(like.shape)).astype(like.dtype)[()] for like in likes]
    terms = [a * b for a, b in zip((*f(*y), *y), (*w, *(-c for c in found)))]
    error = np.abs(raw(sum(map(np.sum, terms))))
    scale = raw(sum(np.sum(np.abs(term)) for term in terms))
    if np.any(error > np.sqrt(np.finfo(np.result_type(error)).eps) * scale):
        raise ValueError(
            f"{f.__name__} is not linear in the vector that it takes, and only what is linear can "
            f"be transposed, for the other mode than the one it was written for."
        )
    return found
