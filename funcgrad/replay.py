"""``checkpoint``: memory for time, by running a function again when its derivative is taken.

The operations of a checkpointed call are recorded apart from the tape and then forgotten: one node
is left in their place, which knows the values that went in. When the walk comes to it, the tape is
opened again, the function runs once more on the same traced values, and the walk goes through what
that recorded. Nothing else changes, so that whatever the function closes over is differentiated
too, and checkpoints nest.
"""

from __future__ import annotations

import functools
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import tree
from .closures import traced_in
from .control import scan
from .core import Primitive, Tracer, frozen, is_written, raw
from .errors import UnsupportedError
from .forward import Dual
from .joint import Pullback
from .pull import Like
from .rules.writable import replayed
from .tape import TO_OPERAND, TO_PART, Tape
from .trace import Trace
from .transform import check_function, named, running
from .views import own
from .vmap import Batch
from .walk import SETTLED, pulled

Policy = Callable[[str, dict[str, Any]], bool]
Sum = tuple[Any, Any]


def _save_nothing(name: str, keywords: dict[str, Any]) -> bool:
    return False


def _save_products(name: str, keywords: dict[str, Any]) -> bool:
    return name in ("matmul", "einsum", "affine")


def _save_names(*names: str) -> Policy:
    return lambda name, keywords: name == "named" and keywords["label"] in names


#: What a checkpoint may keep: ``nothing_saveable``, ``dots_saveable`` (products of matrices) and
#: ``save_only_these_names(*names)`` (what ``debug.name`` named so).
checkpoint_policies = SimpleNamespace(
    nothing_saveable=_save_nothing,
    dots_saveable=_save_products,
    save_only_these_names=_save_names,
)


def checkpoint(f: Callable[..., Any], policy: Policy = _save_nothing) -> Callable[..., Any]:
    """``f``, of which reverse mode keeps only the arguments, and runs it again on the way back.

    The peak memory of a gradient falls to that of the checkpointed calls' arguments and results and
    of one call's inside; the time grows by one run of ``f``. ``f`` must give the same results
    again, which is checked. ``policy`` says which results inside are kept all the same: one of
    ``checkpoint_policies``, or a function of an operation's name and a dict of its keywords.
    Checkpoints nest, and work under every other transform; forward mode, which keeps nothing, runs
    ``f`` as it is.
    Griewank and Walther, "Evaluating derivatives", 2nd edition, SIAM 2008, chapter 12.

    >>> import numpy as np, funcgrad as fg
    >>> layer = fg.checkpoint(lambda w, x: np.tanh(w @ x))
    >>> fg.grad(lambda w: np.sum(layer(w, layer(w, np.ones(2)))))(np.zeros((2, 2))).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """

    check_function(
        "checkpoint's policy", policy, "checkpoint(f, checkpoint_policies.dots_saveable)"
    )

    @named("checkpoint", f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        traces = {t.owner for t in traced_in(f, args, kwargs) if not is_written(t)}
        tapes = [t for t in traces if isinstance(t, Tape)]
        tape = max(tapes, key=lambda t: t.birth, default=None)
        through = [t for t in traces if tape is not None and t.birth > tape.birth]
        # The caller and the function may write to their arguments: each has arrays of its own.
        args, kwargs = tree.map(own, (args, kwargs))
        if tape is None or tape.closed or not all(isinstance(t, Batch | Dual) for t in through):
            return f(*args, **kwargs)
        if not tape.lock.acquire(blocking=False):  # one thread at a time; this one does without
            return f(*args, **kwargs)
        try:
            again = functools.partial(_run_on_copies, f, args, kwargs)
            return _Segment(tape, again, policy, through).record()
        finally:
            tape.lock.release()

    return checkpointed


#: The other name under which JAX has it.
remat = checkpoint


def checkpointed_scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any = None, length: int | None = None
) -> tuple[Any, Any]:
    """``scan(f, init, xs, length)`` whose gradient takes memory for about 2·√n carries of n steps.

    The steps run in √n groups, each a checkpoint of steps that are checkpoints themselves, so that
    each step is computed three times in all.

    >>> import numpy as np, funcgrad as fg
    >>> last = lambda x: fg.checkpointed_scan(lambda c, _: (np.sin(c), None), x, length=100)[0]
    >>> round(float(fg.grad(last)(1.0)), 6)
    0.003699
    """
    leaves, structure = tree.flatten(xs)
    counts = {np.shape(x)[0] if np.ndim(x) else None for x in leaves} | {length} - {None}
    count = counts.pop() if len(counts) == 1 else None
    if not isinstance(count, int | np.integer) or count < 1:
        return scan(f, init, xs, length)  # which says what is wrong
    size = math.isqrt(count - 1) + 1
    step = checkpoint(f)
    stacks = []
    carry = init
    for start in range(0, count, size):
        rows = tree.unflatten(structure, [x[start : start + size] for x in leaves])
        group = checkpoint(functools.partial(scan, step, length=min(size, count - start)))
        carry, ys = group(carry, rows)
        stacks.append(ys)
    return carry, tree.map(lambda *parts: np.concatenate(parts), *stacks)


