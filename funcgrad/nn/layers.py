"""Layers: named pairs ``(init, apply)`` of pure functions.

``init(key)`` makes the parameters, a pytree of arrays, and ``apply(params, x)`` uses them. A layer
holds no state and is no class to derive from: write ``Layer(init, apply)`` for one of your own.

>>> import numpy as np
>>> from funcgrad import random
>>> model = mlp(4, [8, 8], 3)
>>> params = model.init(random.key(0))
>>> model.apply(params, np.ones((10, 4), np.float32)).shape
(10, 3)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .. import random, tree
from ..batching import align
from ..core import operand
from ..errors import TreeError
from ..rules.contractions import matmul, product_of_matrices
from ..verbs import rule
from .activations import relu
from .initializers import Initializer, he, zeros


def _affine(x: Any, w: Any, b: Any) -> Any:
    if w.ndim != 2 or b.shape != w.shape[1:]:
        raise ValueError(
            f"linear takes w of shape (in_dim, out_dim) and b of shape (out_dim,), got shapes "
            f"{w.shape} and {b.shape}."
        )
    ans = np.matmul(x, w)
    if ans.dtype != b.dtype:
        return ans + b
    ans += b
    return ans


def _rows(x: Any) -> Any:
    return x if x.ndim == 2 else np.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _affine_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    x, w, b = operands
    is_stack = mine[0] or mine[1]
    product = matmul.batch(matmul, size, (x, w), mine[:2], {}) if is_stack else np.matmul(x, w)
    return np.add(*align((product, b), (is_stack, mine[2])))


#: x @ w + b, one step of a tape and one array.
affine = rule(
    _affine,
    [
        lambda g, y: np.matmul(g, y.T),
        lambda g, x: product_of_matrices(_rows(x).T, _rows(g)),
        lambda g: np.add.reduce(_rows(g), axis=0),
    ],
    [
        lambda t, y: np.matmul(t, y),
        lambda t, x: np.matmul(x, t),
        lambda t, x_like: np.broadcast_to(t, (*x_like.shape[:-1], *t.shape)),
    ],
    batch=_affine_stack,
    kind="matrices",
)


class Layer(NamedTuple):
    """A layer: how its parameters are made, and what it computes with them."""

    init: Callable[[random.Key], Any]
    apply: Callable[[Any, Any], Any]


def linear(
    in_dim: int,
    out_dim: int,
    weight_init: Initializer = he,
    bias_init: Initializer = zeros,
    dtype: DTypeLike = np.float32,
) -> Layer:
    """The layer x @ w + b with parameters ``{"w": (in_dim, out_dim), "b": (out_dim,)}``.

    ``x`` is one sample ``(in_dim,)`` or a batch ``(…, in_dim)``; another width is a ``ValueError``.

    >>> import numpy as np
    >>> from funcgrad import random
    >>> layer = linear(2, 3)
    >>> layer.apply(layer.init(random.key(0)), np.zeros(2, np.float32)).tolist()
    [0.0, 0.0, 0.0]
    """
    name = f"linear({in_dim}, {out_dim})"

    def init(key: random.Key) -> dict[str, Any]:
        weight_key, bias_key = random.split(key)
        return {
            "w": weight_init(weight_key, (in_dim, out_dim), dtype),
            "b": bias_init(bias_key, (out_dim,), dtype),
        }

    def apply(params: Any, x: Any) -> Any:
        try:
            w, b = params["w"], params["b"]
        except (TypeError, KeyError, IndexError):
            raise TreeError(
                f"{name} takes the parameters of its init, {{'b': *, 'w': *}}, got "
                f"{tree.structure(params)}."
            ) from None
        x = operand(x)
        shape = getattr(x, "shape", ())
        if shape[-1:] != (in_dim,):
            raise ValueError(
                f"{name} takes one sample of shape ({in_dim},) or a batch (…, {in_dim}), got shape "
                f"{shape}. Images are flattened with x.reshape(len(x), -1)."
            )
        return affine(x, operand(w), operand(b))

    return Layer(init, apply)


def serial(*layers: Layer | Callable[[Any], Any]) -> Layer:
    """The layers one after the other; a bare function is a layer without parameters.

    The parameters are a tuple with one entry a layer, ``()`` for a function.

    >>> import numpy as np
    >>> from funcgrad import random
    >>> model = serial(linear(2, 3), np.tanh, linear(3, 1))
    >>> params = model.init(random.key(0))
    >>> model.apply(params, np.ones((5, 2), np.float32)).shape
    (5, 1)
    """
    for position, layer in enumerate(layers):
        if not isinstance(layer, Layer) and not callable(layer):
            raise TypeError(
                f"serial takes layers and functions, got {layer!r:.60} of type "
                f"{type(layer).__name__} at position {position}. Write Layer(init, apply)."
            )

    def init(key: random.Key) -> tuple[Any, ...]:
        keys = random.split(key, len(layers))
        return tuple(
            layer.init(key) if isinstance(layer, Layer) else () for layer, key in zip(layers, keys)
        )

    def apply(params: Any, x: Any) -> Any:
        if not isinstance(params, tuple) or len(params) != len(layers):
            raise TreeError(
                f"serial of {len(layers)} layers takes the parameters of its init, a tuple of "
                f"{len(layers)}, got {tree.structure(params)}."
            )
        for layer, own in zip(layers, params):
            x = layer.apply(own, x) if isinstance(layer, Layer) else layer(x)
        return x

    return Layer(init, apply)


def mlp(
    in_dim: int,
    hidden: int | Sequence[int],
    out_dim: int,
    activation: Callable[[Any], Any] = relu,
    weight_init: Initializer = he,
    dtype: DTypeLike = np.float32,
) -> Layer:
    """A multilayer perceptron: ``linear`` layers with ``activation`` between them.

    ``hidden`` is the width of the hidden layer, or the widths of several.

    >>> import numpy as np
    >>> from funcgrad import random
    >>> model = mlp(2, 8, 1, activation=np.tanh)
    >>> len(model.init(random.key(0)))
    3
    """
    widths = [in_dim, *([hidden] if isinstance(hidden, int) else hidden), out_dim]
    layers: list[Layer | Callable[[Any], Any]] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [linear(fan_in, fan_out, weight_init, dtype=dtype), activation]
    return serial(*layers[:-1])
