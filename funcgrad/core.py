"""Tracers and primitives: how a plain NumPy program becomes something a transform can see.

A transform (``grad``, ``make_graph`` …) opens a ``Trace``, replaces the arguments of the user's
function by ``Tracer`` objects that belong to it, and runs the function. Every NumPy call on a
tracer arrives here, through the operators, ``__array_ufunc__``, ``__array_function__`` or a method,
and becomes one ``bind(primitive, operands, keywords)``. Transforms nest: each opens its trace with
a *birth* number of its own, and ``bind`` hands the operation to the youngest trace among the
operands. To that trace the tracers of older ones are constants, and what it computes on them goes
through ``bind`` again. That is all there is to nesting: in ::

    grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0)

the inner ``x + y`` is recorded by the trace of ``y``, in which ``x`` is a constant; the inner
result is 1 and the outer one 1, not 2. Births come from one counter and nothing is global besides,
so threads cannot disturb each other and an exception leaves nothing to undo.

Complex numbers follow JAX's convention: a cotangent is transposed, never conjugated, so the
gradient of a real f at z = x + iy is ∂f/∂x − i ∂f/∂y.
"""

from __future__ import annotations

import operator
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import numpy as np

from .errors import UnsupportedError
from .trace import WEAK, Trace

# Filled by the verbs of funcgrad.verbs.
UFUNCS: dict[Any, Primitive] = {}  # NumPy ufunc -> primitive
OPERATORS: dict[Any, Primitive] = {}  # Python operator -> the same primitive on raw operands
FUNCTIONS: dict[Any, Callable[..., Any]] = {}  # any other NumPy function -> what runs instead
#: What knows ufuncs of libraries: called with one, it declares it and tells whether it is known.
LIBRARIES: list[Callable[[Any], bool]] = []


class Primitive:
    """An operation that traces record whole, with the rules that differentiate it.

    ``impl`` computes on raw values; ``apply`` on values that may be tracers of older traces, which
    a NumPy function does by itself. ``pulls`` has one ``Pull`` for each operand, ``None`` where an
    operand has no derivative; it is a single ``Pull`` for an operation with any number of operands
    of one kind, and ``None`` for a primitive whose derivative is zero everywhere. ``batch`` is a
    rule of ``funcgrad.batching``. NumPy answers a ``view`` with a view of its operand, if it can.
    Calling a primitive binds it.
    """

    __slots__ = ("apply", "batch", "impl", "name", "pulls", "pushes", "view")

    def __init__(
        self,
        name: str,
        impl: Callable[..., Any],
        pulls: Any,
        pushes: Any,
        batch: Callable[..., Any],
        dispatches: bool,
        view: bool = False,
    ) -> None:
        self.name = name
        self.batch = batch
        self.impl = impl
        self.apply: Callable[..., Any] = impl if dispatches else self
        self.pulls = pulls
        self.pushes = pushes
        self.view = view

    def __call__(self, *operands: Any, **keywords: Any) -> Any:
        if not self.view or is_written(operands[0]):
            return bind(self, operands, keywords)
        return seen(bind(self, operands, keywords), operands[0], self, keywords)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


