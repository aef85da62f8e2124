"""Discrete Fourier transforms, which are linear.

The matrix of ``fft`` is symmetric, so its transpose is ``fft`` again. Those of the transforms of
real signals swap partners: a signal of n real numbers has n // 2 + 1 coefficients, of which all but
the first (and, of an even n, the last) stand for two, so ``rfft`` transposes to ``hfft`` of halved
coefficients and ``irfft`` to ``ihfft``, doubled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..verbs import composite, linear


def _fitted(g: Any, x_like: Any, axis: int) -> Any:
    """The cotangent of ``x_like``, whose axis was cut or filled with zeros to that of ``g``."""
    if g.dtype.kind == "c" and x_like.dtype.kind != "c":
        g = np.real(g)
    along = axis % x_like.ndim
    count, size = g.shape[along], x_like.shape[along]
    if count > size:
        kept = (*[slice(None)] * along, slice(size))
        return g[kept]
    return np.pad(g, [(0, size - count if i == along else 0) for i in range(g.ndim)])


def _twice(g: Any, n: int, axis: int, factor: float) -> Any:
    """Coefficients ``g`` of n real numbers, those that stand for two of them times ``factor``."""
    weights = np.full(n // 2 + 1, factor, dtype=g.real.dtype)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return g * np.reshape(weights, (-1, *[1] * (g.ndim - 1 - axis % g.ndim)))


def _axis_stacked(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    x = operands[0]
    axis = normalize_axis_index(keywords.get("axis", -1), x.ndim - 1) + 1
    return primitive.apply(x, **{**keywords, "axis": axis})


def _symmetric(function: Any) -> None:
    """Declare a transform that is its own transpose."""

    def pull(g: Any, x_like: Any, axis: int = -1, norm: Any = None) -> Any:
        return _fitted(function(g, axis=axis, norm=norm), x_like, axis)

    linear(function, pull, batch=_axis_stacked, accepts=("n",))


_symmetric(np.fft.fft)
_symmetric(np.fft.ifft)


def _of_coefficients(function: Any, partner: Any) -> None:
    """Declare a transform of coefficients into real numbers, and its partner the other way."""

    def pull(g: Any, x_like: Any, axis: int = -1, norm: Any = None) -> Any:
        g = _twice(partner(g, axis=axis, norm=norm), g.shape[axis], axis, 2.0)
        return _fitted(g, x_like, axis)

    def partner_pull(g: Any, x_like: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
        n = x_like.shape[axis] if n is None else n
        g = function(_twice(g, n, axis, 0.5), n=n, axis=axis, norm=norm)
        return _fitted(g, x_like, axis)

    linear(function, pull, batch=_axis_stacked, accepts=("n",))
    linear(partner, partner_pull, batch=_axis_stacked)


_of_coefficients(np.fft.hfft, np.fft.rfft)
_of_coefficients(np.fft.irfft, np.fft.ihfft)


def _places(x: Any, s: Any, axes: Any, name: str) -> tuple[list[int], list[int | None]]:
    """The axes to transform along and the lengths along them."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(-len(s), 0)
    axes = [normalize_axis_index(axis, x.ndim) for axis in axes]
    lengths = [None] * len(axes) if s is None else s
    if len(lengths) != len(axes):
        raise ValueError(f"np.fft.{name}: s={s} and axes={axes} have different lengths.")
    return axes, [x.shape[axis] if n == -1 else n for n, axis in zip(lengths, axes)]


def _along(function: Any, x: Any, axes: Any, lengths: Any, norm: Any) -> Any:
    for axis, n in zip(reversed(axes), reversed(lengths)):
        x = function(x, n=n, axis=axis, norm=norm)
    return x


def _several(names: Sequence[str], transform: Any) -> None:
    """Declare ``transform(x, axes, lengths, norm)`` for the function of two axes and that of n."""

    def declare(name: str, default: Any) -> None:
        @composite(getattr(np.fft, name))
        def several(a: Any, s: Any = None, axes: Any = default, norm: Any = None) -> Any:
            axes, lengths = _places(a, s, axes, name)
            return transform(a, axes, lengths, norm)

    declare(names[0], (-2, -1))
    declare(names[1], None)


def _rfftn(x: Any, axes: Any, lengths: Any, norm: Any) -> Any:
    # An axis that is named twice has the same length both times.
    lengths = [x.shape[axis] if n is None else n for n, axis in zip(lengths, axes)]
    x = np.fft.rfft(x, n=lengths[-1], axis=axes[-1], norm=norm)
    return _along(np.fft.fft, x, axes[:-1], lengths[:-1], norm)


def _irfftn(x: Any, axes: Any, lengths: Any, norm: Any) -> Any:
    x = _along(np.fft.ifft, x, axes[:-1], lengths[:-1], norm)
    return np.fft.irfft(x, n=lengths[-1], axis=axes[-1], norm=norm)


_several(("fft2", "fftn"), lambda *given: _along(np.fft.fft, *given))
_several(("ifft2", "ifftn"), lambda *given: _along(np.fft.ifft, *given))
_several(("rfft2", "rfftn"), _rfftn)
_several(("irfft2", "irfftn"), _irfftn)


def _rolled(x: Any, axes: Any, back: bool) -> Any:
    axes = range(x.ndim) if axes is None else [axes] if np.ndim(axes) == 0 else axes
    sizes = [x.shape[axis] for axis in axes]
    return np.roll(x, [-(n // 2) if back else n // 2 for n in sizes], tuple(axes))


@composite(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    return _rolled(x, axes, back=False)


@composite(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    return _rolled(x, axes, back=True)
