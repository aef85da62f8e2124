"""Control flow with the names of ``jax.lax``: loops that carry a pytree, and choices of a function.

Under ``grad``, ``jvp`` and ``make_graph`` a Python ``for`` or ``if`` works as it stands, and these
functions are no more than that: they call the function given to them on traced values, step after
step, so that whatever it closes over is followed too, and every transform of it is at hand. What
they add is the check that a carry keeps its form, results stacked once, and ``vmap``: where a
predicate differs between the examples, nobody can look at it, and a choice becomes a selection. ::

    vmap(lambda x: cond(x > 0, np.sqrt, np.zeros_like, x))(np.array([4.0, -1.0]))

runs both branches on the whole stack, and takes from each its examples by ``np.where``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .closures import untouched
from .core import Tracer, raw
from .errors import TreeError
from .rules.order import is_batched
from .trace import WEAK, name_of
from .transform import described, is_number
from .views import own
from .vmap import Batch, vmap


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """The last carry of ``carry, y = f(carry, x)`` over the rows x of ``xs``, and all y, stacked.

    ``init``, ``xs`` and ``y`` are pytrees; the leaves of ``xs`` share the length of their first
    axis, which ``length`` gives where there are none and x is then None. The carry keeps its
    structure, shapes and dtypes, and so does y; a Python number takes the dtype of its first
    successor. ``reverse`` goes from the last row to the first, and leaves each y at its row. A scan
    of no rows is an error, since the form of y is not known; ``fori_loop`` takes no steps gladly.

    >>> import numpy as np, funcgrad as fg
    >>> total, sums = fg.scan(lambda c, x: (c + x, c + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> float(total), sums.tolist()
    (6.0, [1.0, 3.0, 6.0])
    """
    return _scanned(_label("scan", f), f, init, xs, length, reverse)


def _scanned(
    label: str,
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any,
    length: int | None,
    reverse: bool,
) -> tuple[Any, Any]:
    """``scan`` on behalf of what errors call ``label``."""
    rows, structure = tree.flatten(xs)
    count = _length(rows, structure, length, label)
    carry = Form(init, label, "the carry", "at the start", "after a step")
    ys: Any = None
    stacks: list[list[Any]] = []
    state = tree.map(own, init)
    for i in reversed(range(count)) if reverse else range(count):
        pair = f(state, tree.unflatten(structure, [own(x[i]) for x in rows]))
        if type(pair) is not tuple or len(pair) != 2:
            raise TypeError(
                f"{label}: f must return a pair (carry, y), and returned {described(pair)}. "
                f"Write return carry, None where nothing is to be stacked."
            )
        state = carry.checked(pair[0])
        if ys is None:
            ys = Form(pair[1], label, "y", "after the first step", "after a later one")
        stacks.append([own(y) for y in ys.leaves(pair[1])])
    if reverse:
        stacks.reverse()
    return state, tree.unflatten(ys.structure, [np.stack(column) for column in zip(*stacks)])


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """The last of ``val = body_fun(i, val)`` for i from ``lower`` up to ``upper`` − 1.

    ``val`` is a pytree that keeps its structure, shapes and dtypes. Under vmap the bounds may
    differ between the examples.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.fori_loop(0, 3, lambda i, val: val * x, 1.0))(2.0))
    12.0
    """
    label = _label("fori_loop", body_fun)
    start = _integer(lower, label, "lower")
    steps = _integer(upper, label, "upper") - start
    form = Form(init_val, label, "val", "at the start", "after a step")
    val = tree.map(own, init_val)
    for k in range(np.max(examples(steps, label), initial=0)):
        val = _advance(k < steps, body_fun, (start + k, val), val, form)
    return val


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any
) -> Any:
    """The last of ``val = body_fun(val)`` for as long as ``cond_fun(val)`` is true.

    ``val`` is a pytree that keeps its structure, shapes and dtypes. Reverse mode works, since the
    number of steps is known once they are taken. Under vmap the loop runs until every example is
    done, and those that are done keep their value.

    >>> import funcgrad as fg
    >>> half = lambda x: fg.while_loop(lambda val: val > 1.0, lambda val: 0.5 * val, x)
    >>> float(half(6.0)), float(fg.grad(half)(6.0))
    (0.75, 0.125)
    """
    label = _label("while_loop", body_fun, cond_fun)
    form = Form(init_val, label, "val", "at the start", "after a step")
    val = tree.map(own, init_val)
    while True:
        running = _predicate(cond_fun(val), label, "cond_fun(val)")
        if not (np.any(examples(running, label)) if is_batched(running) else running):
            return val
        val = _advance(running, body_fun, (val,), val, form)


def cond(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any
) -> Any:
    """``true_fun(*operands)`` where ``pred`` is true, ``false_fun(*operands)`` where it is not.

    Only the chosen one is called, unless ``pred`` differs between the examples of a vmap: then both
    are, without floating-point warnings, and their results must agree in structure, shapes and
    dtypes.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.cond(x > 0, lambda x: x * x, lambda x: -x, x))(3.0))
    6.0
    """
    label = _label("cond", true_fun, false_fun)
    pred = _predicate(pred, label, "pred")
    if not is_batched(pred):
        return (true_fun if pred else false_fun)(*tree.map(own, operands))
    with np.errstate(all="ignore"), untouched(label, true_fun, false_fun):
        yes, no = [f(*tree.map(own, operands)) for f in (true_fun, false_fun)]
    form = Form(yes, label, "the result", "from true_fun", "from false_fun")
    return _select(pred, yes, form.checked(no))


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """``branches[index](*operands)``, with ``index`` clamped to the branches that there are.

    Only that one is called, unless ``index`` differs between the examples of a vmap: see ``cond``.

    >>> import numpy as np, funcgrad as fg
    >>> float(fg.switch(5, [np.sin, np.cos], 0.0))
    1.0
    >>> fg.vmap(lambda i, x: fg.switch(i, [np.sin, np.cos], x))(np.arange(2), np.zeros(2)).tolist()
    [0.0, 1.0]
    """
    if not branches:
        raise ValueError("switch needs at least one branch, and got none.")
    label = _label("switch", *branches)
    index = _integer(index, label, "index")
    if not is_batched(index):
        return branches[min(max(index, 0), len(branches) - 1)](*tree.map(own, operands))
    with np.errstate(all="ignore"), untouched(label, *branches):
        result, *others = [branch(*tree.map(own, operands)) for branch in branches]
    for k, other in enumerate(others, start=1):
        form = Form(result, label, "the result", "from branch 0", f"from branch {k}")
        result = _select(index >= k, form.checked(other), result)
    return result


def map(f: Callable[[Any], Any], xs: Any, batch_size: int | None = None) -> Any:
    """``f`` of each row of ``xs``, stacked: one after the other, or ``batch_size`` at a time.

    The leaves of ``xs`` share the length of their first axis. With ``batch_size`` it is ``vmap`` on
    so many rows at once: as fast as that, with less memory.

    >>> import numpy as np, funcgrad as fg
    >>> fg.map(np.sum, np.arange(6.0).reshape(3, 2)).tolist()
    [1.0, 5.0, 9.0]
    """
    if batch_size is not None:
        return vmap(f, chunk_size=batch_size)(xs)
    label = _label("map", f)
    return _scanned(label, lambda _, x: (None, f(x)), None, xs, None, False)[1]


_LEAF = tree.structure(0.0)


class Form:
    """The structure, shapes and dtypes that later trees must share with the one it is made of.

    In errors ``what`` is the tree's name, ``first`` says of which moment the one is, and ``later``
    the others. A Python number takes the dtype of its successor, if that can hold it.
    """

    def __init__(self, example: Any, label: str, what: str, first: str, later: str) -> None:
        self.label, self.what, self.first, self.later = label, what, first, later
        leaves, self.structure = tree.flatten(example)
        self.kinds: list[tuple[Any, Any]] = []
        for i, leaf in enumerate(leaves):
            self._check_number(i, leaf, first)
            plain = raw(leaf)
            self.kinds.append(_kind(plain if type(plain) in WEAK else leaf))

    def checked(self, other: Any) -> Any:
        """``other`` in containers of its own, which raises unless it has this form."""
        return tree.unflatten(self.structure, self.leaves(other))

    def leaves(self, other: Any) -> list[Any]:
        """The leaves of ``other``, which raises unless it has this form."""
        leaves, structure = tree.flatten(other)
        if structure is not self.structure and structure != self.structure:
            what = f"{self.what} {self.later}"
            if self.structure == _LEAF and isinstance(other, list | tuple):
                raise TreeError(
                    f"{self.label}: {what} is a {type(other).__name__} of {len(other)}, and "
                    f"{self.first} one array or number. Write np.stack([...]) for the former."
                )
            against = f"{self.what} {self.first}"
            tree.check_same(self.structure, structure, what, against, self.label)
        if [_kind(leaf) for leaf in leaves] == self.kinds:
            return leaves
        return [self._settled(i, leaf) for i, leaf in enumerate(leaves)]

    def _settled(self, i: int, leaf: Any) -> Any:
        """The leaf ``i`` of a later tree, where one of the two may be a Python number."""
        self._check_number(i, leaf, self.later)
        shape, dtype = self.kinds[i]
        got_shape, got_dtype = _kind(leaf)
        if (got_shape, got_dtype) == (shape, dtype) or (shape is None and got_shape is None):
            return leaf
        if not shape and not got_shape:
            if shape is None and np.result_type(got_dtype, dtype(0)) == got_dtype:
                self.kinds[i] = got_shape, got_dtype
                return leaf
            if got_shape is None and np.result_type(dtype, leaf) == dtype:
                return dtype.type(leaf)
        shape, got_shape = shape or (), got_shape or ()
        dtype, got_dtype = np.dtype(dtype), np.dtype(got_dtype)
        if shape == got_shape:
            cast = "np.real(t)" if got_dtype.kind == "c" != dtype.kind else f"t.astype(np.{dtype})"
            remedy = f"Write {cast} for the latter, or make the former {got_dtype}."
        else:
            remedy = (
                f"Give the latter shape {shape}, by np.reshape or a sum, or the former shape "
                f"{got_shape}, by np.broadcast_to."
            )
        raise TypeError(
            f"{self.label}: {self.what}{self._at(i)} has shape {shape} and dtype {dtype} "
            f"{self.first}, and shape {got_shape} and dtype {got_dtype} {self.later}. {remedy}"
        )

    def _check_number(self, i: int, leaf: Any, when: str) -> None:
        if not is_number(leaf):
            raise TypeError(
                f"{self.label}: {self.what}{self._at(i)} {when} is {described(leaf)}, and must be "
                f"a number or an array of numbers. Close over what is none, or return it from "
                f"outside."
            )

    def _at(self, i: int) -> str:
        return tree.keystr(self.structure.paths()[i])


def _kind(leaf: Any) -> tuple[Any, Any]:
    """The shape and dtype of a leaf; of a Python number None and its type."""
    try:
        return leaf.shape, leaf.dtype
    except AttributeError:
        return None, type(leaf)


# Values that differ between the examples of a vmap.


def examples(t: Any, what: str) -> Any:
    """The plain values of ``t`` in all examples, on which ``what`` decides for all of them."""
    while type(t) is Tracer:
        t = t.value if type(t.owner) is Batch else t.owner.look(t, lambda x: x, what)
    return t


def _advance(
    running: Any, body: Callable[..., Any], arguments: tuple[Any, ...], val: Any, form: Form
) -> Any:
    """``body(*arguments)`` in the examples that are ``running``, and ``val`` in the others."""
    if not is_batched(running) or np.all(examples(running, form.label)):
        return form.checked(body(*arguments))
    before = tree.map(own, val)
    with np.errstate(all="ignore"), untouched(form.label, body):
        new = form.checked(body(*arguments))
    return _select(running, new, before)


def _select(pred: Any, yes: Any, no: Any) -> Any:
    """Leaf by leaf ``yes`` where ``pred`` is true and ``no`` where it is not."""
    return tree.map(lambda y, n: y if y is n else np.where(pred, y, n), yes, no)


# What the caller gave.


def _label(name: str, *functions: Any) -> str:
    """What errors call this call, all of whose ``functions`` must be some."""
    for f in functions:
        if not callable(f):
            raise TypeError(f"{name} takes functions, and got {described(f)} in place of one.")
    return f"{name} of {name_of(functions[0])}"


def _predicate(pred: Any, label: str, what: str) -> Any:
    """A condition, as a bool unless it is batched."""
    if not is_number(pred) or np.shape(pred) != ():
        raise TypeError(
            f"{label}: {what} must be one bool, and is {described(pred)}. "
            f"Write np.any(...) or np.all(...) for many, np.where for a choice element by element."
        )
    return pred != 0 if is_batched(pred) else bool(pred)


def _integer(x: Any, label: str, what: str) -> Any:
    """An integer, as an int unless it is batched."""
    if not is_number(x) or np.shape(x) != () or np.result_type(x).kind not in "biu":
        raise TypeError(
            f"{label}: {what} must be one integer, and is {described(x)}. Write int(...) for it, "
            f"or .astype(int) under vmap."
        )
    return x.astype(np.int64) if is_batched(x) else int(x)


def _length(rows: list[Any], structure: tree.Structure, length: Any, label: str) -> int:
    """The number of steps of a scan."""
    sizes = []
    for path, x in zip(structure.paths(), rows):
        if not isinstance(x, np.ndarray | Tracer) or not x.shape:
            raise TypeError(
                f"{label}: xs{tree.keystr(path)} is {described(x)}, and has no first axis to go "
                f"along. Write np.array(xs) for a list of numbers, close over what is the same in "
                f"each step."
            )
        sizes.append(x.shape[0])
    if length is not None:
        sizes.append(_integer(length, label, "length"))
    if not sizes:
        raise ValueError(f"{label}: the number of steps is not known. Give xs, or length.")
    if len(set(sizes)) > 1:
        each = [f"xs{tree.keystr(p)} has {n} rows" for p, n in zip(structure.paths(), sizes)]
        asked = [f"length is {length}"] if length is not None else []
        raise ValueError(f"{label}: the lengths differ: {'; '.join(each + asked)}.")
    if sizes[0] < 1:
        raise ValueError(
            f"{label}: there is no row, so that the form of y is not known. "
            f"Write fori_loop where only the carry is wanted, vmap in place of map."
        )
    return sizes[0]
