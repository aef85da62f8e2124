"""``vmap``: a function of one example turned into one of a stack of them.

Every traced value holds the whole stack, its batch axis in front, and shows the user's function the
shape of one example. Each operation runs once, on stacks, by its batch rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from . import tree
from .batching import spread
from .core import Primitive, Trace, Tracer
from .errors import DerivativeLostError
from .transform import described, named, run


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

    def look(self, tracer: Tracer, convert: Callable[[Any], Any], what: str) -> NoReturn:
        raise TypeError(
            f"{what} asks for one value where there are {self.size} examples ({self.label}). "
            f"Write np.where(condition, x, y) for if, np.take(table, t) for table[t], "
            f"funcgrad.cond or funcgrad.while_loop for what depends on the example."
        )

    def lose(
        self, tracer: Tracer, convert: Callable[[Any], Any], what: str, instead: str
    ) -> NoReturn:
        raise DerivativeLostError(
            f"{what} would turn {self.size} examples of shape {tracer.shape} and dtype "
            f"{tracer.dtype} into one plain array ({self.label}). Write np.take(table, t) for "
            f"table[t], {instead}."
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
    manner where the results get theirs. ``axis_size`` is needed only where nothing is mapped. With
    ``chunk_size`` no more than so many examples are computed at once, which bounds memory.

    >>> import numpy as np, funcgrad as fg
    >>> dots = fg.vmap(np.dot, in_axes=(0, None))
    >>> dots(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0])).tolist()
    [3.0, 7.0]
    >>> fg.vmap(fg.grad(lambda w, x: np.tanh(w @ x)), (None, 0))(np.zeros(2), np.eye(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    @named("vmap", f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        label = mapped.__name__
        axes = in_axes if isinstance(in_axes, tuple | list) else [in_axes] * len(args)
        if len(axes) != len(args):
            raise ValueError(
                f"{label}: in_axes has {len(axes)} entries for {len(args)} positional arguments. "
                f"Give one for each, or one int for all."
            )
        leaves, structure = tree.flatten((args, kwargs))
        paths = list(structure.paths())
        spec = (tuple(axes), dict.fromkeys(kwargs, 0))
        places = [_axis_of(spec, path, "in_axes", label) for path in paths]
        stacks = [_in_front(x, axis, path, label) for x, axis, path in zip(leaves, places, paths)]
        size = _common_size(stacks, places, paths, axis_size, label)

        def chunk(start: int, stop: int) -> tuple[list[Any], tree.Structure]:
            """The results of some of the examples, their axis in front."""
            trace = Batch(f, stop - start)
            entering = [
                x if axis is None else Tracer(trace, x[start:stop], None)
                for x, axis in zip(stacks, places)
            ]
            entering_args, entering_kwargs = tree.unflatten(structure, entering)
            outs, form = tree.flatten(run(trace, f, entering_args, entering_kwargs))
            ends = [_axis_of(out_axes, path, "out_axes", label) for path in form.paths()]
            for out, end, path in zip(outs, ends, form.paths()):
                if end is None and type(out) is Tracer and out.owner is trace:
                    raise ValueError(
                        f"{label}: the result{tree.keystr(path)} differs between the examples, "
                        f"and out_axes is None for it. Give it an axis."
                    )
            return [o if e is None else trace.stack(o) for o, e in zip(outs, ends)], form

        step = chunk_size or max(size, 1)
        parts = [chunk(start, min(start + step, size)) for start in range(0, max(size, 1), step)]
        form = parts[0][1]
        ends = [_axis_of(out_axes, path, "out_axes", label) for path in form.paths()]
        joined = []
        for end, *pieces in zip(ends, *(outs for outs, _ in parts)):
            joined.append(_placed(pieces, end))
        return tree.unflatten(form, joined)

    return mapped


def _placed(pieces: list[Any], axis: int | None) -> Any:
    """The stacks of all chunks as one result of the caller's own, the batch axis where it goes."""
    if axis is None:
        return pieces[0]
    whole = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
    whole = np.moveaxis(whole, 0, axis)
    return whole if type(whole) is Tracer else np.array(whole)


def _axis_of(spec: Any, path: tree.Path, what: str, label: str) -> int | None:
    """The axis that the pytree of axes ``spec``, or the upper part of one, has for a leaf."""
    for key in path:
        if spec is None or isinstance(spec, int):
            return spec
        try:
            spec = getattr(spec, key.key) if key.is_attribute else spec[key.key]
        except (AttributeError, KeyError, IndexError, TypeError):
            raise ValueError(
                f"{label}: {what} has no entry for the leaf {tree.keystr(path)}. Give an int or "
                f"None for each leaf, or one for a whole part of the tree."
            ) from None
    if spec is None or isinstance(spec, int):
        return spec
    raise ValueError(
        f"{label}: {what} is {spec!r} for the leaf {tree.keystr(path) or 'that is the result'}, "
        f"and must be an int or None there."
    )


def _in_front(x: Any, axis: int | None, path: tree.Path, label: str) -> Any:
    """The leaf ``x`` with the axis that is mapped over in front."""
    if axis is None:
        return x
    ndim = np.ndim(x) if isinstance(x, np.ndarray | Tracer) else 0
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"{label}: {_called(path)} is {described(x)}, and has no axis {axis} to map over. "
            f"in_axes says None for what is the same for all examples."
        )
    return np.moveaxis(x, axis, 0)


def _called(path: tree.Path) -> str:
    """What errors call a leaf of the arguments (args, kwargs)."""
    name, *rest = path[1:]
    what = f"argument {name.key}"
    return f"{what}, leaf {tree.keystr(tuple(rest))}" if rest else what


def _common_size(
    stacks: list[Any],
    places: list[int | None],
    paths: list[tree.Path],
    axis_size: int | None,
    label: str,
) -> int:
    """The number of examples, which all mapped leaves must agree on."""
    mapped = [(x, axis, path) for x, axis, path in zip(stacks, places, paths) if axis is not None]
    sizes = {len(x) for x, _, _ in mapped} | ({axis_size} if axis_size is not None else set())
    if len(sizes) == 1:
        return sizes.pop()
    if not sizes:
        raise ValueError(
            f"{label}: nothing is mapped over, so that the number of examples is not known. Give "
            f"an axis in in_axes, or axis_size."
        )
    each = "; ".join(f"{_called(path)} has {len(x)} along axis {axis}" for x, axis, path in mapped)
    asked = f"; axis_size is {axis_size}" if axis_size is not None else ""
    raise ValueError(f"{label}: the sizes of the mapped axes differ: {each}{asked}.")
