"""Forward mode: dual numbers, a tangent beside every value, in constant memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import tree
from .core import WEAK, Primitive, Trace, Tracer, bind, call, raw
from .pull import Like, Pull, gather, strong
from .rules.elementwise import annihilate
from .tape import match
from .transform import check_function, check_input, check_outputs, described, is_number, run


class Dual(Trace):
    """One run of a function under forward mode; a tracer's ``node`` is its tangent."""

    transform = "jvp"

    def process(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        mine = [type(t) is Tracer and t.owner is self for t in operands]
        values = [t.value if own else t for t, own in zip(operands, mine)]
        ans = primitive.apply(*values, **keywords)
        pushes = primitive.pushes
        if pushes is None:
            return ans
        tangents = [t.node if own else None for t, own in zip(operands, mine)]
        if pushes == "linear":
            full = [_zeros(x) if t is None else t for t, x in zip(tangents, values)]
            terms = [bind(primitive, tuple(full), keywords)]
        elif pushes == "multilinear":
            terms = [
                bind(primitive, (*values[:i], t, *values[i + 1 :]), keywords)
                for i, t in enumerate(tangents)
                if t is not None
            ]
        else:
            values.append(ans)
            terms = [
                _push(pushes[i], i, t, values, keywords)
                for i, t in enumerate(tangents)
                if t is not None and pushes[i] is not None
            ]
        if not terms:
            return ans
        tangent = sum(terms[1:], start=terms[0])
        return Tracer(self, ans, match(tangent, Like(ans), broadcasts=False))


def _zeros(x: Any) -> Any:
    like = Like(x)
    return np.zeros(like.shape, like.dtype)


def _push(push: Pull, i: int, t: Any, values: list[Any], keywords: dict[str, Any]) -> Any:
    ans = Like(values[-1])

    def keep(x: Any, k: int) -> Any:
        return strong(x, values[-1]) if k >= 0 and type(x) in WEAK else x

    if push.elementwise and np.shape(t) != ans.shape:
        t = np.broadcast_to(t, ans.shape)
    if push.need is not None:
        residuals = keep(values[push.need], push.need)
    else:
        residuals = gather(push, i, values, keywords, keep)
    with np.errstate(all="ignore"):
        tangent = push.call(t, residuals)
        # As in the backward walk, a zero tangent annihilates an infinite local derivative.
        if push.elementwise and not np.isfinite(raw(tangent)).all():
            tangent = annihilate(t, tangent)
    return tangent


def jvp(
    f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Any, Any]:
    """``f(*primals)`` and its directional derivative along ``tangents``.

    ``primals`` is the tuple of f's arguments, pytrees of floats and float arrays, ``tangents`` one
    like it. A tangent of the result has its shape, dtype and kind.

    >>> import numpy as np, funcgrad as fg
    >>> out, tangent = fg.jvp(np.sin, (0.0,), (2.0,))
    >>> float(tangent)
    2.0
    """
    check_function("jvp", f)
    trace = Dual(f)
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise TypeError(
                f"{trace.label}: {name} must be a tuple with one entry an argument, not "
                f"{type(given).__name__}. Write jvp(f, (x,), (t,))."
            )
    leaves, structure = tree.flatten(tuple(primals))
    tree.check_same(structure, tuple(tangents), "tangents", "primals")
    duals: list[Any] = []
    for path, x, t in zip(structure.paths(), leaves, tree.leaves(tuple(tangents))):
        check_input(x, f"{trace.label}: the primal{tree.keystr(path)}")
        duals.append(Tracer(trace, x, _tangent(x, t, path, trace.label)))
    out = run(trace, f, tree.unflatten(structure, duals), {})
    outs, structure = tree.flatten(out)
    check_outputs(outs, structure.paths(), trace.label)
    split = [_split(trace, t) for t in outs]
    return (
        tree.unflatten(structure, [value for value, _ in split]),
        tree.unflatten(structure, [tangent for _, tangent in split]),
    )


def _tangent(x: Any, t: Any, path: tree.Path, label: str) -> Any:
    """The tangent of the leaf ``x``, in its dtype."""
    like = Like(x)
    fits = is_number(t) and np.can_cast(np.result_type(t), like.dtype, "same_kind")
    if not fits or np.shape(t) != like.shape:
        raise TypeError(
            f"{label}: the tangent{tree.keystr(path)} is {described(t)}, its primal of shape "
            f"{like.shape} and dtype {like.dtype}."
        )
    return call(np.astype, (t, like.dtype), {})


def _split(trace: Dual, out: Any) -> tuple[Any, Any]:
    """A leaf of the result and its tangent, which is of the same kind."""
    if type(out) is not Tracer or out.owner is not trace:
        return out, _zeros(out)[()]
    value, tangent = (x.copy() if type(x) is np.ndarray else x for x in (out.value, out.node))
    if type(tangent) is np.ndarray and type(value) is not np.ndarray:
        tangent = tangent[()]
    return value, tangent
