"""Products that sum over axes: matmul, dot, tensordot, einsum and their kin."""

from __future__ import annotations

import functools
import operator
import string
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..adapting import written
from ..batching import align
from ..core import FUNCTIONS, is_traced
from ..pull import unbroadcast
from ..verbs import bilinear, composite, multilinear
from .order import asked, each_in_order, example, in_order, order_of, small, view_of
from .shapes import cast_all, scalar, strong

# A vector on the left of matmul is a row, on the right a column. That an operand was one shows in
# the dimensions of the result, so neither rule needs the operand that it differentiates; over the
# others' leading dimensions the engine sums.


def product_of_matrices(x: Any, y: Any) -> Any:
    """x @ y. Of one column and one row np.matmul takes several times as long as np.einsum, which
    for its part is slow with complex numbers."""
    is_plain = not is_traced(x) and not is_traced(y)
    if is_plain and x.shape[-1] == y.shape[-2] == 1 and x.dtype.kind == "f":
        return np.einsum("...i,...j->...ij", x[..., 0], y[..., 0, :], order="C")
    return np.matmul(x, y)


def _matmul_lhs(g: Any, y: Any) -> Any:
    if y.ndim == 1:
        return np.expand_dims(g, -1) * y
    if g.ndim < y.ndim:
        return np.matmul(y, np.expand_dims(g, -1))[..., 0]
    return np.matmul(g, np.swapaxes(y, -1, -2))


def _matmul_rhs(g: Any, x: Any) -> Any:
    if x.ndim == 1:
        return g * x if g.ndim == 0 else np.expand_dims(g, -2) * np.expand_dims(x, -1)
    if g.ndim < x.ndim:
        return np.matmul(np.expand_dims(g, -2), x)[..., 0, :]
    return np.matmul(np.swapaxes(x, -1, -2), g)