def _run_on_copies(f: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """``f(*args, **kwargs)``, after which the arguments are what they were."""
    args, kwargs = tree.map(own, (args, kwargs))
    return replayed(f, *args, **kwargs)


class _Segment:
    """A part of a tape that is recorded again when the walk comes to it."""

    def __init__(
        self, tape: Tape, f: Callable[[], Any], policy: Policy, through: list[Trace]
    ) -> None:
        self.tape = tape
        self.f = f
        self.policy = policy
        self.through = through
        self.thread = threading.get_ident()
        self.order: dict[int, int] = {}  # the place of each operation's node among them
        self.saved: dict[int, Any] = {}  # by the same places
        self.constants: list[Sum] = []  # of the arrays from outside that operations met

    def record(self) -> Any:
        """``f()``, of whose operations one node is left on the tape."""
        tape = self.tape
        first = next(tape.nodes)
        with _apart(tape, self._saving) as edges:
            result = _without_hidden(self.f())
            outs = self._within(result, first)
        self.order.clear()
        self.parents = _outside(edges, first)
        if not edges.elsewhere.isdisjoint([*edges[1::5], *[t.node for t in outs]]):
            raise UnsupportedError(
                f"checkpoint: another thread computed traced values for the function while it ran "
                f"({tape.label}). Start no threads inside; a thread may call the checkpointed "
                f"function."
            )
        self.sums = [_sum(t.value) for t in outs]
        likes = [Like(t) for t in outs]
        node = next(tape.nodes)
        tape.inside.append(range(first + 1, node))
        pullback = Pullback(self._pull, None, 0)
        record: list[Any] = []
        for i, parent in enumerate(self.parents):
            record += (node, parent, TO_OPERAND, (pullback, i), SETTLED)
        for k, t in enumerate(outs):
            record += (t.node, node, TO_PART, (likes, k), likes[k])
        tape.edges.extend(record)
        return result

    def _pull(self, g: Any, _: Any) -> list[Any]:
        """The cotangents of ``parents`` from those of the results."""
        tape = self.tape
        again = _apart(tape, self._reusing)
        with tape.lock, running(), _open([tape, *self.through]), again as edges:
            self.place = 0
            self.constants_again: list[Sum] = []
            first = next(tape.nodes)
            outs = self._within(_without_hidden(self.f()), first)
            inside = tape.inside
        sums = [*self.constants_again, *[_sum(t.value) for t in outs]]
        expected = [*self.constants, *self.sums]
        is_same = len(sums) == len(expected) and all(map(_agree, expected, sums))
        if not is_same or _outside(edges, first) != self.parents:
            raise RuntimeError(
                f"checkpoint: a function did not do the same when it ran again for its derivative "
                f"({tape.label}). It must not draw random numbers, nor use anything that changes "
                f"between the two runs, such as an array or the variable of a loop around it."
            )
        seeds = {t.node: c for t, c in zip(outs, g)}
        return pulled(edges, seeds, self.parents, 0, lambda: (_ByNode(), _ByNode()), inside)

    def _within(self, result: Any, first: int) -> list[Tracer]:
        """The values of this tape in ``result`` that came after its node ``first``, each once."""
        found: dict[int, Tracer] = {}
        rest = tree.leaves(result)[::-1]
        while rest:
            t = rest.pop()
            if type(t) is not Tracer or t.owner.birth < self.tape.birth:
                continue
            if t.owner is not self.tape:
                rest += [t.node, t.value]
            elif t.node > first:
                found[t.node] = t
        return list(found.values())

    def _saving(self, primitive: Primitive, operands: tuple[Any, ...], keywords: Any) -> Any:
        self.constants += map(_sum, _arrays(operands, keywords))
        ans = Tape.process(self.tape, primitive, operands, keywords)
        if primitive.pulls is None or self.thread != threading.get_ident():
            return ans
        self.order[ans.node] = len(self.order)
        if self.policy(primitive.name, keywords):
            kept = operands[0] if primitive.name == "named" else ans
            if kept.node in self.order:
                self.saved[self.order[kept.node]] = kept.value
        return ans

    def _reusing(self, primitive: Primitive, operands: tuple[Any, ...], keywords: Any) -> Any:
        self.constants_again += map(_sum, _arrays(operands, keywords))
        if primitive.pulls is not None:
            if self.place in self.saved:
                value = self.saved[self.place]
                primitive = Primitive(
                    primitive.name,
                    lambda *_, **__: value,
                    primitive.pulls,
                    primitive.pushes,
                    primitive.batch,
                    dispatches=True,
                )
            self.place += 1
        return Tape.process(self.tape, primitive, operands, keywords)


def _without_hidden(result: Any) -> Any:
    """``result``, in which a view of an array that is not there itself stands for its own, so that
    a write to it needs nothing else from inside."""
    leaves = tree.leaves(result)
    count = Counter(id(_root(t)) for t in leaves)
    there = set(map(id, leaves))

    def own_root(t: Any) -> Any:
        root = id(_root(t))
        return frozen(t) if root not in there and count[root] == 1 else t

    return tree.map(own_root, result)


def _root(t: Any) -> Any:
    while type(t) is Tracer and t.origin is not None:
        t = t.origin[0]
    return t


def _outside(edges: list[Any], first: int) -> list[int]:
    """The nodes before ``first`` that ``edges`` lead to."""
    return list(dict.fromkeys(parent for parent in edges[1::5] if parent < first))


class _Apart(list[Any]):
    """The edges that this thread records, apart from those of others, which go on the tape."""

    def __init__(self, others: list[Any]) -> None:
        super().__init__()
        self.thread = threading.get_ident()
        self.others = others
        self.elsewhere: set[int] = set()  # the nodes that others recorded

    def extend(self, record: Any) -> None:
        if self.thread == threading.get_ident():
            super().extend(record)
        else:
            self.elsewhere.update(record[::5])
            self.others.extend(record)


class _ByNode(dict[int, Any]):
    """What a walk knows of some nodes, None of all others."""

    def __missing__(self, node: int) -> None:
        return None


@contextmanager
def _apart(tape: Tape, process: Callable[..., Any]) -> Iterator[_Apart]:
    """What this thread records on ``tape`` meanwhile, by ``process`` in place of the tape's own."""
    edges, inside, before = tape.edges, tape.inside, vars(tape).get("process")
    apart = _Apart(edges)
    tape.edges, tape.inside, tape.process = apart, [], process  # type: ignore[method-assign]
    try:
        yield apart
    finally:
        tape.edges, tape.inside = edges, inside
        if before is None:
            del tape.process
        else:
            tape.process = before  # type: ignore[method-assign]


@contextmanager
def _open(traces: list[Trace]) -> Iterator[None]:
    """Ended traces that can be used again meanwhile."""
    hidden = [{name: vars(t).pop(name, None) for name in _METHODS} for t in traces]
    try:
        yield
    finally:
        for trace, methods in zip(traces, hidden):
            vars(trace).update({name: m for name, m in methods.items() if m is not None})


#: What ``Trace.close`` hides.
_METHODS = ("process", "joint", "look", "lose")


def _arrays(operands: tuple[Any, ...], keywords: dict[str, Any]) -> list[np.ndarray]:
    return [x for x in (*operands, *keywords.values()) if type(x) is np.ndarray]


def _sum(x: Any) -> Sum:
    """Two numbers that tell whether ``x`` is what it was, but for rounding: a sum in which each
    place has a weight of its own, and what it may differ by."""
    x = np.ravel(raw(x))
    x = x if x.dtype.kind in "fc" else x.astype(float)
    with np.errstate(all="ignore"):
        size = np.vdot(x, x).real ** 0.5
    if not np.isfinite(size):
        x = np.nan_to_num(x, nan=1.0, posinf=2.0, neginf=-2.0)
        size = np.sum(np.abs(x))
    return np.dot(_weights(x.size), x), np.finfo(x.dtype).eps ** 0.75 * size * x.size**0.5


@functools.lru_cache(maxsize=8)
def _weights(size: int) -> np.ndarray:
    return 1.0 + np.sqrt(2.0) * np.arange(size) % 1.0


def _agree(before: Sum, after: Sum) -> bool:
    return bool(abs(before[0] - after[0]) <= max(before[1], after[1]))
