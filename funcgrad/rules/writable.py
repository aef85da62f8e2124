"""Arrays that are written to: ``z = np.zeros_like(t); z[i] = t``, without changing any value.

Such an array is a name for a value that changes, and what it names at a moment is an ordinary
value, traced or plain. It is a ``Tracer`` like any other, whose owner is no transform but a
``Buffer`` that holds the present value. The buffer's birth is later than all others, so that every
operation comes to it first; it puts the present values in the place of all such arrays and binds
the operation again. What transforms record are those values, and nothing that is kept can change. A
write makes a new value ::

    z[at] = v        the value of z becomes set_at(z, v, at=at), which is linear in z and v

that belongs to the youngest trace of the two, as any result does. So z need not know beforehand
which transform will write to it, or whether any will. An argument or the result of an operation
becomes such an array when it is first written to: see ``funcgrad.rules.opening``.

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

from ..core import WRITING, Primitive, Tracer, bind, frozen, is_written, present, raw
from ..errors import UnsupportedError
from ..pull import Like, gather
from ..trace import Trace, births
from .assignment import duplicate, fitted, is_whole, of_parts, place_of, put
from .indexing import anywhere, getitem, is_basic
from .order import in_order, unlike_c

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
        self._layout = layout
        self._hold(content)
        self.pending: dict[tuple[int, ...], Any] = {}
        self.version = 0
        self.resized = 0  # the version of the last resize
        self.sealed = ""
        self.ordered = True  # in memory as NumPy's array would be, for all that is known

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
        if primitive.view:
            return operands[0].owner.viewed(primitive, keywords)
        ans = bind(primitive, tuple(map(present, operands)), keywords)
        # What is made of an array that will hold traced values may be to hold them as well.
        is_array = type(ans) is np.ndarray and ans.dtype.kind in "fc"
        return writable(ans, ans) if is_array else ans

    def joint(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        return primitive(*map(present, operands), **keywords)

    def viewed(self, primitive: Primitive, keywords: dict[str, Any]) -> Any:
        """The view, or what is no view, that an operation makes of this array."""
        if primitive.name == "index":
            key = place_of(keywords["at"], self.form)
            if key is not None and len(key) == len(self.form):
                return self.taken(keywords["at"], key)
            if not is_basic(keywords["at"]):
                at = keywords["at"]
                return _own(self.taken(at, key), self.layout[at])
        return self.view(primitive, keywords)

    def view(self, function: Callable[..., Any], keywords: dict[str, Any]) -> Any:
        """``function(z, **keywords)`` of this array z: a view if NumPy makes one."""
        layout, is_view = self.outline(function, keywords)
        if is_view:
            return _array(View(self, function, keywords, layout))
        return _own(function(self.current(), **keywords), layout)

    def outline(self, function: Callable[..., Any], keywords: dict[str, Any]) -> tuple[Any, bool]:
        """The layout of ``function(z, **keywords)`` of this array z, and whether it is a view."""
        if "at" in keywords:
            layout = self.layout[anywhere(keywords["at"])]
        else:
            layout = function(self.layout, **keywords)
        if type(layout) is not np.ndarray:
            return layout, False
        return layout, self.is_doubtful(function) or np.may_share_memory(layout, self.layout)

    def is_doubtful(self, function: Any) -> bool:
        """Whether it depends on an order of elements that may not be NumPy's what is a view."""
        return not self.root.ordered and getattr(function, "name", "") in ("reshape", "ravel")

    def taken(self, at: Any, key: tuple[int, ...] | None) -> Any:
        """The elements at an index, as they are now."""
        if self.pending and key is not None:
            with WRITING:
                if self.pending and len(key) == len(next(iter(self.pending))):
                    self.looked_at()
                    found = self.pending.get(key)
                    return getitem(self.content, key) if found is None else found
        return getitem(self.current(), at)

    # The present value.

    def current(self) -> Any:
        """The value as it is now, which no later write changes."""
        is_own = self.looked_at()
        if not self.pending:
            return self.content
        with WRITING:
            if not self.pending:
                return self.content
            content = self.laid_out(self.filled())
            if is_own:
                self._hold(content)
                self.pending = {}
            return content

    def laid_out(self, content: Any) -> Any:
        """A new content in the order in memory that this array has."""
        return in_order(content, "C" if self._layout is None else self._layout)

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

    def write(self, at: Any, v: Any, written: str, fresh: bool = False) -> None:
        """``z[at] = v``, where v may be ``fresh``: the result of an operation that nobody has."""
        if type(v) is Tracer and type(v.owner) is View and v.owner.is_part(self, at):
            return  # of z[i] += v, after the sum has been written to z[i]
        target = self
        while type(target) is View:
            at, v, fresh = target.through(at, v, written, fresh)
            target = target.base
        target.assign(at, v, written, fresh)

    def assign(self, at: Any, v: Any, written: str, fresh: bool) -> None:
        """The same for an array that is no view."""
        self.check(written)
        key = place_of(at, self.form)
        if key is not None:
            v = fitted(v, self.dtype, self.form[len(key) :])
            if type(v) is Tracer and isinstance(raw(v), np.ndarray):
                v = duplicate(v)  # which may be memory that changes before the write is made
            if self.pending and len(key) != len(next(iter(self.pending))):
                self.current()
            self.pending[key] = v
        elif is_whole(at):
            v = fitted(v, self.dtype, self.form)
            self.pending = {}
            self._hold(self.laid_out(v if fresh else duplicate(v)))
        else:
            self._hold(self.laid_out(put(self.current(), at, v)))
        self.version += 1

    def check(self, written: str) -> None:
        """Raise where a write would not be seen by all who share the array."""
        self.looked_at()
        if self.sealed:
            raise TypeError(
                f"{written} cannot change this array: {self.sealed}. Write to a copy, np.copy(z), "
                f"or hand it over as an argument and return what becomes of it."
            )

    def resize(self, shape: tuple[int, ...]) -> None:
        """``z.resize(shape)``: the first elements in memory, and zeros where there are too few."""
        self.check("z.resize(shape)")
        flags = self.layout.flags
        if type(self) is View or not flags.forc:
            raise ValueError(
                "cannot resize this array: it does not own its data, in one piece. Write "
                "z = z.copy() before z.resize(shape)."
            )
        order: Any = "F" if flags.fnc else "C"
        new = np.empty(shape, self.dtype, order)
        flat = np.ravel(self.current(), order)
        rest = np.zeros(max(new.size - flat.shape[0], 0), self.dtype)
        self.form, self._layout = new.shape, new
        self._hold(np.reshape(np.concatenate([flat[: new.size], rest]), new.shape, order))
        self.version += 1
        self.resized = self.version

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
    """A part of another such array, or the whole of it in another shape. What is no primitive
    makes a view that NumPy does not let write."""

    transform = "a view of an array that is written to"

    def __init__(
        self,
        base: Buffer,
        function: Callable[..., Any],
        keywords: dict[str, Any],
        layout: np.ndarray,
        content: Any = None,
    ) -> None:
        super().__init__(base.content, layout)
        self.form = layout.shape
        self.dtype = layout.dtype
        self.made = base.made
        self.base = base
        self.function = function
        self.keywords = keywords
        self._root = base.root
        self.born = self._root.version
        self.version = -1  # of the root, when the content was computed
        if content is not None:
            self.content, self.version = content, self.born

    @property
    def root(self) -> Buffer:
        return self._root

    def is_part(self, base: Buffer, at: Any) -> bool:
        """Whether this is ``base[at]``."""
        if self.base is not base or "at" not in self.keywords:
            return False
        return is_basic(at) and self.keywords["at"] == at

    def current(self) -> Any:
        root = self._root
        is_own = root.looked_at()
        stale: list[View] = []
        base: Buffer = self
        while type(base) is View and base.version != root.version:
            stale.append(base)
            base = base.base
        content = base.content if type(base) is View else None
        for view in reversed(stale):
            content = view.computed(content)
            if is_own:
                view._hold(content)
                view.version = root.version
        return content

    def computed(self, base: Any) -> Any:
        """The content, from that of the base, which is None for an array that is no view."""
        root, keywords = self._root, self.keywords
        self.check_size()
        if self.base.is_doubtful(self.function) and root.version != self.born:
            raise TypeError(_doubt("what this holds after a write to another array"))
        if base is not None:
            return self.function(base, **keywords)
        key = place_of(keywords["at"], root.form) if "at" in keywords else None
        if key is not None:
            return root.taken(keywords["at"], key)
        return self.function(root.current(), **keywords)

    def check_size(self) -> None:
        if self.born < self._root.resized:
            raise TypeError(
                "an array was resized (z.resize) while this view of it was in use. Take the view "
                "again after z.resize(shape)."
            )

    def taken(self, at: Any, key: tuple[int, ...] | None) -> Any:
        return getitem(self.current(), at)

    def through(self, at: Any, v: Any, written: str, fresh: bool) -> tuple[Any, Any, bool]:
        """The write to the base that ``z[at] = v`` of this view z is."""
        function, keywords = self.function, self.keywords
        self.check_size()
        if self.base.is_doubtful(function):
            raise TypeError(_doubt(f"what else {written} would change"))
        is_linear = isinstance(function, Primitive) and self.dtype == self.base.dtype
        name = getattr(function, "name", "")
        is_part = name in ("real", "imag") and not is_linear
        if not (is_linear or is_part or "at" in keywords) or not self.layout.flags.writeable:
            raise TypeError(
                f"{written} cannot change this view, which is read-only. Write to the array that "
                f"it is a view of, or to a copy, np.copy(z)."
            )
        whole = is_whole(at)
        new = fitted(v, self.dtype, self.form) if whole else put(self.current(), at, v)
        fresh = fresh or not whole
        if "at" in keywords:
            return keywords["at"], new, fresh
        if is_part:
            z = self.base.current()
            parts = (new, np.imag(z)) if name == "real" else (np.real(z), new)
            return ..., of_parts(*parts), True
        # These operations only rearrange, so that their transposes undo them.
        pull = function.pulls[0]  # type: ignore[attr-defined]
        residuals = gather(pull, 0, [Like(self.base.layout), None], keywords, lambda r, k: r)
        return ..., pull.call(new, residuals), fresh


def _doubt(what: str) -> str:
    return (
        f"an array was reshaped whose elements are not in C's order in memory, for which NumPy "
        f"makes a view or a copy, and {what} depends on which. Write np.copy(z) before the reshape "
        f"or after it."
    )


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
    if value.dtype.kind not in "biufc":
        raise UnsupportedError(
            f"an array of dtype {value.dtype} cannot hold traced values. Make one of numbers for "
            f"each field, or a list."
        )
    one = unlike_c(prototype, value.shape)
    layout = None if one is None else np.empty_like(one, value.dtype)
    return _array(Buffer(in_order(value, "C" if one is None else one), layout))


def _own(copy: Any, layout: Any) -> Any:
    """A copy of elements, which is written to as they are."""
    return writable(copy, layout) if isinstance(copy, Tracer | np.ndarray) else copy


def released(t: Any) -> Any:
    """The same for a caller: an array of his own where it is plain."""
    value = frozen(t)
    return value.copy() if is_written(t) and isinstance(value, np.ndarray) else value
