"""Forward mode: dual numbers, a tangent beside every value, in constant memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import tree
from .core import Primitive, Trace, Tracer, bind
from .errors import DerivativeLostError
from .verbs import Like, Pull, gather


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
        return Tracer(self, ans, sum(terms[1:], start=terms[0]))


def _zeros(x: Any) -> Any:
    like = Like(x)
    return np.zeros(like.shape, like.dtype)


def _push(push: Pull, i: int, t: Any, values: list[Any], keywords: dict[str, Any]) -> Any:
    ans = Like(values[-1])
    if push.elementwise and np.shape(t) != ans.shape:
        t = np.broadcast_to(t, ans.shape)
    strong = [ans.dtype.type(x) if type(x) in (float, int, bool, complex) else x for x in values]
    if push.need is not None:
        return push.call(t, strong[push.need])
    return push.call(t, gather(push, i, strong, keywords))


def jvp(
    f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Any, Any]:
    """``f(*primals)`` and its directional derivative along ``tangents``, a pytree like it.

    >>> import numpy as np, funcgrad as fg
    >>> out, tangent = fg.jvp(np.sin, (0.0,), (2.0,))
    >>> float(tangent)
    2.0
    """
    trace = Dual(f)
    leaves, structure = tree.flatten(primals)
    tree.check_same(structure, tangents, "tangents", "primals")
    duals = [_dual(trace, x, t) for x, t in zip(leaves, tree.leaves(tangents))]
    try:
        out = f(*tree.unflatten(structure, duals))
    except ValueError as error:
        if isinstance(error.__cause__, DerivativeLostError):
            raise DerivativeLostError(str(error.__cause__)) from error
        raise
    finally:
        trace.close()
    outs, structure = tree.flatten(out)
    split = [
        (t.value, t.node) if type(t) is Tracer and t.owner is trace else (t, _zeros(t)[()])
        for t in outs
    ]
    return (
        tree.unflatten(structure, [value for value, _ in split]),
        tree.unflatten(structure, [tangent for _, tangent in split]),
    )


def _dual(trace: Dual, x: Any, t: Any) -> Tracer:
    like = Like(x)
    if np.shape(t) != like.shape:
        raise ValueError(
            f"{trace.label}: a tangent has shape {np.shape(t)}, its primal {like.shape}."
        )
    return Tracer(trace, x, t.astype(like.dtype) if hasattr(t, "astype") else like.dtype.type(t))
