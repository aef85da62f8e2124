"""``odeint``: ordinary differential equations, solved so that the solution can be differentiated.

The method is the pair of Dormand and Prince: seven evaluations of the derivative give a step of
order 5, an estimate of its error from order 4, and a polynomial between its ends. The size of a
step is chosen by looking at values, as a Python ``if`` does; everything else is NumPy code on what
may be traced. So a derivative of ``odeint`` is the exact derivative of the steps that were taken,
whose sizes stand still: it agrees with the derivative of the true solution as far as the solution
does, in every mode and at any order, and needs no second differential equation. Reverse mode keeps
the state at each step, and computes the stages of one step at a time again.

Sources: J. R. Dormand, P. J. Prince, A family of embedded Runge-Kutta formulae, J. Comp. Appl.
Math. 6 (1980); E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I,
section II.4 for the size of steps, II.5 for the pair, II.6 for the polynomial.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import tree
from .control import Form, examples
from .core import Tracer, raw
from .replay import checkpoint
from .reverse import stop_gradient
from .rules.order import is_batched
from .trace import WEAK, name_of
from .transform import check_function, described, is_number
from .views import own

Leaves = list[Any]
Derivative = Callable[[Leaves, Any], Leaves]

#: When each later stage is evaluated, as a part of the step, and with which slopes before it.
_NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
#: The solution of order 5: the state at which the last stage is evaluated.
_FIFTH = np.array((*_STAGES[-1], 0.0))
#: What the one of order 4 differs by.
_ERROR = _FIFTH - np.array(
    (5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)
)
_FIRST, _LAST = np.eye(7)[0], np.eye(7)[-1]
#: The weights of the slopes between the ends of a step, in powers of θ and 1 − θ; see ``_between``.
_DENSE = np.stack(
    [
        _FIFTH,
        _FIRST - _FIFTH,
        2.0 * _FIFTH - _FIRST - _LAST,
        np.array(
            (
                -12715105075 / 11282082432,
                0.0,
                87487479700 / 32700410799,
                -10690763975 / 1880347072,
                701980252875 / 199316789632,
                -1453857185 / 822651844,
                69997945 / 29380423,
            )
        ),
    ]
)


def odeint(
    func: Callable[..., Any],
    y0: Any,
    ts: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float = 1.4e-8,
    mxstep: int = 10_000,
    hmax: float = math.inf,
) -> Any:
    """The solution of dy/dt = ``func(y, t, *args)`` with y = ``y0`` at ``ts[0]``, at all of ``ts``.

    ``y0`` is a pytree of floats and arrays, and ``func`` returns one like it; the result has in
    each leaf an axis in front, along ``ts``, which goes up or down. A step is taken where the root
    mean square of its error is within ``atol + rtol * abs(y)``, and it is no longer than ``hmax``,
    which derivatives need at a solution that stands still and lets steps grow. More than ``mxstep``
    steps from one of ``ts`` to the next are an error, and so are steps that become too small to
    move t. Whatever is traced in ``y0``, ``ts``, ``args`` and the closure of ``func`` is
    differentiated. Under vmap the steps are the same for all examples, each as small as the
    neediest one asks for.

    >>> import numpy as np, funcgrad as fg
    >>> def end(rate):
    ...     return fg.odeint(lambda y, t: -rate * y, 1.0, np.array([0.0, 1.0]))[-1]
    >>> round(float(end(2.0)), 6), round(float(fg.grad(end)(2.0)), 6)
    (0.135335, -0.135335)
    """
    check_function("odeint", func, "odeint(lambda y, t: -y, y0, ts)")
    label = f"odeint of {name_of(func)}"
    args = tree.map(own, args)  # which the steps are computed from again
    leaves, structure = tree.flatten(y0)
    y = [_state(x, path, label) for x, path in zip(leaves, structure.paths())]
    form = Form(tree.unflatten(structure, y), label, "y", "in y0", "in what func returns")

    def slope(y: Leaves, t: Any) -> Leaves:
        # Copies on both sides: func may change its argument, and return one buffer each time.
        dy = func(tree.unflatten(structure, [own(x) for x in y]), t, *args)
        return [_strong(own(x)) for x in form.leaves(dy)]

    def norm(xs: Leaves, scales: Leaves) -> float:
        """The root mean square of ``xs`` over ``scales``, in that example where it is largest."""
        squares = [np.sum((np.abs(x) / scale) ** 2) for x, scale in zip(xs, scales)]
        count = max(sum(np.size(x) for x in xs), 1)
        return float(np.max(np.sqrt(examples(sum(squares), label) / count), initial=0.0))

    def scales(*states: Leaves) -> Leaves:
        """What an error in each element is measured by."""
        sizes = [[np.abs(x) for x in state] for state in states]
        return [atol + rtol * functools.reduce(np.maximum, size) for size in zip(*sizes)]

    ts, times = _times(ts, label)
    if not (min(rtol, atol) >= 0.0 and max(rtol, atol) > 0.0 and hmax > 0.0):
        raise ValueError(
            f"{label}: rtol, atol and hmax must be positive, one of the tolerances may be 0, and "
            f"they are {rtol}, {atol} and {hmax}."
        )
    now, end = float(times[0]), float(times[-1])
    rows = [[np.expand_dims(x, 0)] for x in y]
    step = checkpoint(_step)
    done, count = 1, 0
    with np.errstate(all="ignore"):  # a step that fails is taken again, and an error says where
        k = slope(y, ts[0] if type(ts) is Tracer else now)
        h = 0.0
        if len(times) > 1:
            h = _first_step(slope, stop_gradient(y), stop_gradient(k), times, norm, scales)
        while done < len(times):
            if count == mxstep or not abs(h) > 10.0 * np.spacing(abs(now)):
                raise RuntimeError(_stuck(label, count == mxstep, mxstep, now, h, times[done]))
            count += 1
            h = math.copysign(min(abs(h), hmax), h)
            if abs(1.01 * h) >= abs(end - now):
                h = end - now
            # Only what is traced in ts itself is traced in t.
            t = ts[0] + (now - float(times[0])) if type(ts) is Tracer else now
            new, ks = step(slope, y, k, t, h)
            before, after, slopes = stop_gradient((y, new, ks))
            error = norm(_weighted(slopes, h * _ERROR), scales(before, after))
            if error <= 1.0:
                now = end if h == end - now else now + h
                reached = np.searchsorted(times * np.sign(h), now * np.sign(h), side="right")
                if reached > done:
                    between = _between(y, ks, h, (ts[done:reached] - t) / h)
                    for row, x in zip(rows, between):
                        row.append(x)
                    done, count = int(reached), 0
                y, k = new, ks[-1]
            h *= _growth(error)
    return tree.unflatten(structure, [np.concatenate(row) for row in rows])


def _step(slope: Derivative, y: Leaves, k: Leaves, t: Any, h: float) -> tuple[Leaves, list[Leaves]]:
    """The state a step of size ``h`` after ``y``, where the slope is ``k``, and all slopes."""
    ks = [k]
    at = y
    for node, weights in zip(_NODES, _STAGES):
        at = _sum(y, _weighted(ks, h * np.array(weights)))
        ks.append(slope(at, t + node * h))
    return at, ks


def _between(y: Leaves, ks: list[Leaves], h: float, theta: Any) -> Leaves:
    """The states at the parts ``theta`` of a step, along an axis in front (II.6)."""
    rest = 1.0 - theta
    powers = np.stack([theta, theta * rest, theta**2 * rest, theta**2 * rest**2], axis=-1)
    moves = _weighted(ks, h * np.transpose(powers @ _DENSE))
    return _sum(y, [np.moveaxis(move, -1, 0) for move in moves])


def _weighted(ks: list[Leaves], weights: Any) -> Leaves:
    """In each leaf the sum of the slopes, weighted, or as many sums as there are columns."""
    sums = []
    for column in zip(*ks):
        dtype = np.finfo(column[0].dtype).dtype
        sums.append(np.stack(column, axis=-1) @ weights.astype(dtype))
    return sums


def _sum(y: Leaves, move: Leaves) -> Leaves:
    return [x + dx for x, dx in zip(y, move)]


def _growth(error: float) -> float:
    """By what the next step is larger than one of this error (II.4); the error may be NaN."""
    if error == 0.0:
        return 10.0
    return min(10.0, max(0.2, 0.9 * error**-0.2)) if error == error else 0.2


def _first_step(
    slope: Derivative,
    y: Leaves,
    k: Leaves,
    times: np.ndarray,
    norm: Callable[[Leaves, Leaves], float],
    scales: Callable[..., Leaves],
) -> float:
    """A size for the first step by the first two derivatives (II.4), with its sign."""
    span = float(times[-1] - times[0])
    scale = scales(y)
    d0, d1 = norm(y, scale), norm(k, scale)
    h = min(abs(span), 0.01 * d0 / d1 if min(d0, d1) > 1e-5 else 1e-6)
    h = math.copysign(h, span)
    after = slope(_sum(y, _weighted([k], np.array([h]))), float(times[0]) + h)
    change = [b - a for a, b in zip(k, stop_gradient(after))]
    d2 = norm(change, scale) / abs(h)
    size = (0.01 / max(d1, d2)) ** 0.2 if max(d1, d2) > 1e-15 else max(1e-6, 1e-3 * abs(h))
    return math.copysign(np.nanmin([100.0 * abs(h), size, abs(span)]), span)


# What the caller gave, and what went wrong.


def _times(ts: Any, label: str) -> tuple[Any, np.ndarray]:
    """``ts`` as an array, which may be traced, and its values."""
    if is_batched(ts):
        raise ValueError(
            f"{label}: ts differs between the examples of vmap, which take their steps together. "
            f"Scale time: for ts = end * s solve dy/ds = end * func(y, end * s) at the same s."
        )
    ts = ts if type(ts) is Tracer else np.asarray(ts, float)
    times = np.asarray(examples(ts, label), float)
    steps = np.diff(times) if times.ndim == 1 else np.zeros(1)
    if times.size == 0 or not (np.all(steps > 0) or np.all(steps < 0)):
        raise ValueError(
            f"{label}: ts must be times in one array of one axis, each later than the one before "
            f"or each earlier, and is {described(ts)}."
        )
    return ts, times


def _state(x: Any, path: tree.Path, label: str) -> Any:
    """A leaf of ``y0``, with a dtype of its own."""
    if not is_number(x) or np.result_type(x).kind not in "fc":
        raise TypeError(
            f"{label}: y0{tree.keystr(path)} is {described(x)}, and must be a float or an array of "
            f"floats. Write float(...), or .astype(float)."
        )
    return _strong(x)


def _strong(x: Any) -> Any:
    """``x``, a NumPy scalar where it is a Python number, so that it has a dtype at every level."""
    return np.result_type(x).type(1) * x if type(raw(x)) in WEAK else x


def _stuck(label: str, out_of_steps: bool, mxstep: int, now: float, h: float, to: float) -> str:
    at = f"at t = {now:.6g} with a step of {h:.3g}"
    if out_of_steps:
        return (
            f"{label}: {mxstep} steps did not lead to t = {to:.6g}; they end {at}. Raise mxstep, "
            f"rtol or atol; a stiff problem needs another method."
        )
    return (
        f"{label}: the error asks for steps too small to move t, {at}. There the solution goes to "
        f"infinity, or func jumps or is not finite."
    )
