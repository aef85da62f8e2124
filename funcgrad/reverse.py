"""Reverse mode: ``grad`` and its relatives, each a walk of one recorded tape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .core import Tracer, call, raw
from .errors import DerivativeLostError
from .rules.constants import stop
from .tape import Tape
from .verbs import Like

Argnums = int | Sequence[int]


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
    both = value_and_grad(f, argnums, has_aux, allow_int)

    @_named("grad", f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads = both(*args, **kwargs)
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

    @_named("value_and_grad", f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        run = _Run("grad", f, args, kwargs, argnums, allow_int)
        out, aux = run.split_aux(has_aux)
        value = out.value if run.owns(out) else out
        _check_scalar(value, run.tape.label)
        grads = run.arguments_like(run.pull([out], [Like(value).dtype.type(1)]))
        return ((value, run.plain(aux)) if has_aux else value), grads

    return value_and_gradient


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
    run = _Run("vjp", f, primals, {}, tuple(range(len(primals))), allow_int=False)
    out, aux = run.split_aux(has_aux)
    outs, structure = tree.flatten(out)
    values = [run.plain(leaf) for leaf in outs]
    likes = [Like(value) for value in values]

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        leaves = _check_cotangent(cotangent, structure, likes, run.tape.label)
        return run.arguments_like(run.pull(outs, leaves))

    result = tree.unflatten(structure, values)
    return (result, pullback, run.plain(aux)) if has_aux else (result, pullback)


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

    @_named("jacrev", f)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        run = _Run("jacrev", f, args, kwargs, argnums, allow_int=False)
        out, aux = run.split_aux(has_aux)
        outs, structure = tree.flatten(out)
        rows = [run.arguments_like(run.jacobian(leaf)) for leaf in outs]
        result = tree.unflatten(structure, rows)
        return (result, run.plain(aux)) if has_aux else result

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
        allow_int: bool,
    ) -> None:
        self.tape = Tape(f, transform)
        self.single = isinstance(argnums, int)
        positions = _positions(argnums, len(args), self.tape.label)
        differentiated = args[positions[0]] if self.single else [args[i] for i in positions]
        self.primals, self.structure = tree.flatten(differentiated)
        self.inputs: list[Any] = []
        for i, leaf in enumerate(self.primals):
            problem = _problem(leaf, allow_int)
            if problem:
                raise TypeError(self.describe(i, positions) + problem)
            self.inputs.append(self.tape.born(leaf) if _is_real(leaf) else leaf)
        born = tree.unflatten(self.structure, self.inputs)
        changed = list(args)
        for position, argument in zip(positions, [born] if self.single else born):
            changed[position] = argument
        try:
            self.out = f(*changed, **kwargs)
        except ValueError as error:
            # NumPy hides what a traced value said to z[i] = t behind an error of its own.
            if isinstance(error.__cause__, DerivativeLostError):
                raise DerivativeLostError(str(error.__cause__)) from error
            raise
        finally:
            self.tape.close()

    def describe(self, i: int, positions: Sequence[int]) -> str:
        """What leaf ``i`` is called in an error."""
        path = list(self.structure.paths())[i]
        if self.single:
            position = positions[0]
        else:
            position, path = positions[path[0].key], path[1:]
        at = f", leaf {tree.keystr(path)}" if path else ""
        return f"{self.tape.label}: argument {position}{at} "

    def split_aux(self, has_aux: bool) -> tuple[Any, Any]:
        if not has_aux:
            return self.out, None
        if not (isinstance(self.out, tuple) and len(self.out) == 2):
            raise TypeError(
                f"{self.tape.label}: with has_aux=True the function must return a pair "
                f"(result, aux), not {type(self.out).__name__}."
            )
        return self.out

    def owns(self, x: Any) -> bool:
        return type(x) is Tracer and x.owner is self.tape

    def plain(self, x: Any) -> Any:
        """``x`` (a pytree) with this run's tracers replaced by their values."""
        return tree.map(lambda leaf: leaf.value if self.owns(leaf) else leaf, x)

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
            rows.append(self.pull([out], [seed]))
        shapes = [np.shape(primal) for primal in self.primals]
        if not rows:
            return [np.zeros((*like.shape, *shape)) for shape in shapes]
        columns = [np.stack(column) for column in zip(*rows)]
        return [np.reshape(c, (*like.shape, *shape)) for c, shape in zip(columns, shapes)]

    def arguments_like(self, leaves: list[Any]) -> Any:
        grads = tree.unflatten(self.structure, leaves)
        return grads if self.single else tuple(grads)


