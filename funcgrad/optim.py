"""Optimizers: pairs of pure functions that turn gradients into updates.

``init(params)`` makes the state, and ``update(grads, state, params)`` returns the updates with the
next state; ``apply_updates`` adds them to the parameters. Nothing is changed in place, so a step
can be repeated, undone by keeping the old values, or differentiated. Every leaf keeps its dtype; a
Python float among the parameters becomes a NumPy scalar, as its gradient is one. The interface and
the formulas of ``sgd`` are those of Optax.

>>> import numpy as np, funcgrad as fg
>>> params = {"w": np.array([1.0, 2.0])}
>>> optimizer = chain(clip_by_global_norm(10.0), sgd(0.25))
>>> state = optimizer.init(params)
>>> for _ in range(2):
...     grads = fg.grad(lambda params: np.sum(params["w"] ** 2))(params)
...     updates, state = optimizer.update(grads, state, params)
...     params = apply_updates(params, updates)
>>> params["w"].tolist()
[0.25, 0.5]
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import tree
from .core import is_traced
from .errors import TreeError
from .transform import described, is_number


class GradientTransformation(NamedTuple):
    """An optimizer, or a step of one."""

    init: Callable[[Any], Any]  # params -> state
    update: Callable[..., tuple[Any, Any]]  # (grads, state, params=None) -> (updates, state)


class SgdState(NamedTuple):
    """The decayed sum of gradients, like the parameters; None without momentum."""

    trace: Any


class AdamState(NamedTuple):
    """The number of steps taken, and the first and second moments, like the parameters."""

    step: int
    mu: Any
    nu: Any


def sgd(
    learning_rate: float, momentum: float = 0.0, nesterov: bool = False
) -> GradientTransformation:
    """Gradient descent: −learning_rate · trace, where trace ← gradient + momentum · trace.

    With ``nesterov`` the update is −learning_rate · (gradient + momentum · trace) (Sutskever,
    Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning",
    ICML 2013).

    >>> optimizer = sgd(0.1, momentum=0.5)
    >>> updates, state = optimizer.update(1.0, optimizer.init(0.0))
    >>> updates, state = optimizer.update(1.0, state)
    >>> round(float(updates), 6)
    -0.15
    """
    _check_rate("sgd", learning_rate)
    plain = not is_traced(momentum) and momentum == 0.0

    def init(params: Any) -> SgdState:
        _check_real("sgd", params)
        return SgdState(None if plain else tree.map(np.zeros_like, params))

    def update(grads: Any, state: SgdState, params: Any = None) -> tuple[Any, SgdState]:
        _check_state("sgd", state, SgdState)
        if plain:
            return _scaled(-learning_rate, grads, params), state

        def decayed(g: Any, t: Any) -> Any:
            return _cast(g + momentum * t, g)

        trace = _map(decayed, grads, state.trace, "grads", "the state of sgd")
        step = tree.map(decayed, grads, trace) if nesterov else trace
        return _scaled(-learning_rate, step, params), SgdState(trace)

    return GradientTransformation(init, update)


def adam(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> GradientTransformation:
    """Adam: −learning_rate · m̂ / (√v̂ + eps), with bias-corrected moments m̂ and v̂.

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.

    >>> optimizer = adam(0.1)
    >>> updates, state = optimizer.update(3.0, optimizer.init(0.0))
    >>> round(float(updates), 6)
    -0.1
    """

    _check_rate("adam", learning_rate)

    def init(params: Any) -> AdamState:
        _check_real("adam", params)
        return AdamState(0, tree.map(np.zeros_like, params), tree.map(np.zeros_like, params))

    def update(grads: Any, state: AdamState, params: Any = None) -> tuple[Any, AdamState]:
        _check_state("adam", state, AdamState)
        step = state.step + 1
        # The bias corrections as two scalars, which spares two passes over the arrays.
        root = (1.0 - b2**step) ** 0.5
        scale, floor = -learning_rate * root / (1.0 - b1**step), eps * root

        def first(g: Any, m: Any) -> Any:
            return _cast(_decayed(m, g, b1), g)

        def second(g: Any, v: Any) -> Any:
            return _cast(_decayed(v, g * g, b2), g)

        def moved(m: Any, v: Any) -> Any:
            return _cast(_times(m / _plus(np.sqrt(v), floor), scale), m)

        mu = _map(first, grads, state.mu, "grads", "the state of adam")
        nu = tree.map(second, grads, state.nu)
        return tree.map(moved, mu, nu), AdamState(step, mu, nu)

    return GradientTransformation(init, update)


def clip_by_global_norm(max_norm: float) -> GradientTransformation:
    """All gradients scaled by one factor, so that the norm of all together is at most ``max_norm``.

    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML
    2013. The norm is taken in float64, where the squares of large float32 do not overflow.

    >>> import numpy as np
    >>> updates, _ = clip_by_global_norm(1.0).update({"a": np.array([3.0]), "b": 4.0}, ())
    >>> [round(float(updates["a"][0]), 6), round(float(updates["b"]), 6)]
    [0.6, 0.8]
    """

    def update(grads: Any, state: tuple[()], params: Any = None) -> tuple[Any, tuple[()]]:
        _check_real("clip_by_global_norm", grads)
        squares = [np.sum(np.square(np.float64(1.0) * g)) for g in tree.leaves(grads)]
        norm = np.sqrt(sum(squares))
        return _scaled(max_norm / np.maximum(norm, max_norm), grads, params), state

    return GradientTransformation(lambda params: (), update)


def chain(*transforms: GradientTransformation) -> GradientTransformation:
    """The transformations one after the other, each on what the one before returned.

    The state is a tuple of theirs.

    >>> updates, state = chain(clip_by_global_norm(1.0), sgd(0.5)).update(8.0, ((), SgdState(None)))
    >>> float(updates)
    -0.5
    """

    for transform in transforms:
        if not hasattr(transform, "init") or not hasattr(transform, "update"):
            raise TypeError(
                f"chain takes pairs of init and update, as sgd(0.1) is one, and got {transform!r}."
            )

    def init(params: Any) -> tuple[Any, ...]:
        return tuple(transform.init(params) for transform in transforms)

    def update(grads: Any, state: Any, params: Any = None) -> tuple[Any, tuple[Any, ...]]:
        _check_state("chain", state, tuple)
        if len(state) != len(transforms):
            raise ValueError(
                f"the state of chain is a tuple with one state for each of its "
                f"{len(transforms)} transformations, got {len(state)}. Make it by init(params)."
            )
        states = []
        for transform, own in zip(transforms, state, strict=True):
            grads, following = transform.update(grads, own, params)
            states.append(following)
        return grads, tuple(states)

    return GradientTransformation(init, update)


def apply_updates(params: Any, updates: Any) -> Any:
    """params + updates, each leaf in its parameter's dtype.

    Raises ``TreeError`` where the trees differ in structure or a leaf in shape.

    >>> import numpy as np
    >>> apply_updates({"w": np.ones(2, np.float32)}, {"w": np.ones(2)})
    {'w': array([2., 2.], dtype=float32)}
    """
    return _map(lambda u, p: _cast(p + u, p), updates, params, "updates", "params")


class _LossyError(TypeError):
    """An update has a dtype that its parameter cannot hold."""


def _map(f: Callable[[Any, Any], Any], first: Any, second: Any, what: str, against: str) -> Any:
    """The tree of f(x, y) over two trees, which must agree in structure and each leaf's shape."""

    def checked(x: Any, y: Any) -> Any:
        if getattr(x, "shape", ()) != getattr(y, "shape", ()):
            raise TreeError
        return f(x, y)

    try:
        return tree.map(checked, first, second)
    except (TreeError, _LossyError):
        tree.check_same(second, first, what, against)
        for (path, x), y in zip(tree.leaves_with_path(first), tree.leaves(second)):
            at = f"at {tree.keystr(path) or 'the root'}"
            if np.shape(x) != np.shape(y):
                raise TreeError(
                    f"{at}: {what} has shape {np.shape(x)}, {against} {np.shape(y)}"
                ) from None
            try:
                f(x, y)
            except _LossyError as error:
                raise TypeError(f"{at}: {error}") from None
        raise


