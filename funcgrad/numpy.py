"""NumPy's namespace, with the few functions replaced that NumPy itself cannot hand over.

``np.zeros(n)`` does not know that a transform runs, ``np.array([t, u])`` makes a plain array, and
``np.full``, ``np.arange`` and ``np.vectorize`` do not ask a traced argument. Under a transform the
functions here make arrays that traced values may be written to and be part of; outside of one they
are NumPy's, and so is everything else, by the same name. ::

    import funcgrad.numpy as np

    def f(x):
        z = np.zeros(3)
        z[0] = x
        return np.sum(np.array([x, 2.0 * x])) + z[0]
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .core import FUNCTIONS, Tracer, holds_tracer, operand, strip
from .errors import UnsupportedError
from .rules import inplace
from .rules.assignment import joined
from .rules.updates import at as at
from .rules.writable import writable
from .transform import is_running


def __getattr__(name: str) -> Any:
    if name.startswith("__"):  # such as __path__, by which this would be a package
        raise AttributeError(f"module 'funcgrad.numpy' has no attribute {name!r}")
    return getattr(np, name)


def __dir__() -> list[str]:
    return sorted({*dir(np), "at"})


def _new(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, which makes an array, so that under a transform it can be written to."""

    @functools.wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        new = function(*args, **kwargs)
        is_numbers = isinstance(new, np.ndarray) and new.dtype.kind in "biufc"
        return writable(new, new) if is_numbers and is_running() else new

    return made


zeros = _new(np.zeros)
ones = _new(np.ones)
empty = _new(np.zeros)
eye = _new(np.eye)
identity = _new(np.identity)
copy = _new(np.copy)
zeros_like = _new(np.zeros_like)
ones_like = _new(np.ones_like)
empty_like = _new(np.zeros_like)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> Any:
    """``np.full``, whose ``fill_value`` may be traced.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.sum(fg.numpy.full((2, 3), x)))(1.0))
    6.0
    """
    if holds_tracer(fill_value):
        return inplace.full(shape, fill_value, dtype, order)
    return _new(np.full)(shape, fill_value, dtype, order)


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> Any:
    """``np.full_like``, both of whose arguments may be traced.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.sum(fg.numpy.full_like(fg.numpy.zeros(3), x)))(1.0))
    3.0
    """
    if holds_tracer(a) or holds_tracer(fill_value):
        return inplace.full_like(asarray(a), fill_value, dtype, order, subok, shape)
    return _new(np.full_like)(a, fill_value, dtype, order, subok, shape)


def array(object: Any, dtype: Any = None, copy: bool = True, **keywords: Any) -> Any:
    """``np.array`` of numbers and nested lists, which may hold traced values.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.array([x, x * x])[1])(3.0))
    6.0
    """
    if holds_tracer(object):
        return inplace.array(object, dtype, copy, **keywords)
    new = np.array(object, dtype, copy=copy or None, **keywords)
    return writable(new, new) if copy and is_running() and new.dtype.kind in "fc" else new


def asarray(a: Any, dtype: Any = None) -> Any:
    """``np.asarray``: a traced value stays as it is, and a list that holds some becomes one.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.asarray([x, 3.0]) @ fg.numpy.asarray([2.0, x]))(1.0))
    5.0
    """
    if not holds_tracer(a):
        return np.asarray(a, dtype)
    value = a if type(a) is Tracer else joined(a)
    return value if dtype is None else value.astype(dtype)


