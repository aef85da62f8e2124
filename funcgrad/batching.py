"""Batch rules: how an operation on one example becomes one operation on a stack of them.

Under ``vmap`` a traced value holds a whole stack of examples, the batch axis in front. A batch rule
is called as ``rule(primitive, size, operands, mine, keywords)``, where ``mine`` tells which
operands have the batch axis, and gives the result with one. Most operations need one of a few:
``aligned`` for what acts on each element, ``over`` for what acts along axes, ``front`` for what
leaves leading axes alone. In ::

    vmap(lambda x, y: np.sum(x * y))(np.ones((5, 3)), np.ones((5, 3)))

the product is one product of (5, 3) arrays, and the sum a sum over axis 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .core import Primitive, function_name
from .errors import LoopWarning, UnsupportedError

BatchRule = Callable[[Primitive, int, Sequence[Any], Sequence[bool], dict[str, Any]], Any]


def lead(x: Any, ndim: int) -> Any:
    """A stack of examples whose examples get axes in front until they have ``ndim``."""
    size, *shape = x.shape
    return np.reshape(x, (size, *[1] * (ndim - len(shape)), *shape)) if len(shape) < ndim else x


def spread(x: Any, size: int) -> Any:
    """A stack of ``size`` times the same example."""
    return np.broadcast_to(x, (size, *np.shape(x)))


def stacks(operands: Sequence[Any], mine: Sequence[bool], size: int) -> list[Any]:
    """The operands, all of them stacks of examples."""
    return [x if own else spread(x, size) for x, own in zip(operands, mine)]


def align(operands: Sequence[Any], mine: Sequence[bool]) -> list[Any]:
    """The operands, broadcasting against one another as their examples do."""
    ranks = [getattr(x, "ndim", 0) - own for x, own in zip(operands, mine)]
    ndim = max(ranks)
    return [
        lead(x, ndim) if own and rank < ndim else x for x, own, rank in zip(operands, mine, ranks)
    ]


def aligned(
    primitive: Primitive, size: int, operands: Sequence[Any], mine: Sequence[bool], keywords: Any
) -> Any:
    """Batch an operation on each element, whose operands broadcast."""
    if len(operands) > 1:
        operands = align(operands, mine)
    return primitive.apply(*operands, **keywords)


def front(
    primitive: Primitive, size: int, operands: Sequence[Any], mine: Sequence[bool], keywords: Any
) -> Any:
    """Batch an operation on the first operand that leaves leading axes alone."""
    x, *rest = operands
    return primitive.apply(x if mine[0] else spread(x, size), *rest, **keywords)


def on_stacks(
    primitive: Primitive, size: int, operands: Sequence[Any], mine: Sequence[bool], keywords: Any
) -> Any:
    """Batch an operation that leaves leading axes alone, if all operands have them."""
    return primitive.apply(*stacks(operands, mine, size), **keywords)


def over(default: Any = None) -> BatchRule:
    """Batch an operation along the axes ``axis``, an int, a tuple, or None for all of them."""

    def batch(primitive: Primitive, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
        ndim = np.ndim(operands[0]) - 1
        if np.ndim(keywords.get("where")) > ndim:  # which would mask the examples apart
            raise ValueError(
                f"np.{primitive.name}: where= has shape {np.shape(keywords['where'])}, and each "
                f"example {operands[0].shape[1:]}, which the mask must broadcast to."
            )
        axes = within(keywords.get("axis", default), ndim)
        return primitive.apply(*operands, **{**keywords, "axis": axes})

    return batch


def within(axis: Any, ndim: int, repeats: bool = False) -> tuple[int, ...]:
    """Where the axes of an example of ``ndim`` dimensions are in the stack of examples."""
    if axis is None:
        return tuple(range(1, ndim + 1))
    if ndim == 0 and np.ndim(axis) == 0 and axis in (0, -1):  # which NumPy lets pass
        return ()
    return tuple(i + 1 for i in normalize_axis_tuple(axis, ndim, allow_duplicate=repeats))


def along_one(
    primitive: Primitive, size: int, operands: Sequence[Any], mine: Sequence[bool], keywords: Any
) -> Any:
    """Batch an operation along the one axis ``axis``, or None for all elements in a row."""
    x, *rest = operands
    axis = keywords.get("axis", -1 if primitive.name in _ALONG_LAST else None)
    ndim = x.ndim - 1
    if axis is not None and ndim > 0:
        axis = normalize_axis_index(axis, ndim) + 1
        return primitive.apply(x, *rest, **{**keywords, "axis": axis})
    rows = np.reshape(x, (size, int(np.prod(x.shape[1:]))))
    ans = primitive.apply(rows, *rest, **{**keywords, "axis": 1})
    return np.reshape(ans, (size, *[1] * ndim)) if keywords.get("keepdims") else ans


#: The functions of one axis that is the last where none is given.
_ALONG_LAST = {"argsort", "argpartition"}


def shifted(*names: str, grown: bool = False) -> BatchRule:
    """Batch an operation on one array whose keywords ``names`` are axes, of the result if
    ``grown``."""

    def batch(primitive: Primitive, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
        ndim = np.ndim(operands[0]) - 1
        places: dict[str, Any] = {}
        for name in names:
            axis = keywords.get(name)
            count = ndim + (np.size(axis) if grown else 0)
            if np.ndim(axis) == 0 and axis is not None:
                places[name] = normalize_axis_index(axis, count) + 1
            else:
                places[name] = within(axis, count)
        return primitive.apply(*operands, **{**keywords, **places})

    return batch


def ragged(
    primitive: Primitive, size: int, operands: Sequence[Any], mine: Sequence[bool], keywords: Any
) -> Any:
    """Refuse to batch a function whose result has a size that depends on the values."""
    raise UnsupportedError(
        f"np.{primitive.name} under vmap would give each example a result of a size of its own. "
        f"Write np.where(mask, x, 0.0) in place of x[mask]."
    )


def looped(
    primitive: Primitive, size: int, operands: Sequence[Any], mine: Sequence[bool], keywords: Any
) -> Any:
    """Batch an operation without a batch rule: one example after the other, with a warning."""
    warnings.warn(
        f"vmap runs {function_name(primitive.impl)} one example at a time: it has no batch rule. "
        f"Declare it with batch=, a rule of funcgrad.batching, or silence this by "
        f"warnings.simplefilter('ignore', funcgrad.LoopWarning).",
        LoopWarning,
        stacklevel=2,
    )
    return each(primitive, size, operands, mine, keywords)


def each(
    primitive: Primitive, size: int, operands: Sequence[Any], mine: Sequence[bool], keywords: Any
) -> Any:
    """Batch an operation by running it on one example after the other."""
    if size == 0:
        raise ValueError(
            f"vmap runs {primitive.name} one example at a time, and there is no example, so that "
            f"the shape of its result is not known."
        )
    outs = [
        primitive(*[x[b] if own else x for x, own in zip(operands, mine)], **keywords)
        for b in range(size)
    ]
    if type(outs[0]) is tuple:
        return tuple(np.stack(column) for column in zip(*outs))
    return np.stack(outs)