def bind(primitive: Primitive, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Apply ``primitive``: the youngest trace among the operands processes it."""
    top = youngest(operands)
    if top is None:
        return primitive.impl(*operands, **keywords)
    return top.process(primitive, operands, keywords)


def youngest(operands: Iterable[Any]) -> Trace | None:
    """The trace born last among those of the operands, None where none is traced."""
    top = None
    for t in operands:
        if type(t) is Tracer and (top is None or t.owner.birth > top.birth):
            top = t.owner
    return top


def raw(t: Any) -> Any:
    """The plain value below every level of tracing."""
    while type(t) is Tracer:
        t = t.value
    return t


def is_written(t: Any) -> bool:
    """Whether ``t`` is an array that was made to be written to, or has been written to."""
    return type(t) is Tracer and t.owner.writable


def present(t: Any) -> Any:
    """What an array that is written to holds at the moment; anything else as it is."""
    if type(t) is Tracer and t.owner.writable:
        return t.owner.current()  # type: ignore[attr-defined]
    return t


#: Held while an array is written to, or noted to have a view, lest two threads do so at once.
WRITING = threading.RLock()


def frozen(t: Any) -> Any:
    """``t`` as it is now: a traced value that no write to ``t`` changes. What keeps a traced value
    that a user may have a name for, or hands one out, keeps and hands out this."""
    t = present(t)
    return Tracer(t.owner, t.value, t.node) if type(t) is Tracer else t


def seen(view: Any, base: Any, function: Callable[..., Any], keywords: dict[str, Any]) -> Any:
    """``view``, which is ``function(base, **keywords)`` and NumPy's view of it, as both shall know
    before one of them is written to."""
    if type(view) is not Tracer or type(base) is not Tracer or view is base:
        return view
    with WRITING:
        if base.owner.writable:  # since a moment ago
            return base.owner.view(function, keywords)  # type: ignore[attr-defined]
        view.origin = base, function, keywords
        views = base.views
        if views is None:
            base.views = [weakref.ref(view)]
            return view
        views.append(weakref.ref(view))
        count = len(views)
        if count >= 64 and count & (count - 1) == 0:
            views[:] = [ref for ref in views if ref() is not None]
    return view


def value(t: Any) -> Any:
    """The plain number or array that a traced value holds; anything else comes back as it is.

    An array comes back as a read-only view, since the transform still needs it. What is computed
    from it is not differentiated.

    >>> import funcgrad as fg
    >>> def f(x):
    ...     print(fg.value(x) + 1.0)
    ...     return x * x
    >>> float(fg.grad(f)(3.0))
    4.0
    6.0
    """
    plain = t
    while type(plain) is Tracer:
        plain = plain.owner.look(plain, lambda x: x, "value(t)")
    return read_only(plain) if plain is not t and type(plain) is np.ndarray else plain


def read_only(x: np.ndarray) -> np.ndarray:
    """A view of an array that is not written to."""
    view = x.view()
    view.flags.writeable = False
    return view


def is_traced(t: Any) -> bool:
    """Whether ``t`` is a value that a transform follows.

    >>> import funcgrad as fg
    >>> fg.is_traced(1.0)
    False
    """
    return type(t) is Tracer


def holds_tracer(tree: Any) -> bool:
    """Whether ``tree`` (nested lists and tuples) has a tracer in it."""
    if type(tree) in (list, tuple):
        return any(map(holds_tracer, tree))
    return type(tree) is Tracer


def strip(tree: Any) -> Any:
    """``tree`` (nested lists, tuples and dicts) with raw values in place of tracers."""
    if type(tree) in (list, tuple):
        return type(tree)(map(strip, tree))
    if type(tree) is dict:
        return {key: strip(item) for key, item in tree.items()}
    return raw(tree)


def function_name(function: Any) -> str:
    """What errors call a NumPy function."""
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module.replace('numpy', 'np', 1)}.{function.__name__}"


#: Types that an operation takes as they are.
OPERANDS = {float, int, bool, complex, np.ndarray, *np.sctypeDict.values()}


def operand(x: Any) -> Any:
    """What a NumPy call computes with when it is given ``x``: lists become arrays of our own."""
    if type(x) in OPERANDS or type(x) is Tracer:
        return x
    if isinstance(x, np.memmap):
        return x.view(np.ndarray)
    if isinstance(x, np.ndarray):
        raise UnsupportedError(
            f"a traced value met a {type(x).__name__}, whose own arithmetic has no derivative "
            f"rule. Pass np.asarray(x), and a mask by where= or np.where."
        )
    is_array_like = hasattr(x, "__array__") and not isinstance(x, type)
    return np.array(x) if is_array_like or isinstance(x, list | tuple) else x


def call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run what stands for a NumPy function on tracers, or refuse it by name."""
    handler = FUNCTIONS.get(function)
    if handler is None:
        raise without_rule(function_name(function))
    return handler(*args, **kwargs)


def without_rule(called: str) -> UnsupportedError:
    """The error for a call of what has no derivative rule."""
    return UnsupportedError(
        f"{called} has no derivative rule, and calling it on the plain values would lose the "
        f"gradient. Write it in terms of other NumPy functions, give it a rule with "
        f"funcgrad.custom_vjp, or take value(t) of its arguments where no gradient is wanted."
    )


class Tracer:
    """A stand-in for an array (or a number) while a transform runs the user's function.

    It behaves as the array ``value`` does, which may itself be a tracer of an older trace;
    ``node`` is for the trace's own use. Of a view ``origin`` tells how it came from which array,
    which knows its ``views``: see ``funcgrad.rules.writable``.
    """

    __slots__ = ("__weakref__", "node", "origin", "owner", "value", "views")
    origin: tuple[Tracer, Callable[..., Any], dict[str, Any]] | None
    views: list[weakref.ref[Tracer]] | None

    def __init__(self, owner: Trace, value: Any, node: Any) -> None:
        self.owner = owner
        self.value = value
        self.node = node

    # What NumPy calls.

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            primitive = UFUNCS.get(ufunc)
            if primitive is not None:
                if len(inputs) == 1:
                    return self.owner.process(primitive, inputs, kwargs)
                return bind(primitive, tuple(map(operand, inputs)), kwargs)
        if "out" in kwargs:
            return FUNCTIONS[np.ufunc, "out"](kwargs.pop("out"), ufunc, method, inputs, kwargs)
        if kwargs and method == "__call__":
            return FUNCTIONS[np.ufunc](ufunc, inputs, kwargs)
        if method == "__call__" and ufunc in FUNCTIONS:
            return FUNCTIONS[ufunc](*inputs)
        if (ufunc, method) in FUNCTIONS:
            return FUNCTIONS[ufunc, method](*inputs, **kwargs)
        if method == "at":
            return FUNCTIONS[np.ufunc.at](ufunc, *inputs)
        if method == "__call__" and any(declare(ufunc) for declare in LIBRARIES):
            return self.__array_ufunc__(ufunc, method, *inputs)
        raise without_rule(ufunc_name(ufunc) + ("" if method == "__call__" else f".{method}"))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return call(function, args, kwargs)

    def __hash__(self) -> int:
        raise TypeError(
            f"a traced value cannot be hashed, as in a set or as a key ({self.owner.label}). "
            f"Write value(t) for the plain number."
        )

    def __getattr__(self, name: str) -> Any:
        if name == "value":  # which arrays that are written to leave unset
            return self.owner.current()  # type: ignore[attr-defined]
        if name == "views" or name == "origin":  # which most leave unset
            return None
        raise AttributeError(
            f"a traced value has no attribute {name!r}"
            + (
                f". Where the plain array is meant, write funcgrad.value(t).{name}"
                if hasattr(np.ndarray, name)
                else ""
            )
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        what, instead = "np.asarray(t)", "np.stack([t, u]) for np.sin([t, u])"
        plain = self.owner.lose(self, lambda x: np.array(x, dtype), what, instead)
        if copy is not True:
            self.owner.share(self)
        return plain

    # What it is.

    @property
    def shape(self) -> tuple[int, ...]:
        return self.owner.shape(self)

    @property
    def dtype(self) -> np.dtype[Any]:
        value = self.value
        return np.dtype(type(value)) if type(value) in WEAK else value.dtype

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(self == item))

    def __repr__(self) -> str:
        return f"Tracer({raw(self)!r}, {self.owner.label})"

    def __str__(self) -> str:
        return str(raw(self))

    def __format__(self, spec: str) -> str:
        return self.owner.format(self, spec)

    # A copy is the same traced value: duplicating it would cut it off from its trace.

    def __copy__(self) -> Tracer:
        return self.owner.duplicated(self)

    def __deepcopy__(self, memo: Any) -> Tracer:
        return self.owner.duplicated(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a traced value cannot be pickled ({self.owner.label}). Pickle value(t) instead."
        )

    # What may be asked of its value, and what would lose its derivative.

    def __bool__(self) -> bool:
        return self.owner.look(self, bool, "bool(t)")

    def __int__(self) -> int:
        return self.owner.look(self, int, "int(t)")

    def __index__(self) -> int:
        return self.owner.look(self, operator.index, "index(t)")

    def __float__(self) -> float:
        return self.owner.lose(self, float, "float(t)", "np.sin(t) for math.sin(t)")

    def __complex__(self) -> complex:
        return self.owner.lose(self, complex, "complex(t)", "t + 0j")

    def __getitem__(self, at: Any) -> Any:
        if type(at) is int or type(at) is slice:
            primitive, owner, keywords = OPERATORS[operator.getitem], self.owner, {"at": at}
            ans = owner.process(primitive, (self,), keywords)
            if owner.writable or type(ans) is not Tracer or type(ans.value) not in _ARRAYS:
                return ans
            return seen(ans, self, primitive, keywords)
        return call(operator.getitem, (self, at), {})

    def __setitem__(self, at: Any, v: Any) -> None:
        FUNCTIONS[operator.setitem](self, at, v)

    def __delitem__(self, at: Any) -> NoReturn:
        raise ValueError("cannot delete array elements; write np.delete(t, at)")


_ARRAYS = (np.ndarray, Tracer)


def ufunc_name(ufunc: Any) -> str:
    """What errors call a ufunc: np.sin, and scipy.special.erf once that is declared."""
    declared = UFUNCS.get(ufunc)
    return declared.name if declared and "." in declared.name else f"np.{ufunc.__name__}"