def _converting(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, which makes an array of what is none: of a traced value as ``asarray`` does."""

    @functools.wraps(function)
    def converted(a: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
        return asarray(a, dtype) if holds_tracer(a) else function(a, dtype, *args, **kwargs)

    return converted


asanyarray = _converting(np.asanyarray)
ascontiguousarray = _converting(np.ascontiguousarray)
asfortranarray = _converting(np.asfortranarray)
require = _converting(np.require)


def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """``np.asarray_chkfinite``: ``asarray`` of what must be finite.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.asarray_chkfinite([x, 1.0]).sum())(2.0))
    1.0
    """
    np.asarray_chkfinite(strip(a), dtype, order)
    return asarray(a, dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """``np.arange``, whose arguments may be traced: how many numbers there are is not
    differentiated, the numbers are.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.sum(fg.numpy.arange(x, 3.5)))(1.0))
    3.0
    """
    if not holds_tracer([start, stop, step]):
        return np.arange(start, stop, step, dtype)  # type: ignore[call-overload]
    if stop is None:
        start, stop = 0, start
    plain = [
        t.owner.look(t, lambda x: x, "np.arange") if type(t) is Tracer else t
        for t in (start, stop, step)
    ]
    numbers = start + step * np.arange(len(arange(*plain)))
    return asarray(numbers, dtype)


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """``np.take``, whose ``indices`` may be traced, into a plain table too.

    >>> import funcgrad as fg
    >>> table = fg.numpy.array([1.0, 2.0, 4.0])
    >>> fg.vmap(lambda i: fg.numpy.take(table, i))(fg.numpy.array([2, 0])).tolist()
    [4.0, 1.0]
    """
    if holds_tracer([a, indices]):
        return FUNCTIONS[np.take](operand(a), indices, axis=axis, mode=mode)
    return np.take(a, indices, axis, None, mode)  # type: ignore[call-overload]


def vectorize(pyfunc: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """``np.vectorize``: ``pyfunc`` of one element after the other, which may be traced. Of many
    elements ``funcgrad.vmap`` makes one operation.

    >>> import funcgrad as fg
    >>> f = fg.numpy.vectorize(lambda a, b: a * b if a > b else a - b)
    >>> fg.grad(lambda x: f(x, 2.0).sum())(fg.numpy.array([1.0, 3.0])).tolist()
    [1.0, 2.0]
    """
    by_element = np.vectorize(pyfunc, **options)

    @functools.wraps(pyfunc)
    def vectorized(*args: Any, **kwargs: Any) -> Any:
        if not holds_tracer([*args, *kwargs.values()]):
            return by_element(*args, **kwargs)
        if options or kwargs:
            raise UnsupportedError(
                f"np.vectorize: {next(iter(options or kwargs))!r} is not for traced values. Write "
                f"funcgrad.vmap(f)(t)."
            )
        arrays = [joined(a) for a in args]
        shape = np.broadcast_shapes(*map(np.shape, arrays))
        columns = [np.ravel(np.broadcast_to(a, shape)) for a in arrays]
        results = [pyfunc(*elements) for elements in zip(*columns)]
        return np.reshape(np.stack(results), shape)

    return vectorized


class _Joined:
    """``np.r_`` and ``np.c_``, whose parts may be traced.

    >>> import funcgrad as fg
    >>> fg.jacfwd(lambda x: fg.numpy.r_[x, 1.0, 2.0 * x])(3.0).tolist()
    [1.0, 0.0, 2.0]
    """

    def __init__(self, plain: Any, join: Callable[[list[Any]], Any]) -> None:
        self.plain, self.join = plain, join

    def __getitem__(self, parts: Any) -> Any:
        if not holds_tracer(parts):
            return self.plain[parts]
        parts = parts if isinstance(parts, tuple) else (parts,)
        if isinstance(parts[0], str):
            raise UnsupportedError(
                f"np.r_[{parts[0]!r}, t]: how traced values are joined is said by a function. "
                f"Write np.concatenate, np.stack or np.column_stack."
            )
        return self.join([np.r_[p] if isinstance(p, slice) else asarray(p) for p in parts])


def _columns(parts: list[Any]) -> Any:
    return np.concatenate([p if np.ndim(p) > 1 else np.reshape(p, (-1, 1)) for p in parts], -1)


r_ = _Joined(np.r_, lambda parts: np.concatenate([np.atleast_1d(p) for p in parts]))
c_ = _Joined(np.c_, _columns)
