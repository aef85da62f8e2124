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

from .core import Tracer, call, holds_tracer, operand, strip
from .errors import UnsupportedError
from .rules import inplace
from .rules.assignment import joined
from .rules.order import example
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


def _unless_traced(plain: Callable[..., Any]) -> Callable[..., Callable[..., Any]]:
    """Declare a function for traced arguments, where for all others NumPy's is meant."""

    def declare(traced: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(traced)
        def either(*args: Any, **kwargs: Any) -> Any:
            if not holds_tracer([*args, *kwargs.values()]):
                return plain(*args, **kwargs)
            kwargs.pop("like", None)
            return traced(*args, **kwargs)

        either.__wrapped__ = plain  # whose signature it has
        return either

    return declare


@_unless_traced(_new(np.full))
def full(*args: Any, **kwargs: Any) -> Any:
    """``np.full``, whose ``fill_value`` may be traced.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.sum(fg.numpy.full((2, 3), x)))(1.0))
    6.0
    """
    return inplace.full(*args, **kwargs)


@_unless_traced(_new(np.full_like))
def full_like(a: Any, *args: Any, **kwargs: Any) -> Any:
    """``np.full_like``, both of whose arguments may be traced.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.sum(fg.numpy.full_like(fg.numpy.zeros(3), x)))(1.0))
    3.0
    """
    return inplace.full_like(asarray(a), *args, **kwargs)


@functools.wraps(np.array)
def _array(*args: Any, **kwargs: Any) -> Any:
    new = np.array(*args, **kwargs)
    is_new = is_running() and kwargs.get("copy", True) and new.dtype.kind in "fc"
    return writable(new, new) if is_new else new


@_unless_traced(_array)
def array(*args: Any, **kwargs: Any) -> Any:
    """``np.array`` of numbers and nested lists, which may hold traced values.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.array([x, x * x])[1])(3.0))
    6.0
    """
    return inplace.array(*args, **kwargs)


@_unless_traced(np.asarray)
def asarray(*args: Any, **kwargs: Any) -> Any:
    """``np.asarray``: a traced value stays as it is, and a list that holds some becomes one.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.asarray([x, 3.0]) @ fg.numpy.asarray([2.0, x]))(1.0))
    5.0
    """
    return inplace.asarray(*args, **kwargs)


asanyarray = _unless_traced(np.asanyarray)(inplace.asarray)
ascontiguousarray = _unless_traced(np.ascontiguousarray)(inplace.ascontiguousarray)
asfortranarray = _unless_traced(np.asfortranarray)(inplace.asfortranarray)
require = _unless_traced(np.require)(inplace.require)


@_unless_traced(np.asarray_chkfinite)
def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """``np.asarray_chkfinite``: ``asarray`` of what must be finite.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.asarray_chkfinite([x, 1.0]).sum())(2.0))
    1.0
    """
    new = asarray(a, dtype, order)
    np.asarray_chkfinite(strip(new))
    return new


@_unless_traced(np.isfortran)
def isfortran(a: Any) -> bool:
    """``np.isfortran``, which may be asked about a traced array.

    >>> import numpy as np, funcgrad as fg
    >>> fg.grad(lambda x: np.sum(x) if fg.numpy.isfortran(x.T) else 0.0)(np.zeros((2, 2)))
    array([[1., 1.],
           [1., 1.]])
    """
    return bool(np.isfortran(example(a)))


@_unless_traced(np.kaiser)
def kaiser(M: int, beta: Any) -> Any:
    """``np.kaiser``, whose ``beta`` may be traced (Kaiser, 1966).

    >>> import funcgrad as fg
    >>> fg.jacfwd(lambda beta: fg.numpy.kaiser(3, beta))(1.0).round(6).tolist()
    [-0.35258, 0.0, -0.35258]
    """
    places = np.linspace(-1.0, 1.0, M) if M > 1 else np.zeros(M)
    return np.i0(beta * np.sqrt(1.0 - places**2)) / np.i0(beta)


@_unless_traced(np.arange)
def arange(
    start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, *, device: Any = None
) -> Any:
    """``np.arange``, whose arguments may be traced: how many numbers there are is not
    differentiated, the numbers are.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: fg.numpy.sum(fg.numpy.arange(x, 3.5)))(1.0))
    3.0
    """
    if stop is None:
        start, stop = 0, start
    plain = [
        t.owner.look(t, lambda x: x, "np.arange") if type(t) is Tracer else t
        for t in (start, stop, step)
    ]
    counted = arange(*plain)
    numbers = start + step * np.arange(len(counted))
    return array(numbers, counted.dtype if dtype is None else dtype)


@_unless_traced(np.take)
def take(a: Any, *args: Any, **kwargs: Any) -> Any:
    """``np.take``, whose ``indices`` may be traced, into a plain table too.

    >>> import funcgrad as fg
    >>> table = fg.numpy.array([1.0, 2.0, 4.0])
    >>> fg.vmap(lambda i: fg.numpy.take(table, i))(fg.numpy.array([2, 0])).tolist()
    [4.0, 1.0]
    """
    return call(np.take, (operand(a), *args), kwargs)


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
        if results and isinstance(results[0], tuple):
            return tuple(np.reshape(np.stack(one), shape) for one in zip(*results))
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

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not holds_tracer([_spelled(p) for p in parts]):
            return self.plain[key]
        if isinstance(parts[0], str):
            raise UnsupportedError(
                f"np.r_[{parts[0]!r}, t]: how traced values are joined is said by a function. "
                f"Write np.concatenate, np.stack or np.column_stack."
            )
        return self.join([_spread(p) if isinstance(p, slice) else asarray(p) for p in parts])


def _spelled(part: Any) -> Any:
    return [part.start, part.stop, part.step] if isinstance(part, slice) else part


def _spread(numbers: slice) -> Any:
    """The numbers that ``np.r_`` makes of a slice."""
    start = 0 if numbers.start is None else numbers.start
    step = 1 if numbers.step is None else numbers.step
    if isinstance(step, complex):
        return np.linspace(start, numbers.stop, int(abs(step)))
    return arange(start, numbers.stop, step)


def _columns(parts: list[Any]) -> Any:
    return np.concatenate([p if np.ndim(p) > 1 else np.reshape(p, (-1, 1)) for p in parts], -1)


r_ = _Joined(np.r_, lambda parts: np.concatenate([np.atleast_1d(p) for p in parts]))
c_ = _Joined(np.c_, _columns)
