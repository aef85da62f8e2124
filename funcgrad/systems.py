"""Linear systems whose matrix is a function, differentiated in their right-hand side and in it.

``matvec`` is recorded once as a program. The traced values that it closes over become inputs of the
program and operands of one ``Joint`` primitive, whose rules are more of the same: a tangent
solves the system again, a cotangent the transposed one::

    A x = b:     A dx = db − dA x          Aᵀ u = x̄,   b̄ = u,   Ā: the pullback of A ↦ A x, at −u

All of that is traced code, so that derivatives of any order follow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import transform, tree
from .core import Tracer, raw
from .forward import jvp
from .graph import GraphTrace
from .joint import Joint, float_places, replaced
from .program import Equation, Program, Variable, kept
from .pull import Like
from .reverse import vjp
from .trace import name_of
from .vmap import vmap

Matvec = Callable[[Any], Any]
Apply = Callable[[Sequence[Any], Sequence[Any]], list[Any]]  # of constants and the leaves of v


def linear_solve(
    matvec: Matvec,
    b: Any,
    solve: Callable[[Matvec, Any], Any] | None = None,
    symmetric: bool = False,
) -> Any:
    """The x for which ``matvec(x)`` is ``b``, differentiated in ``b`` and in what ``matvec`` uses.

    ``matvec`` is a linear function that keeps the structure, shapes and dtypes of the pytree ``b``,
    which x has as well. ``solve(matvec, b)`` finds x, by NumPy, SciPy or any other code: it sees
    plain arrays. It must solve for the ``matvec`` that it is given, which for a derivative in
    reverse mode is the transpose; ``symmetric=True`` says that this is the same one. Without
    ``solve``, the matrix is written out and given to ``np.linalg.solve``. Under vmap each example
    is solved for on its own.

    >>> import numpy as np, funcgrad as fg
    >>> def x(scale):
    ...     return fg.linear_solve(lambda v: scale * v + v[::-1], np.array([1.0, 2.0]))
    >>> x(2.0).round(6).tolist()
    [0.0, 1.0]
    >>> fg.jvp(x, (2.0,), (1.0,))[1].round(6).tolist()
    [0.333333, -0.666667]
    """
    transform.check_function("linear_solve", matvec, "linear_solve(lambda v: a @ v, b)")
    label = f"linear_solve of {name_of(matvec)}"
    for path, leaf in tree.leaves_with_path(b):
        if not (transform.is_number(leaf) and Like(leaf).dtype.kind == "c"):
            transform.check_input(leaf, f"{label}: b{tree.keystr(path)}")
    find = solve or functools.partial(dense_solve, label, "the matrix of matvec")
    return solved(label, matvec, b, find, symmetric, check=True)


def solved(
    label: str,
    matvec: Matvec,
    b: Any,
    solve: Callable[[Matvec, Any], Any],
    symmetric: bool = False,
    check: bool = False,
) -> Any:
    """``linear_solve`` without a look at b, or at ``matvec`` unless it is to ``check`` that."""
    leaves, structure = tree.flatten(b)
    recorded = _Recorded(label, matvec, [Like(x) for x in leaves], structure)
    if check:
        recorded.check_linear()
        if symmetric:
            recorded.check_symmetric()
    system = _system(label, recorded.apply, len(recorded.constants), solve, structure, symmetric)
    return tree.unflatten(structure, system(*recorded.constants, *leaves))


class _Recorded:
    """A linear function as a program, whose inputs are the traced values that it closes over (its
    ``constants``) and the leaves of the vector."""

    def __init__(
        self, label: str, matvec: Matvec, likes: list[Like], structure: tree.Structure
    ) -> None:
        self.label, self.structure = label, structure
        # Numbers of no special kind, lest a coincidence hide what is not linear.
        self.probe = [
            np.cos(np.arange(x.size) + 1.0).reshape(x.shape).astype(x.dtype)[()] for x in likes
        ]
        trace = GraphTrace(matvec)
        trace.transform = "linear_solve"
        entering = [Variable(x) for x in self.probe]
        vector = [Tracer(trace, x, variable) for x, variable in zip(self.probe, entering)]
        out = transform.run(trace, matvec, (tree.unflatten(structure, vector),), {})
        self.outs = leaves_like(label, out, "the result of matvec", structure, likes, "b")
        for path, t, like in zip(structure.paths(), self.outs, likes):
            if Like(t).dtype != like.dtype:
                raise TypeError(
                    f"{label}: the result of matvec{tree.keystr(path)} has dtype {Like(t).dtype} "
                    f"for a vector of dtype {like.dtype}, that of b. Write b.astype(...), or cast "
                    f"what matvec multiplies by."
                )
        if trace.looks:
            raise TypeError(
                f"{label}: matvec turned its argument into a plain number by "
                f"{', '.join(dict.fromkeys(trace.looks))}, so that it cannot be transposed. Write "
                f"it in NumPy (np.where for if)."
            )
        closed: dict[int, tuple[Any, Variable]] = {}

        def converted(t: Any) -> Any:
            """What stands for an operand in the program: a variable for a traced value, too."""
            if type(t) is not Tracer:
                return t
            if t.owner is trace:
                return t.node
            return closed.setdefault(id(t), (t, Variable(t)))[1]

        equations = [
            Equation(e.primitive, tuple(map(converted, e.operands)), *e[2:])
            for e in trace.equations
        ]
        outputs = [converted(kept(t)) for t in self.outs]
        self.constants = [t for t, _ in closed.values()]
        inputs = [("", variable) for variable in [v for _, v in closed.values()] + entering]
        self.program = Program(label, inputs, equations, outputs, structure, ())

    def apply(self, constants: Sequence[Any], v: Sequence[Any]) -> list[Any]:
        return self.program.run([*constants, *v])

    def check_linear(self) -> None:
        """Raise unless the function of −2v is −2 times that of v, as far as numbers tell."""
        vector = [-2.0 * x for x in self.probe]
        for t, again in zip(self.outs, self.apply(self.constants, vector)):
            once, twice = np.asarray(raw(t)), np.asarray(raw(again))
            largest = np.max(np.abs(once), initial=0.0)
            off = np.max(np.abs(twice + 2.0 * once), initial=0.0)
            if off > np.sqrt(np.finfo(once.dtype).eps) * largest:
                raise ValueError(
                    f"{self.label}: matvec is not linear, since matvec(-2 * v) is not "
                    f"-2 * matvec(v). Write only what is multiplied by v, and the rest into b; "
                    f"funcgrad.implicit_root solves other equations."
                )

    def check_symmetric(self) -> None:
        """Raise unless wᵀA v is vᵀA w, as far as numbers tell."""
        other = [np.sqrt(np.abs(x)).astype(x.dtype) for x in self.probe]
        changed = self.apply(self.constants, other)
        terms = [w * raw(t) for w, t in zip(other, self.outs)]
        swapped = [v * raw(t) for v, t in zip(self.probe, changed)]
        size = sum(np.sum(np.abs(t)) for t in terms)
        off = abs(sum(np.sum(t) for t in terms) - sum(np.sum(t) for t in swapped))
        if off > np.sqrt(max([np.finfo(x.dtype).eps for x in self.probe], default=0.0)) * size:
            raise ValueError(
                f"{self.label}: symmetric=True, but w @ matvec(v) is not v @ matvec(w). Leave it "
                f"out, and reverse mode solves with the transpose."
            )


def _system(
    label: str,
    apply: Apply,
    count: int,
    solve: Callable[[Matvec, Any], Any],
    structure: tree.Structure,
    symmetric: bool,
    transposed: Joint | None = None,
) -> Joint:
    """The primitive that solves ``apply(constants, x) = b``, of ``count`` constants and the leaves
    of b. ``transposed`` is the one for the transpose, where it is known."""

    def again() -> Joint:
        # Another one, since a reference to itself would keep what it holds for the collector.
        return _system(label, apply, count, solve, structure, symmetric, transposed)

    def impl(*operands: Any) -> tuple[Any, ...]:
        constants, b = operands[:count], operands[count:]

        def matvec(v: Any) -> Any:
            return tree.unflatten(structure, apply(constants, tree.leaves(v)))

        x = solve(matvec, tree.unflatten(structure, b))
        return settled(label, x, structure, b, "b")

    def forward(*operands: Any) -> tuple[Any, Any]:
        x = again()(*operands)
        return x, (operands[:count], x)

    def pull(g: Any, residual: Any) -> list[Any]:
        constants, x = residual
        u = transpose(x)(*constants, *g)
        moving, at = varying(constants)
        cotangents: list[Any] = [None] * count
        if moving:
            _, pullback = vjp(lambda *moving: apply(at(moving), x), *moving)
            for i, c in zip(floats(constants), pullback([-t for t in u])):
                cotangents[i] = c
        return [*cotangents, *u]

    def push(operands: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        constants, moved = operands[:count], list(tangents[count:])
        x = again()(*operands)
        moving, at = varying(constants)
        if moving:
            along = tuple(tangents[i] for i in floats(constants))
            change = jvp(lambda *moving: apply(at(moving), x), tuple(moving), along)[1]
            moved = [t - c for t, c in zip(moved, change)]
        return x, again()(*constants, *moved)

    def transpose(x: Sequence[Any]) -> Joint:
        if symmetric:
            return again()
        if transposed is not None:
            return transposed
        zeros = [np.zeros(like.shape, like.dtype)[()] for like in map(Like, x)]

        def apply_transposed(constants: Sequence[Any], u: Sequence[Any]) -> list[Any]:
            _, pullback = vjp(lambda *v: apply(constants, v), *zeros)
            return list(pullback(list(u)))

        return _system(label, apply_transposed, count, solve, structure, False, again())

    return Joint("linear_solve", impl, forward, pull, push)


def dense_solve(label: str, what: str, matvec: Matvec, b: Any) -> Any:
    """x with matvec(x) = b, by writing the matrix out, which an error calls ``what``."""
    vector, unravel = tree.ravel(b)
    matrix = matrix_of(lambda v: tree.ravel(matvec(unravel(v)))[0], vector)
    try:
        return unravel(np.linalg.solve(matrix, vector))
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(
            f"{label}: {what}, of shape {matrix.shape}, is singular, so that there is no solution, "
            f"or more than one."
        ) from None


def matrix_of(matvec: Matvec, vector: np.ndarray) -> np.ndarray:
    """The matrix of a linear function of vectors like ``vector``."""
    return vmap(matvec, out_axes=1)(np.eye(vector.size, dtype=vector.dtype))


# Leaves.


def leaves_like(
    label: str, out: Any, what: str, structure: tree.Structure, likes: list[Like], against: str
) -> list[Any]:
    """The leaves of ``out``, numbers of the given structure and shapes."""
    tree.check_same(structure, out, what, against, label)
    leaves = tree.leaves(out)
    for path, leaf, like in zip(structure.paths(), leaves, likes):
        if not transform.is_number(leaf) or np.shape(leaf) != like.shape:
            at = tree.keystr(path)
            raise TypeError(
                f"{label}: {what}{at} is {transform.described(leaf)}, and must be of shape "
                f"{like.shape}, as {against}{at}."
            )
    return leaves


def settled(
    label: str, x: Any, structure: tree.Structure, start: Sequence[Any], against: str
) -> tuple[Any, ...]:
    """What a solver returned, as arrays of our own in the dtypes of ``start``."""
    likes = [Like(t) for t in start]
    leaves = leaves_like(label, x, "what solve returned", structure, likes, against)
    settled = []
    for path, leaf, like, first in zip(structure.paths(), leaves, likes, start):
        if type(leaf) is Tracer or not np.can_cast(np.result_type(leaf), like.dtype, "same_kind"):
            what = "a traced value" if type(leaf) is Tracer else transform.described(leaf)
            raise TypeError(
                f"{label}: what solve returned{tree.keystr(path)} is {what}, and must be a plain "
                f"number or array of dtype {like.dtype}."
            )
        plain = np.array(leaf, like.dtype)
        settled.append(plain if type(first) is np.ndarray else plain[()])
    return tuple(settled)


def floats(values: Sequence[Any]) -> list[int]:
    """The places of the values that may have a derivative."""
    return float_places([Like(x) for x in values])


def varying(values: Sequence[Any]) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """The values that may have a derivative, and the function that puts others in their places."""
    places = floats(values)
    return [values[i] for i in places], functools.partial(replaced, values, places)
