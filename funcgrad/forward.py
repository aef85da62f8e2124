"""Forward mode: dual numbers, a tangent beside every value, in constant memory.

``linearize`` is forward mode whose tangents are recorded: what depends on them is a program, which
runs again for any tangent without the function.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import tree
from .arguments import Arguments, split_aux
from .core import Primitive, Tracer, bind, call, frozen
from .graph import GraphTrace
from .program import Program, Variable
from .pull import Like, Pull, gather, strong
from .rules.elementwise import annihilate
from .trace import WEAK, Trace
from .transform import check_function, check_outputs, fits, misfit, plain
from .walk import match
from .zeros import annihilated, annihilated_product, finite


class Dual(Trace):
    """One run of a function under forward mode; a tracer's ``node`` is its tangent."""

    recorded = False
    infinite = False  # whether there has been a tangent that was not finite

    def __init__(self, f: Callable[..., Any], transform: str) -> None:
        self.transform = transform
        super().__init__(f)
        # Tangents are computed in a context of their own, in which annihilated positions warn
        # nobody: running there costs a thirtieth of entering np.errstate. A copy of it for each
        # operation, since two threads cannot be in one context.
        with np.errstate(all="ignore"):
            self.quiet = contextvars.copy_context()

    def process(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        values = []
        for t in operands:
            values.append(t.value if type(t) is Tracer and t.owner is self else t)
        ans = primitive.apply(*values, **keywords) if keywords else primitive.apply(*values)
        if primitive.pushes is None:
            return ans
        values.append(ans)
        quiet = self.quiet.copy()
        tangent = quiet.run(self.tangent, primitive, operands, values, keywords)
        return ans if tangent is None else Tracer(self, ans, tangent)

    def joint(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        own = [type(t) is Tracer and t.owner is self for t in operands]
        values = [t.value if mine else t for t, mine in zip(operands, own)]
        tangents = [t.node if mine else _zeros(t) for t, mine in zip(operands, own)]
        ans, pushed = primitive.push(values, tangents, **keywords)  # type: ignore[attr-defined]
        if type(ans) is not tuple:
            return Tracer(self, ans, pushed)
        return tuple(
            [
                Tracer(self, out, t) if Like(out).dtype.kind in "fc" else out
                for out, t in zip(ans, pushed)
            ]
        )

    def tangent(
        self,
        primitive: Primitive,
        operands: tuple[Any, ...],
        values: list[Any],
        keywords: dict[str, Any],
    ) -> Any:
        """The tangent of the result, which is the last of ``values``, or None for zero."""
        pushes, ans = primitive.pushes, values[-1]
        total = None
        if pushes == "linear":
            full = [
                t.node if type(t) is Tracer and t.owner is self else _zeros(x)
                for t, x in zip(operands, values)
            ]
            total = bind(primitive, tuple(full), keywords)
        else:
            for i, t in enumerate(operands):
                if type(t) is not Tracer or t.owner is not self:
                    continue
                if pushes == "multilinear":
                    factors = (*values[:i], t.node, *values[i + 1 : -1])
                    term = bind(primitive, factors, keywords)
                    if self.is_infinite(term):
                        again = functools.partial(primitive, **keywords)
                        term = annihilated_product(again, factors, term)
                elif pushes[i] is None:
                    continue
                else:
                    push = pushes[i]
                    term = self.push(push, t.node, residuals(push, i, values, keywords))
                total = term if total is None else total + term
        if total is None or (type(total) is type(ans) and _matches(total, ans)):
            return total
        like = Like(ans)
        total = match(total, like, broadcasts=False)
        return total if total.shape == like.shape else np.broadcast_to(total, like.shape)

    def push(self, push: Pull, t: Any, residuals: Any) -> Any:
        """One rule applied to one tangent."""
        tangent = push.call(t, residuals)
        # A rule without residuals has a finite local derivative, and none that is zero.
        if not push.sources or not push.kind or not self.is_infinite(tangent):
            return tangent
        # As in the backward walk zero annihilates: the tangent, or what multiplies it.
        tangent = annihilated(push, t, residuals, tangent)
        if push.kind == "elementwise":
            tangent = annihilate(_slope(push, t, residuals), tangent)
        return tangent

    def is_infinite(self, tangent: Any) -> bool:
        """Whether there may be elements of ``tangent`` that are not finite."""
        if finite(tangent) and not (self.recorded and self.infinite):
            return False
        self.infinite = True
        return True

    def split(self, out: Any) -> tuple[Any, Any]:
        """A leaf of the result and its tangent, which is of the same kind, the caller's own."""
        if type(out) is not Tracer or out.owner is not self:
            return out, _zeros(out)[()]
        value, tangent = (
            x.copy() if type(x) is np.ndarray else frozen(x) for x in (out.value, out.node)
        )
        return value, like_value(tangent, value)


class Linearization(Dual):
    """Forward mode whose tangents are recorded by another trace.

    Which tangents will come is not known. They are zeros while it records, and those that are not
    finite tell of a local derivative that is not: from there on any tangent may be infinite.
    """

    recorded = True


def _slope(push: Pull, t: Any, residuals: Any) -> Any:
    """Zero exactly where the rule ``push`` multiplies the elements of ``t`` by zero."""
    one = t.dtype.type(1)
    slope = push.call(one, residuals)
    if t.dtype.kind != "c":
        return slope
    # On complex numbers a rule need not be a product with one of them.
    return np.abs(slope) + np.abs(push.call(1j * one, residuals))


def residuals(push: Pull, i: int, values: list[Any], keywords: dict[str, Any]) -> Any:
    """What the rule ``push`` for operand ``i`` takes beside the tangent."""
    if push.need is not None:
        x = values[push.need]
        return strong(x, values[-1]) if type(x) in WEAK else x
    if not push.sources:
        return None

    def keep(x: Any, k: int) -> Any:
        return strong(x, values[-1]) if k >= 0 and type(x) in WEAK else x

    return gather(push, i, values, keywords, keep)


def _matches(tangent: Any, ans: Any) -> bool:
    return tangent.dtype is ans.dtype and tangent.shape == ans.shape


def _zeros(x: Any) -> Any:
    like = Like(x)
    return np.zeros(like.shape, like.dtype)


def like_value(tangent: Any, value: Any) -> Any:
    """``tangent`` as a NumPy scalar where ``value`` is a number."""
    is_array = type(tangent) is np.ndarray
    return tangent[()] if is_array and type(value) is not np.ndarray else tangent


def jvp(
    f: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """``f(*primals)`` and its directional derivative along ``tangents``.

    ``primals`` is the tuple of f's arguments, pytrees of floats and float arrays, ``tangents`` one
    like it. A tangent of the result has its shape, dtype and kind. With ``has_aux``, ``f`` returns
    ``(result, aux)`` and the return is ``(result, tangent, aux)``.

    >>> import numpy as np, funcgrad as fg
    >>> out, tangent = fg.jvp(np.sin, (0.0,), (2.0,))
    >>> float(tangent)
    2.0
    """
    trace = Dual(f, "jvp")
    check_function("jvp", f, "jvp(f, (x,), (v,))")
    check_tuple("primals", primals, trace.label, "jvp(f, (x,), (t,))")
    check_tuple("tangents", tangents, trace.label, "jvp(f, (x,), (t,))")
    arguments = Arguments(trace, primals, {}, range(len(primals)))
    given = check_tangents(arguments, tangents)
    out, structure, pushed, aux = push_forward(trace, f, arguments, given, has_aux)
    tangent = tree.unflatten(structure, pushed)
    return (out, tangent, aux) if has_aux else (out, tangent)


def push_forward(
    trace: Dual, f: Callable[..., Any], arguments: Arguments, tangents: list[Any], has_aux: bool
) -> tuple[Any, tree.Structure, list[Any], Any]:
    """f's result, its structure, the tangents of its leaves, and aux."""
    duals = [Tracer(trace, x, t) for x, t in zip(arguments.leaves, tangents)]
    out, aux = split_aux(arguments.run(trace, f, duals), trace, has_aux)
    outs, structure = tree.flatten(out)
    check_outputs(outs, structure.paths(), trace.label)
    split = [trace.split(t) for t in outs]
    values = tree.unflatten(structure, [value for value, _ in split])
    return values, structure, [tangent for _, tangent in split], plain(trace, aux)


def linearize(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """``f(*primals)`` and the function that maps tangents of ``primals`` to that of the result.

    The function ``f_jvp`` takes one tangent an argument, shaped like it, and repeats only what
    depends on tangents: ``f`` is not called again. It is linear, and may be differentiated and
    batched as any other. With ``has_aux`` the return is ``(out, f_jvp, aux)``.

    >>> import numpy as np, funcgrad as fg
    >>> out, f_jvp = fg.linearize(lambda x: x**3, 2.0)
    >>> float(out), float(f_jvp(1.0)), float(f_jvp(10.0))
    (8.0, 12.0, 120.0)
    """
    check_function("linearize", f, "linearize(f, x)")
    trace, recorder = Linearization(f, "linearize"), GraphTrace(f)
    arguments = Arguments(trace, primals, {}, range(len(primals)))
    entering = [Variable(x) for x in arguments.leaves]
    seeds = [Tracer(recorder, _zeros(x)[()], v) for x, v in zip(arguments.leaves, entering)]
    out, structure, tangents, aux = push_forward(trace, f, arguments, seeds, has_aux)
    recorder.close()
    leaving = [t.node if type(t) is Tracer and t.owner is recorder else t for t in tangents]
    named = [(arguments.name(i), variable) for i, variable in enumerate(entering)]
    program = Program(trace.label, named, recorder.equations, leaving, structure, ())
    values = tree.leaves(out)

    def f_jvp(*tangents: Any) -> Any:
        given = check_tangents(arguments, tangents)
        with np.errstate(all="ignore"):
            pushed = program.run(given)
        owned = [t.copy() if type(t) is np.ndarray else frozen(t) for t in pushed]
        return tree.unflatten(structure, [like_value(t, x) for t, x in zip(owned, values)])

    return (out, f_jvp, aux) if has_aux else (out, f_jvp)


def check_tuple(name: str, given: Any, label: str, instead: str) -> None:
    """Raise unless ``given`` is a tuple (or list) of arguments."""
    if not isinstance(given, tuple | list):
        raise TypeError(
            f"{label}: {name} must be a tuple with one entry an argument, not "
            f"{type(given).__name__}. Write {instead}."
        )


def check_tangents(arguments: Arguments, tangents: Any) -> list[Any]:
    """The leaves of ``tangents``, which must be like the arguments, in their dtypes."""
    label = arguments.trace.label
    given = list(tangents)
    names = "the tuple of tangents", "the tuple of arguments"
    tree.check_same(arguments.structure, given, *names, label)
    checked = []
    for i, (x, t) in enumerate(zip(arguments.leaves, tree.leaves(given))):
        like = Like(x)
        if not fits(t, like):
            raise TypeError(misfit(f"{label}: the tangent of {arguments.name(i)}", t, like))
        checked.append(call(np.astype, (t, like.dtype), {}))
    return checked
