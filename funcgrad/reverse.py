"""Reverse mode: ``grad`` and its relatives, each a walk of one recorded tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import tree
from .core import Tracer, call, raw
from .pull import Like
from .rules.constants import stop
from .tape import Tape
from .transform import (
    Argnums,
    check_function,
    check_input,
    check_outputs,
    described,
    is_number,
    is_real,
    named,
    plain,
    resolve_argnums,
    run,
)


def grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """A function that returns the gradient of the scalar function ``f``.

    The gradient is a pytree like the argument ``argnums`` (a tuple of them where ``argnums`` is a
    sequence), each leaf with its argument's shape and dtype; NumPy scalars where the argument is a
    Python float or NumPy scalar. Nothing in it shares memory with anything else. With ``has_aux``,
    ``f`` returns ``(result, aux)`` and the gradient function ``(gradient, aux)``. Integer leaves
    are an error, or with ``allow_int`` get float64 zeros.

    >>> import numpy as np, funcgrad as fg
    >>> fg.grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    >>> float(fg.grad(fg.grad(np.sin))(0.0))
    -0.0
    """

    @named("grad", f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads = _value_and_gradient(f, args, kwargs, argnums, has_aux, allow_int)
        return (grads, value[1]) if has_aux else grads

    return gradient


def value_and_grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    allow_int: bool = False,
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
        return _value_and_gradient(f, args, kwargs, argnums, has_aux, allow_int)

    return value_and_gradient


def _value_and_gradient(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    argnums: Argnums,
    has_aux: bool,
    allow_int: bool,
) -> Any:
    run = _Run("grad", f, args, kwargs, argnums, allow_int, has_aux)
    value = plain(run.tape, run.out)
    _check_scalar(value, run.tape)
    grads = run.arguments_like(run.pull([run.out], [Like(value).dtype.type(1)]))
    return ((value, plain(run.tape, run.aux)) if has_aux else value), grads


def vjp(
    f: Callable[..., Any], *primals: Any, has_aux: bool = False
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]] | tuple[Any, Callable[..., Any], Any]:
    """``f(*primals)`` and its pullback, from a cotangent of the result to those of ``primals``.

    The pullback takes a pytree like the result and returns a tuple with one pytree an argument; it
    may be called any number of times. With ``has_aux`` the return is ``(out, pullback, aux)``.

    >>> import numpy as np, funcgrad as fg
    >>> out, pullback = fg.vjp(np.sin, 0.0)
    >>> [float(g) for g in pullback(2.0)]
    [2.0]
    """
    check_function("vjp", f)
    run = _Run("vjp", f, primals, {}, tuple(range(len(primals))), has_aux=has_aux)
    outs, structure = tree.flatten(run.out)
    check_outputs(outs, structure.paths(), run.tape.label)
    likes = [Like(out) for out in outs]

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        leaves = _check_cotangent(cotangent, structure, likes, run.tape.label)
        return run.arguments_like(run.pull(outs, leaves))

    result = plain(run.tape, run.out)
    return (result, pullback, plain(run.tape, run.aux)) if has_aux else (result, pullback)


def jacrev(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns the Jacobian of ``f``, one backward walk for each output element.

    The result is shaped like ``f``'s output, with in place of each leaf a pytree like the
    differentiated argument, whose leaves have shape ``output.shape + argument.shape``.

    >>> import numpy as np, funcgrad as fg
    >>> fg.jacrev(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @named("jacrev", f)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        run = _Run("jacrev", f, args, kwargs, argnums, has_aux=has_aux)
        outs, structure = tree.flatten(run.out)
        check_outputs(outs, structure.paths(), run.tape.label)
        for path, out in zip(structure.paths(), outs):
            if not is_real(out):
                raise TypeError(
                    f"{run.tape.label}: the result{tree.keystr(path)} has dtype {Like(out).dtype}, "
                    f"and only real floats have a Jacobian."
                )
        rows = [run.arguments_like(run.jacobian(leaf)) for leaf in outs]
        result = tree.unflatten(structure, rows)
        return (result, plain(run.tape, run.aux)) if has_aux else result

    return jacobian


def stop_gradient(x: Any) -> Any:
    """``x`` (a pytree), treated as a constant by every derivative.

    >>> import funcgrad as fg
    >>> float(fg.grad(lambda x: x * fg.stop_gradient(x))(3.0))
    3.0
    """
    return tree.map(stop, x)


class _Run:
    """One recorded run of ``f``, and the pytrees around it."""

    def __init__(
        self,
        transform: str,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: Argnums,
        allow_int: bool | None = None,
        has_aux: bool = False,
    ) -> None:
        self.tape = Tape(f, transform)
        positions, self.single = resolve_argnums(argnums, len(args), self.tape)
        differentiated = args[positions[0]] if self.single else [args[i] for i in positions]
        self.primals, self.structure = tree.flatten(differentiated)
        self.inputs: list[Any] = []
        for i, leaf in enumerate(self.primals):
            if type(leaf) is not np.ndarray or leaf.dtype.kind != "f":
                check_input(leaf, _Where(self, i, positions), allow_int)
                if not is_real(leaf):
                    self.inputs.append(leaf)
                    continue
            self.inputs.append(self.tape.born(leaf))
        born = tree.unflatten(self.structure, self.inputs)
        changed = list(args)
        for position, argument in zip(positions, [born] if self.single else born):
            changed[position] = argument
        self.out = run(self.tape, f, changed, kwargs)
        self.aux = None
        if has_aux:
            if not (isinstance(self.out, tuple) and len(self.out) == 2):
                got = "one array" if self.owns(self.out) else type(self.out).__name__
                raise TypeError(
                    f"{self.tape.label}: with has_aux=True the function must return a pair "
                    f"(result, aux), not {got}."
                )
            self.out, self.aux = self.out

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
            _like(next(found) if self.owns(t) else None, primal)
            for t, primal in zip(self.inputs, self.primals)
        ]

    def jacobian(self, out: Any) -> list[Any]:
        """∂out/∂leaf for each differentiated leaf, of shape ``out.shape + leaf.shape``."""
        like = Like(out.value if self.owns(out) else out)
        rows = []
        for k in range(like.size):
            seed = np.zeros(like.shape, like.dtype)
            seed[np.unravel_index(k, like.shape)] = 1
            rows.append(self.pull([out], [seed[()]]))
        likes = [Like(primal) for primal in self.primals]
        if not rows:
            return [np.zeros((*like.shape, *x.shape), x.dtype) for x in likes]
        if not like.shape:
            return rows[0]
        columns = [np.stack(column) for column in zip(*rows)]
        return [np.reshape(c, (*like.shape, *x.shape)) for c, x in zip(columns, likes)]

    def arguments_like(self, leaves: list[Any]) -> Any:
        grads = tree.unflatten(self.structure, leaves)
        return grads if self.single else tuple(grads)


class _Where:
    """What leaf ``i`` of the differentiated arguments is called in an error."""

    def __init__(self, run: _Run, i: int, positions: list[int]) -> None:
        self.run, self.i, self.positions = run, i, positions

    def __str__(self) -> str:
        path = list(self.run.structure.paths())[self.i]
        position = self.positions[0]
        if not self.run.single:
            position, path = self.positions[path[0].key], path[1:]
        at = f", leaf {tree.keystr(path)}" if path else ""
        return f"{self.run.tape.label}: argument {position}{at}"


def _check_scalar(value: Any, tape: Tape) -> None:
    if is_real(value) and np.shape(value) == ():
        return
    raise TypeError(
        f"{tape.label}: the function must return one real float, and returned "
        f"{described(value)}. "
        f"Sum it (np.sum) for a gradient, take funcgrad.jacrev for the Jacobian, or "
        f"has_aux=True where it returns (result, aux)."
    )


def _check_cotangent(
    cotangent: Any, structure: tree.Structure, likes: list[Like], label: str
) -> list[Any]:
    """The leaves of a cotangent, which must be like the result in structure, shape and kind."""
    tree.check_same(structure, cotangent, "the cotangent", "the result")
    leaves = []
    for (path, g), like in zip(tree.leaves_with_path(cotangent), likes):
        fits = is_number(g) and np.can_cast(np.result_type(g), like.dtype, "same_kind")
        if not fits or np.shape(g) != like.shape:
            raise ValueError(
                f"the pullback of {label} takes a cotangent of shape {like.shape} and dtype "
                f"{like.dtype}{' at ' + tree.keystr(path) if path else ''}, "
                f"and got {described(g)}."
            )
        leaves.append(call(np.astype, (g, like.dtype), {}))
    return leaves


def _like(g: Any, primal: Any) -> Any:
    """A finished gradient, in the form of its argument: array, or NumPy scalar."""
    is_array = isinstance(raw(primal), np.ndarray)
    if g is None:
        like = Like(primal)
        g = np.zeros(like.shape, like.dtype if like.dtype.kind == "f" else float)
    if type(g) is Tracer or is_array == (type(g) is np.ndarray):
        return g
    return np.array(g) if is_array else g[()]
