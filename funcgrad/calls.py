"""One call of a function that has a derivative rule of its own, and what its bodies give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import ArgumentError
from typing import Any

import numpy as np

from . import tree
from .batching import BatchRule, each
from .core import Tracer, frozen, youngest
from .errors import DerivativeLostError, LeakedTracerError, UnsupportedError
from .joint import Joint, float_places
from .pull import Like
from .trace import Trace
from .transform import check_outputs, described, fits, is_number, misfit
from .views import unchanged
from .vmap import Batch, vmap


class Call:
    """One call of a function with a rule: its operands, which are the numbers among the leaves of
    its arguments, and the trees around them."""

    def __init__(self, function: Any, args: Any, kwargs: Any) -> None:
        self.function = function
        self.label = function.label
        args = self.by_position(args, kwargs)
        count = len(args)
        for i in function.nondiff_argnums:
            if not -count <= i < count:
                raise ValueError(
                    f"{self.label}: nondiff_argnums names argument {i}, and the call has {count} "
                    f"arguments."
                )
            if youngest(tree.leaves(args[i])) is not None:
                raise TypeError(
                    f"{self.label}: argument {i % count} is traced, and nondiff_argnums says that "
                    f"it has no derivative. Pass value(x), or leave it out of nondiff_argnums."
                )
        fixed = [i % count for i in function.nondiff_argnums]
        if len(set(fixed)) < len(fixed):
            raise ValueError(f"{self.label}: nondiff_argnums names an argument twice.")
        self.fixed = [_snapshot(args[i]) for i in fixed]
        self.places = [i for i in range(count) if i not in fixed]
        leaves, self.structure = tree.flatten(tuple(args[i] for i in self.places))
        self.numbers = [k for k, leaf in enumerate(leaves) if is_number(leaf)]
        self.operands = [leaves[k] for k in self.numbers]
        # Which shapes and dtypes come in and go out; the latter are known once the function ran.
        self.likes = [Like(x) for x in self.operands]
        self.floats = float_places(self.likes)
        self.form = self.structure
        self.outs: list[Like] = []
        # What the rules need is kept in their residuals, and not besides in here.
        self.leaves = [None if is_number(leaf) else leaf for leaf in leaves]
        self.args = [arg if i in fixed else None for i, arg in enumerate(args)]

    def by_position(self, args: Any, kwargs: Any) -> tuple[Any, ...]:
        """The arguments of a call as a rule gets them: by position, with defaults filled in."""
        try:
            bound = self.function.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.label}: {error}") from None
        if bound.kwargs:
            raise TypeError(
                f"{self.label} got arguments that are passed by name only "
                f"({', '.join(bound.kwargs)}), which its rule would not get. Write them as "
                f"ordinary parameters."
            )
        bound.apply_defaults()
        return bound.args

    def differentiated(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments that have a derivative, with ``values`` for their numeric leaves."""
        leaves = list(self.leaves)
        for k, x in zip(self.numbers, values):
            leaves[k] = unchanged(x)
        return tree.unflatten(self.structure, leaves)

    def arguments(self, values: Sequence[Any]) -> list[Any]:
        """All arguments, with ``values`` for the numeric leaves of those that have a derivative."""
        args = list(self.args)
        for i, x in zip(self.places, self.differentiated(values)):
            args[i] = x
        return args

    def impl(self, *values: Any) -> tuple[Any, ...]:
        """The function itself, from leaves to leaves."""
        out = self.body("body", self.function.f, *self.arguments(values))
        return self.results(out, values)

    def body(self, what: str, f: Callable[..., Any], *args: Any) -> Any:
        """What the user's function ``f`` gives, and its errors with a name."""
        try:
            return f(*args)
        except LeakedTracerError as error:
            raise LeakedTracerError(
                f"{self.label}: its {what} used a traced value from its surroundings. Pass that "
                f"value as an argument. ({error})"
            ) from error
        except (UnsupportedError, TypeError, AttributeError, ArgumentError) as error:
            top = youngest(tree.leaves(args))
            if top is None:
                raise
            kind = UnsupportedError if isinstance(error, UnsupportedError) else DerivativeLostError
            raise kind(
                f"{self.label}: its {what} got traced values ({top.label}) and failed. What is "
                f"differentiated further must be NumPy code; what calls C can be a function with "
                f"a rule of its own. ({error})"
            ) from error

    def results(self, out: Any, values: Sequence[Any]) -> tuple[Any, ...]:
        """The leaves of what the function returned on ``values``."""
        leaves, self.form = tree.flatten(tree.map(frozen, out))
        check_outputs(leaves, self.form.paths(), self.label)
        self.outs = [Like(leaf) for leaf in leaves]
        return tuple([kept(leaf, values) for leaf in leaves])

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
                f"{described(found)}. Write return (g,) for one."
            )
        leaves: list[Any] = []
        for i, given, primal in zip(self.places, found, self.differentiated(self.likes)):
            likes, form = tree.flatten(primal)
            if given is None:
                given = tree.unflatten(form, [zero_like(like) for like in likes])
            what, primal_name = f"the cotangent of argument {i}", f"argument {i}"
            checked = self.check(given, form, likes, what, primal_name)
            leaves += [c for c, like in zip(checked, likes) if type(like) is Like]
        return tuple(leaves)

    def check(
        self, given: Any, form: tree.Structure, likes: Sequence[Any], what: str, against: str
    ) -> list[Any]:
        """Copies of the leaves of ``given``, which must be like ``likes`` in structure, shape and
        dtype; zero for what has no derivative."""
        tree.check_same(form, given, what, against, self.label)
        leaves = []
        for (path, x), like in zip(tree.leaves_with_path(given), likes):
            if type(like) is not Like or like.dtype.kind not in "fc":
                leaves.append(zero_like(like))
                continue
            if not fits(x, like):
                raise TypeError(misfit(f"{self.label}: {what}{tree.keystr(path)}", x, like))
            leaves.append(x.astype(like.dtype) if hasattr(x, "astype") else like.dtype.type(x))
        return leaves

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
        if any(type(x) is Tracer and x.owner.birth >= top.birth for row in rows for x in row):
            raise UnsupportedError(
                f"{self.label} runs one example at a time ({top.label}), and took a value of all "
                f"of them from its surroundings. Pass that value as an argument."
            )
        return tuple([Tracer(top, _stacked(column), None) for column in zip(*rows)])

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


