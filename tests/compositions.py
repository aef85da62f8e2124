"""Sixty compositions of transforms, to depth four, on generated programs, for any library.

A *program* is a random straight line of NumPy functions of two vectors x and y that gives a vector.
A *transform* makes another such function of one, by a derivative, a map, a rule or a loop; most
close over x or y, so that what is inside refers to variables of what is around it. All is written
against a ``Library``, which brings the names, and so the same composition runs in funcgrad, in a
library whose derivatives are differences, and in JAX.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SIZE = 3  # of x, y and the result
LINES = 5  # of a program
COUNT = 60  # of compositions

Function = Callable[[Any, Any], Any]


class Library(NamedTuple):
    """What a composition calls; all but ``np`` as in funcgrad and in JAX."""

    np: Any
    grad: Any
    jvp: Any
    vjp: Any
    vmap: Any
    scan: Any
    checkpoint: Any
    custom_jvp: Any
    custom_vjp: Any


class Unruled:
    """A function that does not listen to its rule."""

    def __init__(self, f: Any) -> None:
        self.f = f

    def __call__(self, *args: Any) -> Any:
        return self.f(*args)

    def defvjp(self, forward: Any, backward: Any) -> None:
        pass

    def defjvp(self, rule: Any) -> None:
        pass


# Programs. Each operation takes two vectors of moderate numbers to one, smoothly.

MATRIX = np.array([[0.5, -0.3, 0.2], [0.1, 0.4, -0.6], [-0.2, 0.7, 0.3]])
OPERATIONS = {
    "sum": lambda np, a, b: a + 0.5 * b,
    "product": lambda np, a, b: a * b,
    "quotient": lambda np, a, b: a / (1.0 + b * b),
    "sine": lambda np, a, b: np.sin(a - b),
    "tanh": lambda np, a, b: np.tanh(a) * b,
    "bell": lambda np, a, b: a * np.exp(-b * b),
    "root": lambda np, a, b: np.sqrt(1.0 + a * a) - b,
    "logarithm": lambda np, a, b: np.log(2.0 + np.cos(a)) + b,
    "matrix": lambda np, a, b: np.matmul(MATRIX, a) + b,
    "inner": lambda np, a, b: a * np.dot(a, b) / SIZE,
    "outer": lambda np, a, b: np.mean(np.outer(a, np.sin(b)), axis=0),
    "running sum": lambda np, a, b: np.cumsum(a) * b / SIZE,
    "roll": lambda np, a, b: np.concatenate([a[1:], b[:1]]),
    "choice": lambda np, a, b: np.where(np.arange(SIZE) == 1, a, b**2),
    "power": lambda np, a, b: (1.0 + a * a) ** (0.5 * np.cos(b)),
    "einsum": lambda np, a, b: np.einsum("i,ij,j->j", a, MATRIX, b),
}


def program(rng: np.random.Generator) -> Callable[[Library], Function]:
    lines = [
        (OPERATIONS[rng.choice(list(OPERATIONS))], *rng.integers(0, 2 + line, 2))
        for line in range(LINES)
    ]

    def of(library: Library) -> Function:
        def f(x: Any, y: Any) -> Any:
            values = [library.np.sin(x), library.np.tanh(y)]
            for operation, i, j in lines:
                values.append(operation(library.np, values[i], values[j]))
            return library.np.sin(values[-1] + values[-2]) + values[0] * values[1]

        return f

    return of


# Transforms. WEIGHTS makes each element of a vector count differently.

WEIGHTS = np.array([1.0, -0.5, 0.7])
ROWS = np.array([[0.6, -0.4, 0.8], [0.3, 0.9, -0.7]])


def by_grad(library: Library, f: Function) -> Function:
    def g(x: Any, y: Any) -> Any:
        def inner(z: Any) -> Any:
            return library.np.sum(WEIGHTS * x * f(z * x, library.np.sin(z + y)))

        return library.grad(inner)(0.5 * x - y)

    return g


def by_jvp(library: Library, f: Function) -> Function:
    def g(x: Any, y: Any) -> Any:
        return library.jvp(lambda z, w: x * f(z, w * y), (y, x), (0.5 * x * y, WEIGHTS * x))[1]

    return g


def by_vmap(library: Library, f: Function) -> Function:
    def g(x: Any, y: Any) -> Any:
        mapped = library.vmap(lambda z, w: f(z * x, w), in_axes=(0, None), out_axes=1)
        return library.np.matmul(mapped(ROWS * y, y), np.array([0.8, -0.5]))

    return g


def by_two_vmaps(library: Library, f: Function) -> Function:
    def g(x: Any, y: Any) -> Any:
        def row(z: Any) -> Any:
            return library.vmap(lambda w: f(z, w * x + z), in_axes=1)(ROWS.T)

        return library.np.sum(library.vmap(row)(ROWS * y), axis=(0, 1)) / 4.0

    return g


def by_vmap_of_grad(library: Library, f: Function) -> Function:
    def g(x: Any, y: Any) -> Any:
        inner = library.grad(lambda z, w: library.np.sum(WEIGHTS * f(z, w * x)))
        return library.np.sum(library.vmap(inner, in_axes=(None, 0))(x * y, ROWS * y), axis=0)

    return g


def by_checkpoint(library: Library, f: Function) -> Function:
    def g(x: Any, y: Any) -> Any:
        return library.checkpoint(lambda z: f(z, x * y))(library.np.sin(x)) + x

    return g


def by_scan(library: Library, f: Function) -> Function:
    def g(x: Any, y: Any) -> Any:
        def step(carry: Any, row: Any) -> Any:
            h = library.np.tanh(f(carry["h"], row * y))
            return {"h": h, "sums": (carry["sums"][0] + h * x,)}, row * h

        start = {"h": x, "sums": (0.5 * y,)}
        last, rows = library.scan(step, start, ROWS)
        return last["h"] + last["sums"][0] * library.np.sum(rows, axis=0)

    return g


def by_custom_jvp(library: Library, f: Function) -> Function:
    def call(x: Any, y: Any) -> Any:
        return f(x, y)

    def rule(primals: Any, tangents: Any) -> Any:
        return library.jvp(f, primals, tangents)

    ruled = library.custom_jvp(call)
    ruled.defjvp(rule)
    return lambda x, y: ruled(x * y, y)


def by_custom_vjp(library: Library, f: Function) -> Function:
    def call(arguments: Any) -> Any:
        return {"out": f(*arguments)}

    def backward(arguments: Any, g: Any) -> Any:
        return (library.vjp(f, *arguments)[1](g["out"]),)

    ruled = library.custom_vjp(call)
    ruled.defvjp(lambda arguments: (call(arguments), arguments), backward)
    return lambda x, y: ruled((x, x + y))["out"]


TRANSFORMS = {
    "grad": by_grad,
    "jvp": by_jvp,
    "vmap": by_vmap,
    "vmap of vmap": by_two_vmaps,
    "vmap of grad": by_vmap_of_grad,
    "checkpoint": by_checkpoint,
    "scan": by_scan,
    "custom_jvp": by_custom_jvp,
    "custom_vjp": by_custom_vjp,
}


POINT = np.array([0.4, -0.7, 0.9]), np.array([0.8, 0.3, -0.5])


class Composition(NamedTuple):
    """A program, and the transforms that are applied to it one after the other."""

    program: Callable[[Library], Function]
    transforms: tuple[str, ...]

    def __str__(self) -> str:
        return " of ".join([*self.transforms[::-1], "a program"])

    def function(self, library: Library) -> Function:
        f = self.program(library)
        for name in self.transforms:
            f = TRANSFORMS[name](library, f)
        return f

    def inner(self, depth: int) -> "Composition":
        """The same without what is outside of the first ``depth`` transforms."""
        return self._replace(transforms=self.transforms[:depth])

    def loss(self, library: Library) -> Callable[[Any, Any], Any]:
        f = self.function(library)
        return lambda x, y: library.np.sum(WEIGHTS * f(x, y))


def compositions() -> list[Composition]:
    """Sixty, the same with every call, in which each transform is applied to each at least once."""
    rng = np.random.default_rng(0)
    pairs = rng.permutation(list(itertools.product(TRANSFORMS, repeat=2))).tolist()
    drawn = itertools.cycle(pairs)
    return [Composition(program(rng), (*next(drawn), *next(drawn))) for _ in range(COUNT)]
