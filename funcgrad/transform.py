"""What every transform does around the user's function: name itself, check arguments, run it."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from . import tree
from .core import Tracer, frozen
from .errors import DerivativeLostError
from .pull import Like
from .rules.writable import released
from .trace import WEAK, Trace, leak, name_of

Argnums = int | Sequence[int]

_TYPED = (np.ndarray, np.generic, Tracer)
_ARRAYS = (np.ndarray, np.memmap)


def check_function(transform: str, f: Any, instead: str = "") -> None:
    """Raise unless ``f`` can be called; ``instead`` is what to write."""
    if not callable(f):
        instead = instead or f"{transform}(f)(x), not {transform}(f(x))"
        raise TypeError(f"{transform} takes a function, and got {described(f)}. Write {instead}.")


def named(transform: str, f: Callable[..., Any]) -> Callable[[Any], Any]:
    """Give a transformed function its name and the documentation of ``f``, which must be one."""
    check_function(transform, f)

    def name(transformed: Any) -> Any:
        functools.update_wrapper(transformed, f, assigned=("__module__", "__doc__"), updated=())
        transformed.__name__ = f"{transform}({name_of(f)})"
        return transformed

    return name


_RUNNING: ContextVar[bool] = ContextVar("running", default=False)


def is_running() -> bool:
    """Whether a transform runs a function, of which the caller is a part."""
    return _RUNNING.get()


@contextmanager
def running() -> Iterator[None]:
    """A transform runs a function again meanwhile, after its end."""
    before = _RUNNING.set(True)
    try:
        yield
    finally:
        _RUNNING.reset(before)


def run(trace: Trace, f: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """``f(*args, **kwargs)``, after which ``trace`` is closed."""
    before = _RUNNING.set(True)
    try:
        out = f(*args, **kwargs)
        leaves = tree.leaves(out)
        if any(type(t) is Tracer and t.owner.writable for t in leaves):
            out = tree.map(released, out)
            leaves = tree.leaves(out)
    except ValueError as error:
        # NumPy hides what a traced value said to z[i] = t behind an error of its own.
        hidden = error.__cause__ or error.__context__
        if isinstance(hidden, DerivativeLostError):
            raise DerivativeLostError(str(hidden)) from error
        if str(error) == "Error setting single item of array.":
            raise DerivativeLostError(
                f"z.flat[i] = t of a plain array would lose the derivative of t ({trace.label}). "
                f"Write z = np.zeros(n, like=t) for z = np.zeros(n)."
            ) from error
        raise
    finally:
        _RUNNING.reset(before)
        trace.close()
    for t in leaves:
        if type(t) is Tracer and t.owner is not trace and t.owner.closed:
            raise leak(f"the result of {trace.label}", t)
    return out


def resolve_argnums(argnums: Argnums, count: int, trace: Trace) -> tuple[list[int], bool]:
    """The positions that ``argnums`` names, and whether it is one rather than a sequence."""
    if type(argnums) is int and 0 <= argnums < count:
        return [argnums], True
    try:
        single = not isinstance(argnums, Sequence)
        positions = [operator.index(i) for i in ([argnums] if single else argnums)]  # type: ignore
    except TypeError:
        raise TypeError(
            f"{trace.label}: argnums is an int or a tuple of ints, and got {argnums!r}."
        ) from None
    for i in positions:
        if not -count <= i < count:
            raise ValueError(
                f"{trace.label}: argnums={argnums} names argument {i}, but the call has {count} "
                f"positional arguments. Differentiated arguments are passed by position."
            )
    positions = [i % count for i in positions]
    if len(set(positions)) < len(positions):
        raise ValueError(f"{trace.label}: argnums={argnums} names an argument twice.")
    return positions, single


def is_real(leaf: Any) -> bool:
    """Whether ``leaf`` is a float or an array of floats."""
    return type(leaf) is float or (isinstance(leaf, _TYPED) and leaf.dtype.kind == "f")


def is_inexact(leaf: Any) -> bool:
    """Whether ``leaf`` is of a kind that has a gradient: floats, real or complex."""
    return type(leaf) in (float, complex) or (isinstance(leaf, _TYPED) and leaf.dtype.kind in "fc")


def is_number(leaf: Any) -> bool:
    """Whether ``leaf`` is a number or an array of numbers."""
    if isinstance(leaf, _TYPED):
        return leaf.dtype.kind in "biufc"
    return isinstance(leaf, int | float | complex)


def described(x: Any) -> str:
    """What an error calls ``x``: its shape and dtype, or itself where it has none."""
    if isinstance(x, _TYPED) or type(x) in WEAK:
        like = Like(x)
        return f"shape {like.shape} and dtype {like.dtype}"
    if isinstance(x, dict | list | tuple):
        return f"a {type(x).__name__} of {len(x)}"
    return f"{x!r:.60} of type {type(x).__name__}"


def check_input(
    leaf: Any, where: Any, allow_int: bool | None = None, allow_complex: bool = False
) -> None:
    """Raise unless ``leaf``, which the error calls ``where``, can be differentiated."""
    has_gradient = is_inexact(leaf) if allow_complex else is_real(leaf)
    if has_gradient and (not isinstance(leaf, np.ndarray) or type(leaf) in _ARRAYS):
        return
    if isinstance(leaf, np.ndarray) and type(leaf) not in _ARRAYS:
        raise TypeError(
            f"{where} is a {type(leaf).__name__}, whose own arithmetic would not be "
            f"differentiated. Pass np.asarray(x)."
        )
    if not is_number(leaf) or not (hasattr(leaf, "dtype") or type(leaf) in WEAK):
        is_own = type(leaf).__module__ not in ("builtins", "numpy")
        node = ", or make the class a pytree, by @dataclass or funcgrad.tree.register_node"
        raise TypeError(
            f"{where} is {described(leaf)}, which has no gradient. Differentiate with respect to "
            f"floats and arrays; pass the rest as other arguments{_or_static(where)}"
            f"{node if is_own else ''}."
        )
    like = Like(leaf)
    if like.dtype.kind == "c":
        raise TypeError(
            f"{where} is complex (dtype {like.dtype}, shape {like.shape}), which is not "
            f"supported. Pass the real and the imaginary part as two arguments."
        )
    if not allow_int:
        zeros = (
            ", or close over a constant"
            if allow_int is None
            else ", or pass allow_int=True for zeros"
        )
        instead = "x.astype(float)" if like.shape or hasattr(leaf, "dtype") else f"float({leaf})"
        raise TypeError(
            f"{where} has dtype {like.dtype} and shape {like.shape}; integers have no gradient. "
            f"Write {instead}{_or_static(where)}{zeros}."
        )


def _or_static(where: Any) -> str:
    """What else to write where the leaf is a field of a dataclass, as its name ends in .field."""
    field = re.search(r"\.(\w+)$", str(where))
    return f', or make {field[1]} a field(metadata={{"static": True}})' if field else ""


def fits(x: Any, like: Like) -> bool:
    """Whether the cotangent or tangent ``x`` is of the shape and kind of ``like``."""
    if not is_number(x):
        return False
    if not isinstance(x, _TYPED):
        x = Like(x) if type(x) in WEAK else np.asarray(x)
    return x.shape == like.shape and np.can_cast(x.dtype, like.dtype, "same_kind")


def misfit(what: str, x: Any, like: Like) -> str:
    """What an error says of an ``x``, called ``what``, that does not fit."""
    return f"{what} is {described(x)}, and must be of shape {like.shape} and dtype {like.dtype}."


def check_outputs(outs: list[Any], paths: Any, label: str) -> None:
    """Raise unless every leaf of a result is a number or an array of numbers."""
    for path, out in zip(paths, outs):
        if not is_number(out):
            raise TypeError(
                f"{label}: the result{tree.keystr(path)} is {described(out)}, and must be a "
                f"number or an array of numbers."
            )


def plain(trace: Trace, x: Any) -> Any:
    """The pytree ``x`` with the values of this trace's tracers, as the caller's own arrays."""

    def value(leaf: Any) -> Any:
        if type(leaf) is not Tracer or leaf.owner is not trace:
            return leaf
        return leaf.value.copy() if type(leaf.value) is np.ndarray else frozen(leaf.value)

    return tree.map(value, x)