def halves(leaves: Sequence[Any]) -> tuple[Any, Any]:
    return leaves[: len(leaves) // 2], leaves[len(leaves) // 2 :]


def batches(values: Sequence[Any]) -> set[Trace]:
    """Every vmap whose examples differ in ``values``."""
    found: set[Trace] = set()
    for t in values:
        while type(t) is Tracer:
            found |= {t.owner} if isinstance(t.owner, Batch) else set()
            t = t.value
    return found


def zero_like(like: Any) -> Any:
    """A cotangent or tangent of zero; what is no number stays as it is."""
    return np.zeros(like.shape, like.dtype)[()] if type(like) is Like else like


def kept(x: Any, values: Sequence[Any]) -> Any:
    """What a body returned, safe from what it or its author may do to it later. Memory of the
    operands ``values`` is so already."""
    if not isinstance(x, np.ndarray):
        return frozen(x)
    if not x.flags.writeable and any(
        np.may_share_memory(x, v) for v in values if type(v) is np.ndarray
    ):
        return x
    return x.copy()


def _snapshot(arg: Any) -> Any:
    """What a rule gets, maybe later, of an argument without derivative: its arrays as they are."""
    if any(isinstance(leaf, np.ndarray) for leaf in tree.leaves(arg)):
        return tree.map(lambda leaf: kept(leaf, ()), arg)
    return arg


def _stacked(column: Sequence[Any]) -> np.ndarray:
    """One leaf of each example: a stack of numbers, or an array of objects."""
    if all(map(is_number, column)):
        return np.stack(column)
    stack = np.empty(len(column), object)
    for b, x in enumerate(column):
        stack[b] = x
    return stack
