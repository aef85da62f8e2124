"""Derivative rules of one's own: ``custom_vjp`` and ``custom_jvp``.

A call of a function with a rule is one ``Joint`` primitive, whose operands are the leaves of the
arguments. At first order its bodies run on plain arrays, so they may call NumPy, SciPy or C; what
is differentiated further must be NumPy code. Where only one direction is given, the other is its
transpose: a rule is linear in the cotangent or tangent that it takes.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .batching import BatchRule, each
from .core import Trace, Tracer, youngest
from .joint import Joint
from .pull import Like
from .reverse import vjp
from .transform import check_function, check_outputs, described, is_number
from .vmap import Batch, vmap


class _Custom:
    """A function whose derivative its author states."""

    def __init__(
        self,
        f: Callable[..., Any],
        nondiff_argnums: int | Sequence[int] = (),
        vectorized: bool = False,
    ) -> None:
        check_function(type(self).__name__, f)
        self.f = f
        self.vectorized = vectorized
        self.nondiff_argnums = (
            (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        )
        functools.update_wrapper(self, f)
        self.name = getattr(f, "__name__", type(f).__name__)
        self.label = f"{type(self).__name__} {self.name}"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = _Call(self, args, kwargs)
        if youngest(call.operands) is None:
            return self.f(*call.args)
        outs = self.primitive(call)(*call.operands)
        return tree.unflatten(call.form, outs)

    def primitive(self, call: _Call) -> Joint:
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
        check_function("defvjp", fwd)
        check_function("defvjp", bwd)
        self.fwd, self.bwd = fwd, bwd

    def primitive(self, call: _Call) -> Joint:
        fwd, bwd = self.fwd, self.bwd
        if fwd is None or bwd is None:
            raise TypeError(f"{self.label} has no rule. Call {self.name}.defvjp(fwd, bwd).")
        residual_form: list[tree.Structure] = []

        def run_forward(*values: Any) -> tuple[Any, ...]:
            out, residuals = call.pair(fwd(*call.arguments(values)), "(result, residuals)")
            leaves, form = tree.flatten(residuals)
            residual_form[:] = [form]
            return (*call.results(out), *leaves)

        def forward(*values: Any) -> tuple[Any, Any]:
            leaves = call.one_by_one(run_forward, values)
            count = len(call.outs)
            return leaves[:count], leaves[count:]

        def run_backward(*leaves: Any) -> tuple[Any, ...]:
            count = residual_form[0].num_leaves
            residuals = tree.unflatten(residual_form[0], leaves[:count])
            cotangent = tree.unflatten(call.form, leaves[count:])
            return call.cotangents(bwd(*call.fixed, residuals, cotangent))

        def pull(g: Any, residuals: Any) -> Sequence[Any]:
            return call.one_by_one(run_backward, (*residuals, *g))

        def push(values: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            ans, residuals = forward(*values)

            def backward(*g: Any) -> list[Any]:
                found = pull(g, residuals)
                return [found[k] for k in call.floats]

            backward.__name__ = f"the backward rule of {self.name}"
            transposed = vjp(backward, *[_zeros(like) for like in call.outs])[1]
            return ans, transposed([tangents[k] for k in call.floats])

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
        check_function("defjvp", rule)
        self.rule = rule
        return rule

    def primitive(self, call: _Call) -> Joint:
        rule = self.rule
        if rule is None:
            raise TypeError(f"{self.label} has no rule. Call {self.name}.defjvp(rule).")

        def run_rule(*leaves: Any) -> tuple[Any, ...]:
            values, tangents = _halves(leaves)
            pair = rule(*call.fixed, call.differentiated(values), call.differentiated(tangents))
            out, tangent = call.pair(pair, "(result, tangent)")
            outs = call.results(out)
            return (*outs, *call.check(tangent, call.form, call.outs, "the tangent"))

        def push(values: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            return _halves(call.one_by_one(run_rule, (*values, *tangents)))

        def forward(*values: Any) -> tuple[Any, Any]:
            return primitive(*values), values

        def run_transposed(*leaves: Any) -> tuple[Any, ...]:
            g, values = leaves[: len(call.outs)], leaves[len(call.outs) :]
            zeros = [_zeros(like) for like in call.likes]

            def tangent(*moving: Any) -> tuple[Any, ...]:
                tangents = list(zeros)
                for k, t in zip(call.floats, moving):
                    tangents[k] = t
                return _halves(run_rule(*values, *tangents))[1]

            tangent.__name__ = f"the rule of {self.name}"
            cotangents = vjp(tangent, *[zeros[k] for k in call.floats])[1](tuple(g))
            for k, c in zip(call.floats, cotangents):
                zeros[k] = c
            return tuple(zeros)

        def pull(g: Any, values: Sequence[Any]) -> Sequence[Any]:
            return call.one_by_one(run_transposed, (*g, *values))

        primitive = Joint(self.name, call.impl, forward, pull, push, call.batch)
        return primitive


class _Call:
    """One call of a function with a rule: its arguments, and the trees around their leaves."""

    def __init__(self, function: _Custom, args: Any, kwargs: Any) -> None:
        self.function = function
        self.label = function.label
        bound = inspect.signature(function.f).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(
                f"{self.label} has arguments that are passed by name only "
                f"({', '.join(bound.kwargs)}), which its rule would not get. Write them as "
                f"ordinary parameters."
            )
        self.args = bound.args
        count = len(self.args)
        for i in function.nondiff_argnums:
            if not -count <= i < count:
                raise ValueError(
                    f"{self.label}: nondiff_argnums names argument {i}, and the call has {count} "
                    f"arguments."
                )
            if youngest(tree.leaves(self.args[i])) is not None:
                raise TypeError(
                    f"{self.label}: argument {i} is traced, and nondiff_argnums says that it has "
                    f"no derivative. Pass value(x), or leave it out of nondiff_argnums."
                )
        fixed = [i % count for i in function.nondiff_argnums]
        self.fixed = [self.args[i] for i in fixed]
        self.places = [i for i in range(count) if i not in fixed]
        leaves, self.structure = tree.flatten(tuple(self.args[i] for i in self.places))
        self.leaves = leaves
        self.numbers = [k for k, leaf in enumerate(leaves) if is_number(leaf)]
        self.operands = [leaves[k] for k in self.numbers]
        # Which shapes and dtypes come in and go out; the latter are known once the function ran.
        self.likes = [Like(x) for x in self.operands]
        self.floats = [k for k, like in enumerate(self.likes) if like.dtype.kind in "fc"]
        self.form = self.structure
        self.outs: list[Like] = []

    def differentiated(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments that have a derivative, with ``values`` for their numeric leaves."""
        leaves = list(self.leaves)
        for k, x in zip(self.numbers, values):
            leaves[k] = x
        return tree.unflatten(self.structure, leaves)

    def arguments(self, values: Sequence[Any]) -> list[Any]:
        """All arguments, with ``values`` for the numeric leaves of those that have a derivative."""
        args = list(self.args)
        for i, x in zip(self.places, self.differentiated(values)):
            args[i] = x
        return args

    def impl(self, *values: Any) -> tuple[Any, ...]:
        """The function itself, from leaves to leaves."""
        return self.results(self.function.f(*self.arguments(values)))

    def results(self, out: Any) -> tuple[Any, ...]:
        """The leaves of what the function returned."""
        leaves, self.form = tree.flatten(out)
        check_outputs(leaves, self.form.paths(), self.label)
        self.outs = [Like(leaf) for leaf in leaves]
        return tuple(leaves)

    def pair(self, given: Any, names: str) -> Any:
        """What a rule returned, which must be the pair ``names``."""
        if isinstance(given, tuple | list) and len(given) == 2:
            return given
        raise TypeError(
            f"{self.label}: the rule must return a pair {names}, and returned {described(given)}."
        )

    def cotangents(self, found: Any) -> tuple[Any, ...]:
        """What a backward rule returned, as one cotangent for each numeric leaf."""
        if not isinstance(found, tuple | list) or len(found) != len(self.places):
            raise TypeError(
                f"{self.label}: the backward rule must return a tuple of {len(self.places)} "
                f"cotangents, one for each differentiated argument, and returned "
                f"{described(found)}."
            )
        leaves: list[Any] = []
        for i, given, primal in zip(self.places, found, self.differentiated(self.likes)):
            likes, form = tree.flatten(primal)
            if given is None:
                given = tree.unflatten(form, [_zeros(like) for like in likes])
            checked = self.check(given, form, likes, f"the cotangent of argument {i}")
            leaves += [c for c, like in zip(checked, likes) if type(like) is Like]
        return tuple(leaves)

    def check(self, given: Any, form: tree.Structure, likes: Sequence[Any], what: str) -> list[Any]:
        """The leaves of ``given``, which must be like ``likes`` in structure, shape and dtype."""
        tree.check_same(form, given, f"{self.label}: {what}", "what it is for")
        for (path, x), like in zip(tree.leaves_with_path(given), likes):
            if type(like) is not Like or like.dtype.kind not in "fc":
                continue
            fits = is_number(x) and np.can_cast(np.result_type(x), like.dtype, "same_kind")
            if not fits or np.shape(x) != like.shape:
                raise TypeError(
                    f"{self.label}: {what}{tree.keystr(path)} is {described(x)}, and must be of "
                    f"shape {like.shape} and dtype {like.dtype}."
                )
        return tree.leaves(given)

    # Under vmap.

    def one_by_one(self, f: Callable[..., Any], values: Sequence[Any]) -> tuple[Any, ...]:
        """``f(*values)``, one example at a time as long as the youngest trace is a vmap's."""
        top = youngest(values)
        if not isinstance(top, Batch) or self.function.vectorized:
            return f(*values)
        if top.size == 0:
            raise ValueError(f"{self.label} runs one example at a time ({top.label}), of none.")
        rows = [
            self.one_by_one(f, [t.value[b] if _belongs(t, top) else t for t in values])
            for b in range(top.size)
        ]
        return tuple(Tracer(top, np.stack(column), None) for column in zip(*rows))

    @property
    def batch(self) -> BatchRule:
        return _all_at_once if self.function.vectorized else each


def _belongs(t: Any, trace: Trace) -> bool:
    return type(t) is Tracer and t.owner is trace


def _all_at_once(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    """Batch a joint primitive whose bodies are NumPy code: by vmap of each of them."""
    axes = tuple(0 if own else None for own in mine)

    def pull(g: Any, residual: Any) -> list[Any]:
        found = vmap(primitive.pull)(g, residual)
        return [c if own else np.sum(c, axis=0) for c, own in zip(found, mine)]

    def push(values: Sequence[Any], tangents: Sequence[Any]) -> Any:
        return vmap(primitive.push, (axes, axes), axis_size=size)(tuple(values), tuple(tangents))

    forward = vmap(primitive.forward, axes, axis_size=size)
    stacked = Joint(primitive.name, vmap(primitive.impl, axes), forward, pull, push)
    return stacked(*operands)


def _halves(leaves: Sequence[Any]) -> tuple[Any, Any]:
    return leaves[: len(leaves) // 2], leaves[len(leaves) // 2 :]


def _zeros(like: Any) -> Any:
    """A cotangent or tangent of zero; what is no number stays as it is."""
    return np.zeros(like.shape, like.dtype) if type(like) is Like else like
