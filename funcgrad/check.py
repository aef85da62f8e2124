"""Derivatives checked against numerical differentiation.

Along a direction v in the arguments and with weights w on the results, φ(h) = ⟨w, f(x + h·v)⟩ is a
function of one number, and its slope at 0 must be what a transform says: ⟨vjp(w), v⟩, or
⟨w, jvp(v)⟩. A derivative is a function again, so the same check of it is the check of the second
order. Everything is computed in float64, and v and w are drawn from a fixed key: what passes once
passes always.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import random, tree
from .forward import jvp
from .graph import named_arguments, named_leaves
from .reverse import vjp
from .trace import name_of
from .transform import is_number

EPS = float(np.finfo(np.float64).eps)
STEPS = 8.0 ** -np.arange(1, 14)
DIRECTIONS = 2  # for each derivative
_PARTS = ("real", "imaginary")  # of a complex argument


class GradientCheckError(AssertionError):
    """A derivative disagrees with numerical differentiation."""


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("rev",),
) -> None:
    """None, where the derivatives of ``f`` at ``args`` up to ``order`` agree with numerical ones.

    Arguments and results are pytrees. Their float leaves are checked, those of the arguments taken
    as float64, and complex ones as two floats; the others stay as they are. The modes are
    ``"rev"``, by ``vjp``, and ``"fwd"``, by ``jvp``; with both, derivatives of higher orders are
    checked in every combination. Where a derivative disagrees, a ``GradientCheckError`` names the
    leaf with the largest difference.

    >>> check_grads(lambda p, n: np.sin(p["x"]) ** n, ({"x": np.ones(3)}, 2))
    >>> check_grads(lambda p: np.abs(p["x"]), ({"x": 1e-12},))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    funcgrad.check.GradientCheckError: the vjp of <lambda> disagrees ... at p['x']: ...
    """
    label = name_of(f)
    if not isinstance(args, tuple | list):
        raise TypeError(
            f"check_grads takes the arguments of {label} as a tuple, got {type(args).__name__}. "
            f"Write check_grads({label}, (x,))."
        )
    if order < 1 or not modes or not all(mode in _MODES for mode in modes):
        raise ValueError(
            f"check_grads takes an order from 1 on and modes among {', '.join(_MODES)}; "
            f"got order={order} and modes={modes!r}."
        )
    args = tuple(args)
    leaves, structure = tree.flatten(args)
    floats, names = [], []  # places among the leaves; what is varied there
    for i, (name, leaf) in enumerate(named_leaves(named_arguments(f, args, {}))):
        if _kind(leaf) in ("f", "c"):
            floats.append(i)
            is_complex = _kind(leaf) == "c"
            names += [f"the {part} part of {name}" for part in _PARTS] if is_complex else [name]

    def flat(*xs: Any) -> list[Any]:
        changed, parts = list(leaves), iter(xs)
        for i in floats:
            x = next(parts)
            changed[i] = x + 1j * next(parts) if _kind(leaves[i]) == "c" else x
        return _float_leaves(f(*tree.unflatten(structure, changed)))

    flat.__name__ = label
    xs = _float_leaves([_double(leaves[i]) for i in floats])
    if not xs or not flat(*xs):
        where = "results" if xs else "arguments"
        raise ValueError(f"check_grads of {label}: there is no float among the {where}.")
    _check(flat, xs, names, label, order, modes, random.key(0), noise=0.0)


def numerical_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns the gradient of the scalar function ``f`` by central differences.

    It is computed in float64, from some thirty values of ``f`` for each element of the arguments,
    twice as many for a complex one. Its derivative is that of ``grad``: ∂f/∂x − i·∂f/∂y.

    >>> gradient = numerical_grad(lambda p: p["x"] ** 2 * p["y"])({"x": 3.0, "y": 2.0})
    >>> [round(float(gradient[name]), 6) for name in "xy"]
    [12.0, 9.0]
    """

    def gradient(*args: Any, **kwargs: Any) -> Any:
        def of_argument(position: int) -> Any:
            x, unravel = tree.ravel(tree.map(_double, args[position]))

            def partial(i: int, direction: complex) -> float:
                scale = max(1.0, abs(x[i]))

                def phi(h: float) -> float:
                    moved = x.copy()
                    moved[i] += h * scale * direction
                    changed = [*args[:position], unravel(moved), *args[position + 1 :]]
                    return _one_number(f(*changed, **kwargs))

                return _slope(phi, EPS * abs(phi(0.0))).estimate / scale

            gradient = np.array([partial(i, 1.0) for i in range(x.size)], x.dtype)
            if x.dtype.kind == "c":
                gradient -= 1j * np.array([partial(i, 1j) for i in range(x.size)])
            return unravel(gradient)

        if isinstance(argnums, int):
            return of_argument(argnums % len(args))
        return tuple(of_argument(position % len(args)) for position in argnums)

    return gradient