def _scaled(factor: Any, grads: Any, params: Any) -> Any:
    """The gradients times ``factor``; where there are ``params``, they must be alike."""
    like = grads if params is None else params
    return _map(lambda g, _: _cast(factor * g, g), grads, like, "grads", "params")


# The memory of a fresh array is dear. These take a result that nothing else holds and compute in
# its place, except where a transform follows what is to be added or multiplied.


def _decayed(old: Any, new: Any, decay: Any) -> Any:
    """decay · old + (1 − decay) · new."""
    return _plus(_times(new - old, 1.0 - decay), old)


def _plus(x: Any, y: Any) -> Any:
    return x + y if is_traced(y) else operator.iadd(x, y)


def _times(x: Any, y: Any) -> Any:
    return x * y if is_traced(y) else operator.imul(x, y)


def _cast(x: Any, like: Any) -> Any:
    """``x`` in the dtype of ``like``, where that has one."""
    dtype = getattr(like, "dtype", None)
    if dtype is None or x.dtype == dtype:
        return x
    if not np.can_cast(x.dtype, dtype, "same_kind"):
        raise _LossyError(
            f"an update of {x.dtype} does not go into a parameter of {dtype}, which would lose "
            f"part of it. Make the parameter a float, by x.astype(float), and keep the real and "
            f"the imaginary part of a complex one as two parameters."
        )
    return x.astype(dtype)


def _check_rate(name: str, learning_rate: Any) -> None:
    if not is_number(learning_rate):
        raise TypeError(
            f"{name}: the learning rate is {described(learning_rate)}, and must be a number. For a "
            f"rate that changes make the optimizer of each step, which goes on with the state of "
            f"the last: {name}(rate).update(grads, state, params)."
        )


def _check_real(name: str, params: Any) -> None:
    """Raise where a leaf of the parameters, or of their gradients, is complex."""
    for path, leaf in tree.leaves_with_path(params):
        if np.iscomplexobj(leaf):
            raise TypeError(
                f"{name}: {tree.keystr(path) or 'the parameter'} is complex, and a "
                f"function grows fastest along the conjugate of its gradient. Keep the real and "
                f"the imaginary part as two parameters."
            )


def _check_state(name: str, state: Any, kind: type) -> None:
    if not isinstance(state, kind):
        raise TypeError(
            f"{name} takes update(grads, state, params) with the state that its init or its last "
            f"update returned, and got a {type(state).__name__} for it."
        )