def _named(transform: str, f: Callable[..., Any]) -> Callable[[Any], Any]:
    """Give a transformed function its name and the documentation of ``f``."""

    def name(transformed: Any) -> Any:
        functools.update_wrapper(transformed, f, assigned=("__module__", "__doc__"), updated=())
        transformed.__name__ = f"{transform}({getattr(f, '__name__', type(f).__name__)})"
        return transformed

    return name


def _positions(argnums: Argnums, count: int, label: str) -> list[int]:
    positions = [argnums] if isinstance(argnums, int) else list(argnums)
    for i in positions:
        if not isinstance(i, int) or not -count <= i < count:
            raise ValueError(
                f"{label}: argnums={argnums} names argument {i}, but the call has {count} "
                f"positional arguments. Differentiated arguments are passed by position."
            )
    resolved = [i % count for i in positions]
    if len(set(resolved)) < len(resolved) or not resolved:
        raise ValueError(f"{label}: argnums={argnums} must name each argument once.")
    return resolved


def _is_real(leaf: Any) -> bool:
    return type(leaf) is float or (hasattr(leaf, "dtype") and leaf.dtype.kind in "fc")


def _problem(leaf: Any, allow_int: bool) -> str | None:
    """Why ``leaf`` cannot be differentiated, or None."""
    if type(leaf) is float:
        return None
    if isinstance(leaf, int):
        if allow_int:
            return None
        return f"is the {type(leaf).__name__} {leaf}, which has no gradient. Write float({leaf})."
    if isinstance(leaf, np.ndarray) and type(leaf) not in (np.ndarray, np.memmap):
        return (
            f"is a {type(leaf).__name__}, whose own arithmetic would not be differentiated. "
            f"Pass np.asarray(x)."
        )
    if not isinstance(leaf, np.ndarray | np.generic | Tracer):
        return (
            f"is {leaf!r:.60} of type {type(leaf).__name__}, which has no gradient. "
            f"Differentiate with respect to floats and arrays; pass the rest as other arguments."
        )
    if leaf.dtype.kind == "f":
        return None
    if leaf.dtype.kind in "iub":
        if allow_int:
            return None
        return (
            f"has dtype {leaf.dtype} and shape {leaf.shape}; integers have no gradient. "
            f"Write x.astype(float), or pass allow_int=True for zeros."
        )
    if leaf.dtype.kind == "c":
        return (
            f"is complex ({leaf.dtype}, shape {leaf.shape}), which grad does not take. "
            f"Pass the real and the imaginary part as two arguments."
        )
    return f"has dtype {leaf.dtype} and shape {leaf.shape}, which has no gradient."


def _check_scalar(value: Any, label: str) -> None:
    dtype = getattr(value, "dtype", None)
    if type(value) is float or (dtype is not None and value.shape == () and dtype.kind == "f"):
        return
    if dtype is None:
        got = f"{type(value).__name__} {value!r:.60}"
    else:
        got = f"an array of shape {value.shape} and dtype {dtype}"
    raise TypeError(
        f"{label}: the function must return one real float, and returned {got}. "
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
        dtype = np.result_type(g)
        if np.shape(g) != like.shape or not np.can_cast(dtype, like.dtype, "same_kind"):
            raise ValueError(
                f"the pullback of {label} takes a cotangent of shape {like.shape} and dtype "
                f"{like.dtype}{' at ' + tree.keystr(path) if path else ''}, "
                f"and got shape {np.shape(g)} and dtype {dtype}."
            )
        if type(g) is Tracer:
            leaves.append(call(np.astype, (g, like.dtype), {}))
        else:
            leaves.append(np.asarray(g).astype(like.dtype)[()])
    return leaves


def _like(g: Any, primal: Any) -> Any:
    """A finished gradient, in the form of its argument: array, or NumPy scalar."""
    if g is None:
        if type(primal) is np.ndarray:
            return np.zeros(primal.shape, primal.dtype if primal.dtype.kind == "f" else float)
        like = Like(primal)
        return np.zeros(like.shape, like.dtype if like.dtype.kind == "f" else float)[()]
    if type(g) is Tracer:
        return g
    if type(raw(primal)) is np.ndarray:
        return g if type(g) is np.ndarray else np.array(g)
    return g[()] if type(g) is np.ndarray else g