def _matmul_stacks(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    x, y = operands
    x_ndim, y_ndim = x.ndim - mine[0], y.ndim - mine[1]
    if mine == (True, False) and y_ndim <= 2 and x_ndim <= 2:
        # One product of matrices instead of one for each example.
        rows = np.reshape(x, (int(np.prod(x.shape[:-1])), x.shape[-1]))
        return np.reshape(np.matmul(rows, y), (*x.shape[:-1], *y.shape[1:]))
    if mine == (False, True) and y_ndim == 1 and x_ndim <= 2:
        return np.matmul(y, np.transpose(x))
    left = np.expand_dims(x, -2) if x_ndim == 1 else x
    right = np.expand_dims(y, -1) if y_ndim == 1 else y
    product = product_of_matrices(*align([left, right], mine))
    if x_ndim == 1:
        product = product[..., 0, :]
    return product[..., 0] if y_ndim == 1 else product


matmul = bilinear(
    np.matmul,
    _matmul_lhs,
    _matmul_rhs,
    batch=_matmul_stacks,
    symbol=operator.matmul,
    kind="matrices",
)


@composite(np.dot, operands=2, names="a b out=None")
def dot(a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return in_order(np.multiply(strong(a), strong(b)), "C")
    if np.ndim(a) <= 2 and np.ndim(b) <= 2:
        return np.matmul(a, b)
    return np.tensordot(a, b, axes=([-1], [max(np.ndim(b) - 2, 0)]))


@composite(np.vecdot, operands=2)
def vecdot(x1: Any, x2: Any) -> Any:
    if np.shape(x1)[-1:] != np.shape(x2)[-1:] or not np.ndim(x1):
        raise ValueError(
            f"np.vecdot: vectors along the last axes of shapes {np.shape(x1)} and {np.shape(x2)} "
            f"differ in length."
        )
    return asked(np.sum(np.conj(x1) * x2, axis=-1), np.vecdot, x1, x2)


if hasattr(np, "matvec"):  # from NumPy 2.2 on

    @composite(np.matvec, operands=2)
    def matvec(x1: Any, x2: Any) -> Any:
        return np.matmul(x1, np.expand_dims(x2, -1))[..., 0]

    @composite(np.vecmat, operands=2)
    def vecmat(x1: Any, x2: Any) -> Any:
        return np.matmul(np.expand_dims(np.conj(x1), -2), x2)[..., 0, :]


@composite(np.vdot, operands=2, names="a b")
def vdot(a: Any, b: Any) -> Any:
    return np.matmul(np.conj(np.ravel(a)), np.ravel(b))


@composite(np.inner, operands=2, names="a b")
def inner(a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return in_order(np.multiply(strong(a), strong(b)), "C")
    return scalar(np.tensordot(a, b, axes=([-1], [-1])))


@composite(np.outer, operands=2)
def outer(a: Any, b: Any) -> Any:
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


@composite(np.tensordot, operands=2)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    if np.ndim(axes) == 0:
        axes = (range(-int(axes), 0), range(int(axes)))
    a, b = strong(a), strong(b)
    over_a, over_b = (
        list(normalize_axis_tuple(tuple(over) if np.ndim(over) else over, x.ndim))
        for x, over in zip((a, b), axes)
    )
    summed = [a.shape[i] for i in over_a]
    if summed != [b.shape[i] for i in over_b]:
        raise ValueError(
            f"np.tensordot: axes {over_a} of shape {a.shape} and {over_b} of shape {b.shape} "
            f"do not match"
        )
    free_a = [i for i in range(a.ndim) if i not in over_a]
    free_b = [i for i in range(b.ndim) if i not in over_b]
    shape = [a.shape[i] for i in free_a] + [b.shape[i] for i in free_b]
    size = int(np.prod(summed))
    left = np.reshape(
        np.transpose(a, free_a + over_a),
        (-1 if size else int(np.prod([a.shape[i] for i in free_a])), size),
    )
    right = np.reshape(
        np.transpose(b, over_b + free_b),
        (size, -1 if size else int(np.prod([b.shape[i] for i in free_b]))),
    )
    return np.reshape(np.matmul(left, right), shape)


# einsum, with operands and subscripts brought to the explicit form "ij,jk->ik".

_LETTERS = string.ascii_uppercase + string.ascii_lowercase  # as np.einsum numbers its labels


def _einsum(*xs: Any, subscripts: str, optimize: Any) -> Any:
    return np.einsum(subscripts, *xs, optimize=optimize)


def _einsum_pull(g: Any, i: int, others: tuple[Any, ...], subscripts: str, optimize: Any) -> Any:
    inputs, _, output = subscripts.partition("->")
    terms = inputs.split(",")
    x, mine = others[i], terms[i]
    factors = [*zip(terms[:i] + terms[i + 1 :], others[:i] + others[i + 1 :]), (output, g)]
    # Along a label that only this operand has, or against which the others are broadcast, the
    # cotangent is constant.
    sizes = {a: n for labels, t in factors for a, n in zip(labels, t.shape) if n != 1}
    for label, size in dict(zip(mine, x.shape)).items():
        if label not in sizes:
            factors.append((label, np.ones(size, x.dtype)))
    # A label that stands twice in it is a diagonal: the cotangent is zero off it.
    distinct = ""
    for place, label in enumerate(mine):
        if label in distinct:
            fresh = next(a for a in _LETTERS if a not in subscripts and a not in distinct)
            factors.append((label + fresh, np.eye(x.shape[place], dtype=x.dtype)))
            label = fresh
        distinct += label
    spec = ",".join(labels for labels, _ in factors) + "->" + distinct
    if not isinstance(optimize, str):  # a path is one for other operands
        optimize = bool(optimize)
    return unbroadcast(np.einsum(spec, *(t for _, t in factors), optimize=optimize), x.shape)


def _einsum_stacks(
    primitive: Any, size: int, operands: Any, mine: Any, keywords: dict[str, Any]
) -> Any:
    subscripts = keywords["subscripts"]
    inputs, _, output = subscripts.partition("->")
    label = next(a for a in _LETTERS if a not in subscripts)
    terms = [label * own + term for own, term in zip(mine, inputs.split(","))]
    lifted = f"{','.join(terms)}->{label}{output}"
    ans = primitive(*operands, **{**keywords, "subscripts": lifted})
    if not keywords["optimize"] or not size:
        return ans
    # In the order of each product, which the batch axis may change.
    one = [small(example(x)[0] if own else x) for x, own in zip(operands, mine)]
    return each_in_order(ans, primitive(*one, **keywords))


#: ``np.einsum`` of its operands, by explicit subscripts without an ellipsis.
contraction = multilinear(_einsum, _einsum_pull, batch=_einsum_stacks)


def _explicit(subscripts: str, ndims: list[int]) -> str:
    """Subscripts with the output written out and letters in place of the ellipsis."""
    subscripts = subscripts.replace(" ", "")
    inputs, arrow, output = subscripts.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ValueError(
            f"np.einsum: {subscripts!r} names {len(terms)} operands, {len(ndims)} were given"
        )
    hidden = [n - len(t) + 3 if "..." in t else 0 for t, n in zip(terms, ndims)]
    free = [a for a in _LETTERS if a not in subscripts][: max(hidden)]
    dots = "".join(free)
    if arrow and max(hidden) and "..." not in output:
        raise ValueError(
            f"np.einsum: {subscripts!r} has an ellipsis in its input that its output lacks"
        )
    if not arrow:
        letters = "".join(terms).replace(".", "")
        output = "..." + "".join(sorted(a for a in letters if letters.count(a) == 1))
    terms = [t.replace("...", dots[len(dots) - n :]) for t, n in zip(terms, hidden)]
    return ",".join(terms) + "->" + output.replace("...", dots)


def einsum(
    *operands: Any, out: Any = None, optimize: Any = False, dtype: Any = None,
    casting: str = "safe", order: str = "K",
) -> Any:  # fmt: skip
    """``np.einsum`` on traced operands, in both of its calling forms."""
    if isinstance(operands[0], str):
        subscripts, xs = operands[0], list(operands[1:])
    else:
        xs = list(operands[: len(operands) // 2 * 2 : 2])
        labels = [
            "".join("..." if a is Ellipsis else _LETTERS[a] for a in s) for s in operands[1::2]
        ]
        subscripts = ",".join(labels)
        if len(operands) % 2:
            subscripts += "->" + "".join(
                "..." if a is Ellipsis else _LETTERS[a] for a in operands[-1]
            )
    xs = cast_all(xs, dtype, casting)
    subscripts = _explicit(subscripts, [np.ndim(x) for x in xs])
    contract = functools.partial(contraction, subscripts=subscripts, optimize=optimize)
    ans = contract(*xs) if len(xs) > 1 else view_of(xs[0], contract, contract)
    if order != "K":
        ans = in_order(ans, order_of(order, *xs))
    return written(ans, out, np.einsum)


FUNCTIONS[np.einsum] = einsum
