"""Reverse mode: ``grad`` and its relatives, each a walk of one recorded tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import tree
from .arguments import Arguments, split_aux
from .core import Tracer, call, frozen, raw
from .pull import Like
from .rules.constants import stop
from .tape import Tape
from .transform import (
    Argnums,
    check_function,
    check_outputs,
    described,
    fits,
    is_inexact,
    is_real,
    misfit,
    named,
    plain,
)


def grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    allow_int: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """A function that returns the gradient of the scalar function ``f``.

    The gradient is a pytree like the argument ``argnums`` (a tuple of them where ``argnums`` is a
    sequence), each leaf with its argument's shape and dtype; NumPy scalars where the argument is a
    Python float or NumPy scalar. Nothing in it shares memory with anything else. With ``has_aux``,
    ``f`` returns ``(result, aux)`` and the gradient function ``(gradient, aux)``. Integer leaves
    are an error, or with ``allow_int`` get float64 zeros.

    ``f`` returns a real number; its gradient by a complex z = x + iy is ∂f/∂x − i·∂f/∂y. With
    ``holomorphic`` it is a holomorphic function of complex arguments and returns a complex number,
    and the gradient is its complex derivative.

    >>> import numpy as np, funcgrad as fg
    >>> fg.grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    >>> float(fg.grad(fg.grad(np.sin))(0.0))
    -0.0
    """

    return gradient_for("grad", f, argnums, has_aux, allow_int, holomorphic)


def gradient_for(
    transform: str,
    f: Callable[..., Any],
    argnums: Argnums,
    has_aux: bool,
    allow_int: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """``grad`` on behalf of another transform, which errors name."""

    @named(transform, f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads = _value_and_gradient(
            transform, f, args, kwargs, argnums, has_aux, allow_int, holomorphic
        )
        return (grads, value[1]) if has_aux else grads

    return gradient


def value_and_grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    allow_int: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """A function that returns ``(f's value, its gradient)``; see ``grad``.

    With ``has_aux`` it returns ``((value, aux), gradient)``.

    >>> import numpy as np, funcgrad as fg
    >>> value, gradient = fg.value_and_grad(lambda p: p["a"] * p["b"])({"a": 2.0, "b": 3.0})
    >>> float(value), float(gradient["a"]), float(gradient["b"])
    (6.0, 3.0, 2.0)
    """

    @named("value_and_grad", f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        return _value_and_gradient(
            "value_and_grad", f, args, kwargs, argnums, has_aux, allow_int, holomorphic
        )

    return value_and_gradient


def _value_and_gradient(
    transform: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    argnums: Argnums,
    has_aux: bool,
    allow_int: bool,
    holomorphic: bool,
) -> Any:
    run = Recording(transform, f, args, kwargs, argnums, allow_int, has_aux, holomorphic)
    value = plain(run.tape, run.out)
    _check_scalar(value, run.tape, holomorphic)
    grads = run.arguments.like(run.pull([run.out], [Like(value).dtype.type(1)]))
    run.release()
    return ((value, plain(run.tape, run.aux)) if has_aux else value), grads


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """``f(*primals)`` and its pullback, from a cotangent of the result to those of ``primals``.

    The pullback takes a pytree like the result and returns a tuple with one pytree an argument; it
    may be called any number of times. With ``has_aux`` the return is ``(out, pullback, aux)``.

    >>> import numpy as np, funcgrad as fg
    >>> out, pullback = fg.vjp(np.sin, 0.0)
    >>> [float(g) for g in pullback(2.0)]
    [2.0]
    """
    check_function("vjp", f, "vjp(f, x)")
    run = Recording("vjp", f, primals, {}, tuple(range(len(primals))), has_aux=has_aux)
    outs, structure = tree.flatten(run.out)
    check_outputs(outs, structure.paths(), run.tape.label)
    likes = [Like(out) for out in outs]

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        leaves = _check_cotangent(cotangent, structure, likes, run.tape.label)
        return run.arguments.like(run.pull(outs, leaves))

    result = plain(run.tape, run.out)
    return (result, pullback, plain(run.tape, run.aux)) if has_aux else (result, pullback)


def stop_gradient(x: Any) -> Any:
    """``x`` (a pytree), treated as a constant by every derivative.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: x * fg.stop_gradient(x))(3.0))
    3.0
    """
    return tree.map(stop, x)


class Recording:
    """One run of ``f`` on a tape; ``out`` is its result and ``aux`` what it carries besides."""

    def __init__(
        self,
        transform: str,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: Argnums,
        allow_int: bool | None = None,
        has_aux: bool = False,
        holomorphic: bool = False,
    ) -> None:
        self.tape = Tape(f, transform)
        self.arguments = Arguments(self.tape, args, kwargs, argnums, allow_int)
        if holomorphic:
            self.arguments.check_holomorphic(True)
        self.inputs = [
            self.tape.born(x) if not allow_int or is_inexact(x) else x
            for x in self.arguments.leaves
        ]
        out = self.arguments.run(self.tape, f, self.inputs)
        self.out, self.aux = split_aux(out, self.tape, has_aux)

    def owns(self, x: Any) -> bool:
        return type(x) is Tracer and x.owner is self.tape

    def pull(self, outs: list[Any], cotangents: list[Any]) -> list[Any]:
        """The cotangents of the differentiated leaves, from those of the results."""
        seeds: dict[int, Any] = {}
        for out, g in zip(outs, cotangents):
            if self.owns(out):
                seeds[out.node] = seeds[out.node] + g if out.node in seeds else g
        found = iter(self.tape.walk(seeds))
        return [
            _like(None if t is primal else next(found), primal)
            for t, primal in zip(self.inputs, self.arguments.leaves)
        ]

    def release(self) -> None:
        """Drop the edges, among which a checkpoint's refer to the tape itself, so that nothing
        waits for the garbage collector."""
        self.tape.edges.clear()


def _check_scalar(value: Any, tape: Tape, holomorphic: bool) -> None:
    is_right = _is_complex(value) if holomorphic else is_real(value)
    if is_right and getattr(value, "shape", ()) == ():
        return
    kind = "complex number, being holomorphic," if holomorphic else "real float,"
    if holomorphic and is_real(value):
        instead = "Leave holomorphic=True out."
    elif _is_complex(value) and not holomorphic:
        instead = (
            "Pass holomorphic=True where it is a holomorphic function of complex arguments, return "
            "np.real, np.imag or np.abs of it, or take funcgrad.vjp."
        )
    else:
        instead = (
            "Sum it (np.sum) for a gradient, take funcgrad.jacrev for the Jacobian, or "
            "has_aux=True where it returns (result, aux)."
        )
    raise TypeError(
        f"{tape.label}: the function must return one {kind} and returned {described(value)}. "
        f"{instead}"
    )


def _is_complex(value: Any) -> bool:
    return is_inexact(value) and not is_real(value)


def _check_cotangent(
    cotangent: Any, structure: tree.Structure, likes: list[Like], label: str
) -> list[Any]:
    """The leaves of a cotangent, which must be like the result in structure, shape and kind."""
    tree.check_same(structure, cotangent, "the cotangent", "the result", label)
    leaves = []
    for (path, g), like in zip(tree.leaves_with_path(cotangent), likes):
        if not fits(g, like):
            raise ValueError(misfit(f"{label}: the cotangent{tree.keystr(path)}", g, like))
        leaves.append(call(np.astype, (g, like.dtype), {}))
    return leaves


def _like(g: Any, primal: Any) -> Any:
    """A finished gradient, in the form of its argument: array, or NumPy scalar."""
    if type(g) is np.ndarray and type(primal) is np.ndarray:
        return g
    is_array = isinstance(raw(primal), np.ndarray)
    if g is None:
        like = Like(primal)
        g = np.zeros(like.shape, like.dtype if like.dtype.kind in "fc" else float)
    if type(g) is Tracer:
        return frozen(g)
    if is_array == (type(g) is np.ndarray):
        return g
    return np.array(g) if is_array else g[()]
