"""Arrays that can be written to: ``z = np.zeros_like(t); z[i] = t``, without changing any value.

A writable array is a name for a value that changes, and what it names at a moment is an ordinary
value, traced or plain. It is a ``Tracer`` like any other, whose owner is no transform but a
``Buffer`` that holds the present value. The buffer's birth is later than all others, so that every
operation comes to it first; it puts the present values in the place of all writable arrays and
binds the operation again. What transforms record are those values, and nothing that is kept can
change. A write makes a new value ::

    z[at] = v        the value of z becomes set_at(z, v, at=at), which is linear in z and v

that belongs to the youngest trace of the two, as any result does. So z need not know beforehand
which transform will write to it, or whether any will.

NumPy's views are seen from both sides: ``row = z[i]`` is a writable array whose value is computed
again after a write to z, and a write to row is a write to z. Whether an operation gives a view or a
copy NumPy itself says, asked about an array of the same layout.

Writes to single places, ``z[i] = v`` with integers, are collected and made at once when z is next
looked at, other than at places just written. So a loop that fills an array, or a recurrence
``z[i] = f(z[i - 1])``, takes linear time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..core import Primitive, Tracer, bind, frozen, raw
from ..pull import Like, gather
from ..trace import Trace, births
from .assignment import fitted, put
from .indexing import getitem

#: The operations that NumPy answers with a view, if it can.
_VIEWS = frozenset(
    "index reshape ravel transpose swapaxes moveaxis matrix_transpose squeeze expand_dims "
    "broadcast_to flip real imag".split()
)

#: The birth of the innermost function under way that runs again later, for its derivative.
_REPLAYED: ContextVar[int] = ContextVar("replayed", default=0)


def replayed(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """``f(*args, **kwargs)``, which runs again later and must find writable arrays unchanged."""
    token = _REPLAYED.set(next(births))
    try:
        return f(*args, **kwargs)
    finally:
        _REPLAYED.reset(token)


class Buffer(Trace):
    """What a writable array holds."""

    transform = "an array that is written to"
    writable = True

    def __init__(self, content: Any, layout: np.ndarray | None = None) -> None:
        super().__init__(Buffer)
        self.made = self.birth
        self.birth = math.inf  # type: ignore[assignment]
        like = Like(content)
        self.form = like.shape
        self.dtype = like.dtype
        self._hold(content)
        self.pending: dict[tuple[int, ...], Any] = {}
        self.version = 0
        self.sealed = ""
        self._layout = layout

    def _hold(self, content: Any) -> None:
        self.content = content
        if type(content) is np.ndarray:
            content.flags.writeable = False  # whoever gets it shall not write to it

    @property
    def label(self) -> str:
        return self.transform

    @property
    def layout(self) -> np.ndarray:
        """An array of the same shape and strides, whose elements mean nothing."""
        if self._layout is None:
            self._layout = np.empty(self.form, self.dtype)
        return self._layout

    @property
    def root(self) -> Buffer:
        return self

    # Operations.

    def process(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        if primitive.name in _VIEWS:
            return operands[0].owner.viewed(primitive, keywords)
        return bind(primitive, tuple(map(frozen, operands)), keywords)

    def joint(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        return primitive(*map(frozen, operands), **keywords)

    def viewed(self, primitive: Primitive, keywords: dict[str, Any]) -> Any:
        """The view, or what is no view, that an operation makes of this array."""
        if primitive.name == "index":
            key = _place(keywords["at"], self.form)
            if key is not None and len(key) == len(self.form):
                return self.taken(keywords["at"], key)
            if not _is_basic(keywords["at"]):
                at = keywords["at"]
                return _own(self.taken(at, key), self.layout[at])
        layout = primitive.impl(self.layout, **keywords)
        return self.view(lambda x: bind(primitive, (x,), keywords), layout, primitive, keywords)

    def view(
        self,
        compute: Callable[[Any], Any],
        layout: Any,
        primitive: Primitive | None = None,
        keywords: Any = None,
    ) -> Any:
        """What ``compute`` makes of this array: a view if ``layout``, made alike, is one."""
        if type(layout) is np.ndarray and np.may_share_memory(layout, self.layout):
            return _array(View(self, compute, layout, primitive, keywords))
        return _own(compute(self.current()), layout)

    def taken(self, at: Any, key: tuple[int, ...] | None) -> Any:
        """The elements at an index, as they are now."""
        if self.pending and key is not None and len(key) == len(next(iter(self.pending))):
            self.looked_at()
            return self.pending[key] if key in self.pending else getitem(self.content, key)
        return getitem(self.current(), at)

    # The present value.

    def current(self) -> Any:
        """The value as it is now, which no later write changes."""
        is_own = self.looked_at()
        if not self.pending:
            return self.content
        content = self.filled()
        if is_own:
            self._hold(content)
            self.pending = {}
        return content

    def filled(self) -> Any:
        """The content with what is pending written to it."""
        places = sorted(self.pending)
        vs = [self.pending[place] for place in places]
        if len(places) == math.prod(self.form[: len(places[0])]):
            return np.reshape(np.stack(vs), self.form)
        if len(places) == 1:
            return put(self.content, places[0], vs[0])
        return put(self.content, tuple(map(np.array, zip(*places))), np.stack(vs))

    def looked_at(self) -> bool:
        """Note a look, and tell whether what it computes may be kept. A function that runs again
        must find the value that it found, and leave nothing that it computed."""
        is_own = _REPLAYED.get() < self.made
        if not is_own:
            self.sealed = "a checkpointed function took it from its surroundings, and runs again"
        return is_own

    def write(
        self, tracer: Tracer, at: Any, v: Any, written: str = "z[i] = v", instead: str = ""
    ) -> None:
        """``tracer[at] = v``."""
        if type(v) is Tracer and type(v.owner) is View and v.owner.is_part(self, at):
            return  # of z[i] += v, after the sum has been written to z[i]
        self.check(written)
        key = _place(at, self.form)
        if key is not None:
            v = fitted(v, self.dtype, self.form[len(key) :])
            if type(v) is Tracer and isinstance(raw(v), np.ndarray):
                v = duplicate(v)  # which may be memory that changes before the write is made
            if self.pending and len(key) != len(next(iter(self.pending))):
                self.current()
            self.pending[key] = v
        elif _is_whole(at):
            v = fitted(v, self.dtype, self.form)
            self.pending = {}
            self._hold(duplicate(v) if type(v) is Tracer else np.array(v))
        else:
            self._hold(put(self.current(), at, v))
        self.version += 1

    def check(self, written: str) -> None:
        """Raise where a write would not be seen by all who share the array."""
        self.looked_at()
        if self.sealed:
            raise TypeError(
                f"{written} cannot change this array: {self.sealed}. Write to a copy, np.copy(z), "
                f"or hand it over as an argument and return what becomes of it."
            )

    # What is asked of a tracer.

    def shape(self, tracer: Tracer) -> tuple[int, ...]:
        return self.form

    def format(self, tracer: Tracer, spec: str) -> str:
        return format(self.current(), spec)

    def look(self, tracer: Tracer, convert: Callable[[Any], Any], what: str) -> Any:
        value = self.current()
        return value.owner.look(value, convert, what) if type(value) is Tracer else convert(value)

    def lose(self, tracer: Tracer, convert: Callable[[Any], Any], what: str, instead: str) -> Any:
        value = self.current()
        if type(value) is Tracer:
            return value.owner.lose(value, convert, what, instead)
        return convert(value)

    def share(self, tracer: Tracer) -> None:
        self.root.sealed = (
            "np.asarray made a plain array of it, which would not see the write "
            "(funcgrad.value(z) is what it holds at the moment)"
        )

    def duplicated(self, tracer: Tracer) -> Tracer:
        return writable(self.current())


class View(Buffer):
    """A part of another writable array, or the whole of it in another shape."""

    transform = "a view of an array that is written to"

    def __init__(
        self,
        base: Buffer,
        compute: Callable[[Any], Any],
        layout: np.ndarray,
        primitive: Primitive | None,
        keywords: Any,
    ) -> None:
        super().__init__(base.content, layout)
        self.form = layout.shape
        self.dtype = layout.dtype
        self.made = base.made
        self.base = base
        self.compute = compute
        self.primitive = primitive
        self.keywords = keywords
        self.version = -1  # of the root, when the content was computed

    @property
    def root(self) -> Buffer:
        return self.base.root

    def is_part(self, base: Buffer, at: Any) -> bool:
        """Whether this is ``base[at]``."""
        is_index = self.base is base and self.primitive is not None
        return is_index and _is_basic(at) and self.keywords.get("at", _is_basic) == at

    def current(self) -> Any:
        root = self.root
        is_own = root.looked_at()
        if self.version == root.version:
            return self.content
        at = self.keywords["at"] if self.primitive and "at" in self.keywords else None
        key = None if at is None else _place(at, self.base.form)
        content = self.compute(self.base.current()) if key is None else self.base.taken(at, key)
        if is_own:
            self._hold(content)
            self.version = root.version
        return content

    def taken(self, at: Any, key: tuple[int, ...] | None) -> Any:
        return getitem(self.current(), at)

    def write(
        self, tracer: Tracer, at: Any, v: Any, written: str = "z[i] = v", instead: str = ""
    ) -> None:
        if type(v) is Tracer and type(v.owner) is View and v.owner.is_part(self, at):
            return
        primitive = self.primitive
        if not self.layout.flags.writeable or self.dtype != self.base.dtype or primitive is None:
            raise TypeError(
                f"{written} cannot change this view, which is read-only. Write to the array that "
                f"it is a view of, or to a copy, np.copy(z)."
            )
        whole = _is_whole(at)
        new = fitted(v, self.dtype, self.form) if whole else put(self.current(), at, v)
        base = self.base
        if primitive.name == "index":
            base.write(tracer, self.keywords["at"], new, written)
            return
        # These operations only rearrange, so that their transposes undo them.
        pull = primitive.pulls[0]
        form = Like(base.layout)
        residuals = gather(pull, 0, [form, None], self.keywords, lambda r, k: r)
        base.write(tracer, ..., pull.call(new, residuals), written)


def _array(buffer: Buffer) -> Tracer:
    """The array that ``buffer`` holds. Its ``value`` is left unset: it is asked for each time."""
    array = Tracer.__new__(Tracer)
    array.owner = buffer
    array.node = None
    return array


def writable(value: Any, prototype: Any = None) -> Tracer:
    """A new array to write to, that is ``value`` at first, laid out in memory as ``prototype``."""
    value = frozen(value)
    if type(value) is not Tracer and not isinstance(value, np.ndarray):
        value = np.array(value)
    plain, layout = raw(prototype), None
    if isinstance(plain, np.ndarray) and plain.size:
        one = plain[(0,) * (plain.ndim - len(value.shape))]
        if np.shape(one) == value.shape and not one.flags.c_contiguous:
            layout = np.empty_like(one, value.dtype)
    return _array(Buffer(value, layout))


def _own(copy: Any, layout: Any) -> Any:
    """A copy of elements, which is written to as they are."""
    return writable(copy, layout) if isinstance(copy, Tracer | np.ndarray) else copy


def is_writable(t: Any) -> bool:
    """Whether ``t`` is an array that traced values may be written to."""
    return type(t) is Tracer and t.owner.writable


def released(t: Any) -> Any:
    """The same for a caller: an array of his own where it is plain."""
    value = frozen(t)
    return value.copy() if value is not t and isinstance(value, np.ndarray) else value


def _place(at: Any, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The index as numbers of the first axes, from 0 on, if it takes all of the other axes."""
    parts = at if type(at) is tuple else (at,)
    if len(parts) > len(shape):
        return None
    place: list[int] = []
    for k, (a, n) in enumerate(zip(parts, shape)):
        if type(a) is not int and not isinstance(a, np.integer):
            whole = all(type(b) is slice and b == _ALL for b in parts[k:])
            return tuple(place) if place and whole else None
        if not -n <= a < n:
            raise IndexError(f"index {a} is out of bounds for axis {k} with size {n}")
        place.append(int(a) % n)
    return tuple(place) if place or not shape else None


_ALL = slice(None)


def _is_whole(at: Any) -> bool:
    return at is Ellipsis or (type(at) is slice and at == _ALL)


def _is_basic(at: Any) -> bool:
    """Whether NumPy gives a view for this index."""
    parts = at if type(at) is tuple else (at,)
    return all(
        a is None or a is Ellipsis or type(a) in (int, slice) or isinstance(a, np.integer)
        for a in parts
    )


def duplicate(t: Tracer) -> Any:
    """The same traced value in memory of its own."""
    return np.logical_or(t, False) if t.dtype == bool else np.positive(t)
