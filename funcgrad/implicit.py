"""What an equation defines, differentiated through the equation and not through its solver.

Where f(x, θ) = 0 holds, the implicit function theorem gives dx/dθ = −(∂f/∂x)⁻¹ ∂f/∂θ: the
derivative costs one linear system at the solution, and what found it may be any code, of any
number of steps. Forward mode solves with the Jacobian A = ∂f/∂x, reverse mode with its transpose::

    A dx = −∂f/∂θ dθ          Aᵀ u = x̄,   θ̄ = −(∂f/∂θ)ᵀ u

Both are linear systems of ``funcgrad.systems`` in functions of traced values, which is why
derivatives of any order follow. (Christianson, "Reverse accumulation and attractive fixed points",
1994; Blondel et al., "Efficient and modular implicit differentiation", 2022.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import transform, tree
from .core import Tracer
from .errors import UnsupportedError
from .forward import jvp, linearize
from .joint import Joint, replaced
from .pull import Like
from .reverse import stop_gradient, vjp
from .systems import (
    dense_solve,
    floats,
    leaves_like,
    matrix_of,
    settled,
    solved,
    varying,
)
from .trace import WEAK, name_of
from .views import own

_NEWTON_STEPS = 50


def implicit_root(
    f: Callable[..., Any], solve: Callable[[Callable[[Any], Any], Any], Any] | None = None
) -> Callable[..., Any]:
    """A function ``(x0, *args) -> x`` that finds x with ``f(x, *args) = 0`` and is differentiated
    in ``args`` by the implicit function theorem; the start ``x0`` has derivative zero.

    x has the structure, shapes and dtypes of the pytree ``x0``, and what f returns has the former
    two. ``solve(g, x0)`` finds x for ``g(x) = f(x, *args)``, by NumPy, SciPy or any other code: it
    sees plain arrays, and must raise where it finds none. Without it, Newton's method writes out
    the Jacobian ∂f/∂x and raises a RuntimeError where it does not converge. The derivatives write
    it out too, once each. Whatever is differentiated has to be in ``args``, not in what f takes
    from its surroundings. Under vmap each example is solved for on its own.

    >>> import numpy as np, funcgrad as fg
    >>> cube_root = fg.implicit_root(lambda x, a: x**3 - a)
    >>> round(float(cube_root(1.0, 8.0)), 6)
    2.0
    >>> round(float(fg.grad(cube_root, argnums=1)(1.0, 8.0)), 6)
    0.083333
    """
    transform.check_function("implicit_root", f, "implicit_root(f)(x0, *args)")
    find = solve or _newton
    by_matrix = functools.partial(
        dense_solve, f"implicit_root of {name_of(f)}", "the Jacobian of f at x"
    )

    @transform.named("implicit_root", f)
    def root(x0: Any, *args: Any) -> Any:
        def found(start: Any, *args: Any) -> Any:
            def g(x: Any) -> Any:
                return f(x, *args)

            g.__name__ = name_of(f)
            return find(g, start)

        return _root("implicit_root", f, found, by_matrix, x0, args)

    return root


def fixed_point(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    tol: float | None = None,
    max_iter: int = 1000,
) -> Any:
    """The x that ``x = f(x, *args)`` comes to from ``x0``, differentiated in ``args`` by the
    implicit function theorem, whatever the number of steps; ``x0`` has derivative zero.

    x has the structure, shapes and dtypes of the pytree ``x0``. A step that changes no element by
    more than ``tol`` times the largest of them, or times 1, is the last; ``tol`` is eps**0.75 of
    the dtype (2e-12 for float64, 6e-6 for float32) unless given. The systems of the derivatives are
    solved by the same iteration, which settles where that of f does (Christianson 1994). A
    RuntimeError says that ``max_iter`` steps did not suffice. As for ``implicit_root``, whatever is
    differentiated has to be in ``args``, and under vmap each example is iterated on its own.

    >>> import numpy as np, funcgrad as fg
    >>> def golden(a):
    ...     return fg.fixed_point(lambda x, a: 1.0 + a / x, 1.0, a)
    >>> round(float(golden(1.0)), 6), round(float(fg.grad(golden)(1.0)), 6)
    (1.618034, 0.447214)
    """
    transform.check_function("fixed_point", f, "fixed_point(f, x0, *args)")
    label = f"fixed_point of {name_of(f)}"
    if max_iter < 1:
        raise ValueError(f"{label}: max_iter is the largest number of steps, and got {max_iter}.")

    @functools.wraps(f)
    def residual(x: Any, *args: Any) -> Any:
        leaves, structure = tree.flatten(x)
        likes = [Like(t) for t in leaves]
        after = f(tree.map(own, x), *args)
        after = leaves_like(label, after, "the result of f", structure, likes, "x0")
        return tree.unflatten(structure, [t - new for t, new in zip(leaves, after)])

    def find(x: Any, *args: Any) -> Any:
        return _iterate(label, lambda x: f(tree.map(own, x), *args), x, 1.0, tol, max_iter)

    def solve(matvec: Callable[[Any], Any], b: list[Any]) -> list[Any]:
        def step(u: list[Any]) -> list[Any]:
            return [x + (y - z) for x, y, z in zip(u, b, matvec(u))]

        return _iterate(f"the derivative of {label}", step, b, 0.0, tol, max_iter)

    return _root("fixed_point", residual, find, solve, x0, args)


def _iterate(
    label: str,
    f: Callable[[Any], Any],
    x: Any,
    smallest: float,
    tol: float | None,
    max_iter: int,
) -> Any:
    """What repeating ``x = f(x)`` comes to, with ``tol`` relative to x, or to ``smallest``."""
    vector, unravel = tree.ravel(x)
    bound = np.finfo(vector.dtype).eps ** 0.75 if tol is None else tol
    steps = 0
    while True:
        before, steps = vector, steps + 1
        vector = tree.ravel(f(unravel(vector)))[0].astype(vector.dtype)
        change = np.max(np.abs(vector - before), initial=0.0)
        if change <= bound * np.max(np.abs(vector), initial=smallest) < np.inf:
            return unravel(vector)
        if steps == max_iter or not np.isfinite(change):
            raise RuntimeError(
                f"{label}: after {steps} of {max_iter} steps x, {_described(x)}, has not settled: "
                f"the last one changed it by {change:.3g}, and tol is {bound:.3g}. Start nearer to "
                f"the solution, give a larger max_iter, or, where f is not a contraction, find the "
                f"root of x - f(x) by funcgrad.implicit_root."
            )


def _root(
    name: str,
    f: Callable[..., Any],
    find: Callable[..., Any],
    solve: Callable[[Callable[[Any], Any], Any], Any],
    x0: Any,
    args: tuple[Any, ...],
) -> Any:
    """``find(x0, *args)`` on plain values, differentiated as the x with ``f(x, *args) = 0``;
    ``solve`` is for the linear systems of the derivatives, as in ``linear_solve``."""
    label = f"{name} of {name_of(f)}"
    start, structure = tree.flatten(stop_gradient(x0))
    for path, leaf in zip(structure.paths(), start):
        transform.check_input(leaf, f"{label}: x0{tree.keystr(path)}")
    leaves, form = tree.flatten(args)
    numbers = [k for k, leaf in enumerate(leaves) if transform.is_number(leaf)]
    operands = [*start, *[leaves[k] for k in numbers]]
    others = replaced(leaves, numbers, [None] * len(numbers))

    def arguments(values: Sequence[Any]) -> tuple[Any, ...]:
        return tree.unflatten(form, replaced(others, numbers, values))

    primitive = _root_primitive(name, label, f, arguments, find, solve, structure)
    return tree.unflatten(structure, primitive(*operands))


def _root_primitive(
    name: str,
    label: str,
    f: Callable[..., Any],
    arguments: Callable[[Sequence[Any]], tuple[Any, ...]],
    find: Callable[..., Any],
    solve: Callable[[Callable[[Any], Any], Any], Any],
    structure: tree.Structure,
) -> Joint:
    """The primitive that finds x, of the leaves of x0 and the numbers among those of f's other
    ``arguments``."""
    count = structure.num_leaves

    def again() -> Joint:
        # Another one, since a reference to itself would keep what it holds for the collector.
        return _root_primitive(name, label, f, arguments, find, solve, structure)

    def residual(x: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        return tree.leaves(f(tree.unflatten(structure, x), *arguments(values)))

    def impl(*operands: Any) -> tuple[Any, ...]:
        first, values = list(operands[:count]), operands[count:]
        x = tree.unflatten(structure, first)
        likes = [Like(t) for t in first]
        out = f(x, *arguments(values))
        for i, r in enumerate(leaves_like(label, out, "the result of f", structure, likes, "x0")):
            if type(r) is Tracer:
                raise UnsupportedError(
                    f"{label}: f takes a traced value from its surroundings ({r.owner.label}), in "
                    f"which x could not be differentiated. Pass it as an argument after x0."
                )
            if type(first[i]) in WEAK:  # which takes its dtype from what it meets
                first[i] = Like(r).dtype.type(first[i])
        x = find(tree.unflatten(structure, first), *arguments(values))
        return settled(label, x, structure, first, "x0")

    def forward(*operands: Any) -> tuple[Any, Any]:
        x, values = again()(*operands), operands[count:]
        moving, at = varying(values)
        # At once, since f may take arrays from its surroundings that change before the walk.
        _, pullback = vjp(lambda x, moving: residual(x, at(moving)), list(x), moving)
        return x, (pullback, floats(values), len(values))

    def pull(g: Any, kept: Any) -> list[Any]:
        pullback, places, size = kept
        u = solved(label, lambda u: pullback(u)[0], list(g), solve)
        _, found = pullback([-t for t in u])
        return [None] * count + replaced([None] * size, places, found)

    def push(operands: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        x, values = again()(*operands), operands[count:]
        moving, at = varying(values)
        along = [tangents[count + i] for i in floats(values)]
        change = jvp(lambda moving: residual(x, at(moving)), (moving,), (along,))[1]
        jacobian = linearize(lambda x: residual(x, values), list(x))[1]

        def matvec(v: list[Any]) -> list[Any]:
            return _cast(jacobian(v), x)

        return x, tuple(solved(label, matvec, _cast([-t for t in change], x), solve))

    return Joint(name, impl, forward, pull, push)


def _newton(g: Callable[[Any], Any], x0: Any) -> Any:
    """A root of ``g`` by Newton's method, with the whole Jacobian."""
    x, unravel = tree.ravel(x0)
    tol = np.finfo(x.dtype).eps ** 0.75
    why = f"after {_NEWTON_STEPS} steps"
    for k in range(_NEWTON_STEPS):
        value, jacobian = linearize(lambda x: tree.ravel(g(unravel(x)))[0], x)
        try:
            step = np.linalg.solve(matrix_of(jacobian, x), value)
        except np.linalg.LinAlgError:
            why = f"since the Jacobian is singular after {k} steps"
            break
        x = x - step.astype(x.dtype)
        if np.max(np.abs(step), initial=0.0) <= tol * np.max(np.abs(x), initial=1.0):
            return unravel(x)
    raise RuntimeError(
        f"implicit_root of {name_of(g)}: Newton's method has not found x, {_described(x0)}, {why}: "
        f"the norm of f(x) is {np.linalg.norm(value):.3g}. Start nearer to the root, or give a "
        f"solve of your own."
    )


def _cast(leaves: Sequence[Any], likes: Sequence[Any]) -> list[Any]:
    """The leaves in the dtypes of ``likes``."""
    return [t if t.dtype == x.dtype else t.astype(x.dtype) for t, x in zip(leaves, likes)]


def _described(x: Any) -> str:
    """The shape of ``x``, or the shapes of its leaves."""
    shapes = [f"{tree.keystr(path)} {np.shape(t)}".strip() for path, t in tree.leaves_with_path(x)]
    return f"of shape {', '.join(shapes)}"