def _kind(leaf: Any) -> str:
    """The kind of its dtype, or nothing where ``leaf`` is not a number."""
    return np.result_type(leaf).kind if is_number(leaf) else ""


def _double(leaf: Any) -> Any:
    """``leaf`` in double precision, real or complex."""
    if _kind(leaf) not in ("f", "c"):
        raise TypeError(f"numerical differentiation is by floats, got {leaf!r:.60}.")
    return np.array(leaf, np.float64 if _kind(leaf) == "f" else np.complex128)[()]


def _one_number(y: Any) -> float:
    if np.shape(y) != ():
        raise TypeError(
            f"numerical_grad takes a function that returns one number, and got an array of shape "
            f"{np.shape(y)}. Sum it (np.sum)."
        )
    if _kind(y) == "c":
        raise TypeError(
            f"numerical_grad takes a function that returns one real number, and got the complex "
            f"{y!r}. Take its real and its imaginary part one after the other."
        )
    return float(y)


def _float_leaves(out: Any) -> list[Any]:
    """The float leaves of a result, complex ones as their two parts."""
    floats = []
    for leaf in tree.leaves(out):
        if _kind(leaf) == "c":
            floats += [np.real(leaf), np.imag(leaf)]
        elif _kind(leaf) == "f":
            floats.append(leaf)
    return floats


# One derivative, of a function from a list of float leaves to another, and its derivatives.

Leaves = list[Any]
Flat = Callable[..., Leaves]


def _reverse(f: Flat, vs: Leaves, ws: Leaves) -> tuple[Flat, Leaves]:
    return lambda *xs: list(vjp(f, *xs)[1](ws)), vs


def _forward(f: Flat, vs: Leaves, ws: Leaves) -> tuple[Flat, Leaves]:
    return lambda *xs: list(jvp(f, xs, tuple(vs))[1]), ws


# By mode: its name in errors, and (f, directions, weights) -> (derivative, what it is paired with).
_MODES: dict[str, tuple[str, Callable[[Flat, Leaves, Leaves], tuple[Flat, Leaves]]]] = {
    "rev": ("vjp", _reverse),
    "fwd": ("jvp", _forward),
}


def _check(
    f: Flat,
    xs: Leaves,
    names: list[str],
    label: str,
    order: int,
    modes: Sequence[str],
    key: random.Key,
    noise: float,
) -> None:
    """Check the first derivative of ``f``, whose values are off by ``noise`` beside rounding."""
    *keys, following = random.split(key, 2 * DIRECTIONS + 1)
    outs = f(*xs)
    noise += math.hypot(*(np.finfo(np.result_type(y)).eps * np.linalg.norm(y) for y in outs))
    for mode in modes:
        transform, differentiate = _MODES[mode]
        for v_key, w_key in zip(keys[::2], keys[1::2]):
            vs = [v * np.maximum(1.0, np.abs(x)) for v, x in zip(_draw(v_key, xs), xs)]
            ws = _draw(w_key, outs)
            if _compare(mode, f, xs, vs, ws, noise).error > 1.0:
                alone = [_compare(mode, f, xs, _only(i, vs), ws, noise) for i in range(len(xs))]
                worst = max(range(len(xs)), key=lambda i: alone[i].error)
                raise GradientCheckError(
                    f"the {transform} of {label} disagrees with numerical differentiation at "
                    f"{names[worst]}: {alone[worst]}"
                )
        if order > 1:
            derivative, _ = differentiate(f, vs, ws)
            above = f"the {transform} of {label}"
            _check(derivative, xs, names, above, order - 1, modes, following, noise)


def _draw(key: random.Key, likes: Leaves) -> Leaves:
    return [random.normal(k, np.shape(x)) for k, x in zip(random.split(key, len(likes)), likes)]


