"""``vmap``: a function of one example turned into one of a stack of them.

Every traced value holds the whole stack, its batch axis in front, and shows the user's function the
shape of one example. Each operation runs once, on stacks, by its batch rule.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from . import tree
from .batching import spread
from .core import Primitive, Tracer, frozen
from .errors import DerivativeLostError, blamed
from .trace import Trace, name_of
from .transform import described, is_number, named, run
from .tree.nodes import KINDS
from .views import unchanged


class Batch(Trace):
    """One run of a function under vmap; a tracer's value has the batch axis in front."""

    transform = "vmap"

    def __init__(self, f: Callable[..., Any], size: int) -> None:
        super().__init__(f)
        self.size = size

    def process(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        mine = tuple([type(t) is Tracer and t.owner is self for t in operands])
        values = [t.value if own else t for t, own in zip(operands, mine)]
        ans = primitive.batch(primitive, self.size, values, mine, keywords)
        if type(ans) is tuple:
            return tuple([Tracer(self, each, None) for each in ans])
        return Tracer(self, ans, None)

    def shape(self, tracer: Tracer) -> tuple[int, ...]:
        return tracer.value.shape[1:]

    def format(self, tracer: Tracer, spec: str) -> str:
        """What an f-string shows: each of the examples by the format, since all are meant."""
        return f"[{' '.join([format(x, spec) for x in tracer.value])}]" if spec else str(tracer)

    def look(self, tracer: Tracer, convert: Callable[[Any], Any], what: str) -> NoReturn:
        raise TypeError(
            f"{what} asks for one value where there are {self.size} examples ({self.label}). "
            f"Write np.where(condition, x, y) for if, funcgrad.numpy.take(table, t, axis=0) for "
            f"table[t], x[t + np.arange(n)] for x[t : t + n], funcgrad.cond or "
            f"funcgrad.while_loop for what depends on the example; print(t) shows all of them."
        )

    def lose(
        self, tracer: Tracer, convert: Callable[[Any], Any], what: str, instead: str
    ) -> NoReturn:
        where, remedy = blamed()
        raise DerivativeLostError(
            f"{what}{where} would turn {self.size} examples of shape {tracer.shape} and dtype "
            f"{tracer.dtype} into one plain array ({self.label}). Write "
            f"funcgrad.numpy.take(table, t, axis=0) for table[t], or {remedy or instead}."
        )

    def stack(self, t: Any) -> Any:
        """A value of the user's function for each example."""
        if type(t) is Tracer and t.owner is self:
            return t.value
        return spread(t, self.size)


def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_size: int | None = None,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that maps ``f`` over an axis of its arguments, all examples at once.

    ``in_axes`` says which axis, for each argument: an int, None for an argument that is the same
    for all examples, or a pytree of them like the argument or the upper part of it; one int is for
    all arguments. Keyword arguments are mapped over their first axis. ``out_axes`` says in the same
    manner where the results get theirs: None is for a result that is the same for all examples,
    and for one that is no array. ``axis_size`` is needed only where nothing is mapped. With
    ``chunk_size`` no more than so many examples are computed at once, which bounds memory.

    >>> import numpy as np, funcgrad as fg
    >>> dots = fg.vmap(np.dot, in_axes=(0, None))
    >>> dots(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0])).tolist()
    [3.0, 7.0]
    >>> fg.vmap(fg.grad(lambda w, x: np.tanh(w @ x)), (None, 0))(np.zeros(2), np.eye(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    label = f"vmap({name_of(f)})"

    @named("vmap", f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten((args, kwargs))
        places = [*_entries(in_axes, args, label), *[0] * len(tree.leaves(kwargs))]
        named_leaves = _Names(structure)
        stacks = [
            _in_front(frozen(x), axis, i, named_leaves, label)
            for i, (x, axis) in enumerate(zip(leaves, places))
        ]
        size = _common_size(stacks, places, named_leaves, axis_size, label)

        def chunk(start: int, stop: int) -> tuple[list[Any], list[int | None], tree.Structure]:
            """The results of some of the examples, their axis in front, and where it goes."""
            trace = Batch(f, stop - start)
            entering = [
                unchanged(x) if axis is None else Tracer(trace, x[start:stop], None)
                for x, axis in zip(stacks, places)
            ]
            entering_args, entering_kwargs = tree.unflatten(structure, entering)
            result = run(trace, f, entering_args, entering_kwargs)
            outs, form = tree.flatten(result)
            ends = list(_axes(out_axes, result, "out_axes", "the result", label))
            for i, (out, end) in enumerate(zip(outs, ends)):
                _check_result(trace, out, end, form, i, label)
            return [o if e is None else trace.stack(o) for o, e in zip(outs, ends)], ends, form

        whole = max(size, 1)
        step = whole if chunk_size is None else check_count(chunk_size, "chunk_size", 1, label)
        starts = range(0, whole, step)
        parts = [chunk(start, min(start + step, size)) for start in starts]
        _, ends, form = parts[0]
        columns = zip(*(outs for outs, _, _ in parts))
        taken: set[int] = set()
        return tree.unflatten(form, [_placed(c, end, taken) for c, end in zip(columns, ends)])

    return mapped


class _Names:
    """What errors call the leaves of the arguments (args, kwargs)."""

    def __init__(self, structure: tree.Structure) -> None:
        self.structure = structure

    def __getitem__(self, i: int) -> str:
        name, *rest = self.structure.paths()[i][1:]
        what = f"argument {name.key}"
        return f"{what}, leaf {tree.keystr(tuple(rest))}" if rest else what

    def is_keyword(self, i: int) -> bool:
        return self.structure.paths()[i][0].key == 1


def check_count(n: Any, what: str, least: int, label: str) -> int:
    """``n``, which must be a number of examples."""
    if isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= least:
        return int(n)
    raise ValueError(f"{label}: {what} is {n!r}, and must be an int from {least} on, or None.")


def _entries(in_axes: Any, args: tuple[Any, ...], label: str) -> list[int | None]:
    """The axis of each leaf of the positional arguments."""
    if isinstance(in_axes, tuple | list):
        if len(in_axes) != len(args):
            raise ValueError(
                f"{label}: in_axes has {len(in_axes)} entries for {len(args)} positional "
                f"arguments. Give one for each, or one int for all."
            )
    elif KINDS[type(in_axes)] is None or in_axes is None:
        in_axes = [in_axes] * len(args)
    else:
        raise TypeError(
            f"{label}: in_axes is {described(in_axes)}, and must be an int, None, or a tuple with "
            f"one entry for each positional argument. Write in_axes=(axes,)."
        )
    return [
        axis
        for i, (spec, arg) in enumerate(zip(in_axes, args))
        for axis in _axes(spec, arg, "in_axes", f"argument {i}", label)
    ]


def _axes(spec: Any, node: Any, what: str, called: str, label: str) -> Iterator[int | None]:
    """The axis that the pytree of axes ``spec``, or the upper part of one, has for each leaf."""
    if spec is None or (isinstance(spec, int | np.integer) and type(spec) is not bool):
        axis = None if spec is None else operator.index(spec)
        yield from [axis] * (len(tree.leaves(node)) if KINDS[type(node)] else 1)
        return
    kind, given = KINDS[type(node)], KINDS[type(spec)]
    alike = type(spec) is type(node) or {type(spec), type(node)} == {list, tuple}
    if kind and given and alike:
        children, aux = kind.flatten(node)
        specs, form = given.flatten(spec)
        if aux == form and len(children) == len(specs):
            for key, entry, child in zip(kind.keys(aux, len(children)), specs, children):
                yield from _axes(entry, child, what, f"{called}{key}", label)
            return
    raise ValueError(
        f"{label}: {what} is {spec!r:.200} for {called}, which is "
        f"{'one leaf' if kind is None else f'{tree.structure(node)!r:.200}'}. Give an int or None "
        f"for each leaf, or one for a whole part of the tree."
    )


def _check_result(
    trace: Batch, out: Any, end: int | None, form: tree.Structure, i: int, label: str
) -> None:
    """Raise unless result ``i`` can have its batch axis at ``end``."""
    varies = type(out) is Tracer and out.owner is trace
    if varies and end == 0:
        return
    called = f"{label}: the result{tree.keystr(form.paths()[i])}"
    if end is None:
        if varies:
            raise ValueError(
                f"{called} differs between the examples, and out_axes is None for it. Give it an "
                f"axis."
            )
    elif not is_number(out):
        raise TypeError(
            f"{called} is {described(out)}, which cannot be stacked. Write out_axes=None for it "
            f"where it is the same for all examples."
        )
    elif not -np.ndim(out) - 1 <= end <= np.ndim(out):
        raise ValueError(
            f"{called} has shape {np.shape(out)} in each example, so that its batch axis cannot be "
            f"axis {end}."
        )


def _placed(pieces: tuple[Any, ...], axis: int | None, taken: set[int]) -> Any:
    """The stacks of all chunks as one result of the caller's own, the batch axis where it goes.

    An array that an operation made is the caller's as it is, once; a view may be of anything.
    """
    if axis is None:
        same = pieces[0]
        return same.copy() if type(same) is np.ndarray else frozen(same)
    whole = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
    if type(whole) is np.ndarray and (whole.base is not None or id(whole) in taken):
        whole = whole.copy()
    taken.add(id(whole))
    return frozen(np.moveaxis(whole, 0, axis) if axis else whole)


def _in_front(x: Any, axis: int | None, i: int, names: _Names, label: str) -> Any:
    """Leaf ``i`` of the arguments with the axis that is mapped over in front."""
    if axis is None:
        return x
    ndim = np.ndim(x) if isinstance(x, np.ndarray | Tracer) else 0
    if not -ndim <= axis < ndim:
        shared = (
            "Keyword arguments are mapped along axis 0: close over those that all examples share."
            if names.is_keyword(i)
            else "in_axes says None for what is the same for all examples."
        )
        raise ValueError(
            f"{label}: {names[i]}: {described(x)} has no axis {axis} to map over. {shared}"
        )
    if not is_number(x) or type(x) not in (np.ndarray, np.memmap, Tracer):
        raise TypeError(
            f"{label}: {names[i]} is a {type(x).__name__} of dtype {x.dtype}, and vmap maps over "
            f"plain arrays of numbers. Pass np.asarray(x), or in_axes=None for it."
        )
    return np.moveaxis(np.asarray(x) if type(x) is np.memmap else x, axis, 0) if axis else x


def _common_size(
    stacks: list[Any],
    places: list[int | None],
    names: _Names,
    axis_size: int | None,
    label: str,
) -> int:
    """The number of examples, which all mapped leaves must agree on."""
    sizes = {len(x) for x, axis in zip(stacks, places) if axis is not None}
    if axis_size is not None:
        sizes.add(check_count(axis_size, "axis_size", 0, label))
    if len(sizes) == 1:
        return sizes.pop()
    if not sizes:
        raise ValueError(
            f"{label}: nothing is mapped over, so that the number of examples is not known. Give "
            f"an axis in in_axes, or axis_size."
        )
    each = "; ".join(
        f"{names[i]} has {len(x)} along axis {axis}"
        for i, (x, axis) in enumerate(zip(stacks, places))
        if axis is not None
    )
    asked = f"; axis_size is {axis_size}" if axis_size is not None else ""
    raise ValueError(f"{label}: the sizes of the mapped axes differ: {each}{asked}.")