def _only(i: int, vs: Leaves) -> Leaves:
    return [v if j == i else np.zeros_like(v) for j, v in enumerate(vs)]


def _dot(xs: Leaves, ys: Leaves) -> float:
    return float(sum(np.sum(x * y) for x, y in zip(xs, ys)))


def _compare(mode: str, f: Flat, xs: Leaves, vs: Leaves, ws: Leaves, noise: float) -> _Comparison:
    _, differentiate = _MODES[mode]
    derivative, partners = differentiate(f, vs, ws)
    slope = _slope(lambda h: _dot(ws, f(*[x + h * v for x, v in zip(xs, vs)])), noise)
    return _Comparison(slope, _dot(derivative(*xs), partners))


class _Slope(NamedTuple):
    estimate: float
    spread: float  # of the estimates from neighbouring steps
    noise: float  # what rounding may amount to at the step taken
    steepness: float  # the larger of the one-sided slopes at that step
    rough: str  # what speaks against a derivative at this point


def _slope(phi: Callable[[float], float], noise: float) -> _Slope:
    """The derivative at 0 of ``phi``, whose values are off by up to about ``noise``.

    A central difference of step h is off by c·h² + O(h⁴) and by noise/h. Richardson's extrapolation
    (1911), here (64·D(h/8) − D(h)) / 63, removes c·h²; the step taken is the one at which it agrees
    best with those on both sides and the noise counts little.
    """
    with np.errstate(all="ignore"):
        middle = phi(0.0)
        up = np.array([phi(h) for h in STEPS]) - middle
        down = middle - np.array([phi(-h) for h in STEPS])
        central = (up + down) / (2.0 * STEPS)
        estimates = (64.0 * central[1:] - central[:-1]) / 63.0
        changes = np.abs(np.diff(estimates))
        spreads = np.maximum(changes[:-1], changes[1:])
        steepness = (np.maximum(np.abs(up), np.abs(down)) / STEPS)[2:-1]
        noises = noise / STEPS[2:-1] + EPS * steepness
        errors = spreads + noises
        best = int(np.argmin(np.where(np.isfinite(errors), errors, np.inf)))
        rough = _roughness(up, down, noise)
    columns = (estimates[1:-1], spreads, noises, steepness)
    estimate, spread, noise, steep = (float(column[best]) for column in columns)
    return _Slope(estimate, spread, noise, steep, rough)


def _roughness(up: np.ndarray, down: np.ndarray, noise: float) -> str:
    """What the increments on the two sides of a point say of a kink or a jump there, if any.

    As the step shrinks by 64, their sum shrinks by 64 where the function has a derivative, and
    hardly at a jump; their difference by 4096 where it is smooth, by 64 at a kink.
    """
    large, small = 3, 5
    total, difference = np.abs(up + down), np.abs(up - down)
    jumps = total[small] > max(total[large] / 8.0, 100.0 * noise)
    bends = difference[small] > max(difference[large] / 512.0, 100.0 * noise)
    if not (jumps or bends):
        return ""
    left, right = down[small] / STEPS[small], up[small] / STEPS[small]
    return (
        f" The one-sided slopes are {left:.6g} and {right:.6g} at a step of {STEPS[small]:.1g}: "
        f"the function seems to have a kink or a jump, where a derivative is a convention. Check "
        f"it at another point."
    )


class _Comparison(NamedTuple):
    """A slope, found numerically and by a transform."""

    numerical: _Slope
    analytic: float

    @property
    def error(self) -> float:
        """The difference as a multiple of what numerical differentiation leaves open."""
        estimate, spread, noise, steepness, _ = self.numerical
        difference, scale = abs(estimate - self.analytic), max(abs(estimate), abs(self.analytic))
        unsettled = min(10.0 * spread, EPS**0.25 * max(scale, steepness))
        tolerance = math.sqrt(EPS) * scale + unsettled + 10.0 * noise
        if math.isnan(difference) or math.isnan(tolerance):
            return math.inf
        return difference / tolerance if difference else 0.0

    def __str__(self) -> str:
        return (
            f"along a random direction in it the slope is {self.numerical.estimate:.10g} "
            f"numerically (steps agree to {self.numerical.spread:.1g}) and {self.analytic:.10g} "
            f"by the derivative.{self.numerical.rough}"
        )
