"""Functions that move elements without changing them: reshape, broadcast, join, split, cast."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..batching import front, lead, shifted, stacks, within
from ..core import FUNCTIONS, Tracer, frozen, operand, raw
from ..errors import UnsupportedError
from ..pull import unbroadcast
from ..trace import WEAK
from ..verbs import composite, constant, linear
from ..views import copied
from .indexing import along
from .order import alike, in_order

# Reshaping.


def _reshape_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    (x,) = operands
    shape = keywords["shape"] if "shape" in keywords else keywords["newshape"]
    shape = [operator.index(n) for n in ([shape] if np.ndim(shape) == 0 else shape)]
    if -1 in shape and 0 not in shape:
        known = -int(np.prod(shape))
        shape[shape.index(-1)] = int(np.prod(x.shape[1:])) // known
    if keywords.get("order", "C") == "C":
        return np.reshape(x, (size, *shape))
    # In Fortran's order the last axis varies slowest.
    stacked_last = np.reshape(np.moveaxis(x, 0, -1), (*shape, size), order="F")
    return np.moveaxis(stacked_last, -1, 0)


def _ravel_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    count = int(np.prod(operands[0].shape[1:]))
    return _reshape_stack(primitive, size, operands, mine, {"shape": (count,), **keywords})


def _squeeze_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    (x,) = operands
    if keywords.get("axis") is None:
        return np.reshape(x, (size, *(n for n in x.shape[1:] if n != 1)))
    return np.squeeze(x, axis=within(keywords["axis"], x.ndim - 1))


def _broadcast_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    shape = keywords["shape"]
    shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
    return np.broadcast_to(lead(operands[0], len(shape)), (size, *shape))


linear(
    np.reshape,
    lambda g, x_like, order="C": np.reshape(g, x_like.shape, order=order),
    batch=_reshape_stack,
    accepts=("shape", "newshape", "copy"),
    view=True,
)
linear(
    np.ravel,
    lambda g, x_like, order="C": np.reshape(g, x_like.shape, order=order),
    batch=_ravel_stack,
    view=True,
)
linear(
    np.squeeze,
    lambda g, x_like: np.reshape(g, x_like.shape),
    batch=_squeeze_stack,
    accepts=("axis",),
    view=True,
)
linear(
    np.expand_dims,
    lambda g, x_like: np.reshape(g, x_like.shape),
    batch=shifted("axis", grown=True),
    accepts=("axis",),
    view=True,
)
linear(
    np.broadcast_to,
    lambda g, x_like: unbroadcast(g, x_like.shape),
    batch=_broadcast_stack,
    accepts=("shape",),
    view=True,
)


def _transpose_back(g: Any, axes: Any = None) -> Any:
    return np.transpose(g, axes if axes is None else np.argsort(np.mod(axes, g.ndim)))


def _transpose_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    (x,) = operands
    axes = keywords.get("axes")
    axes = range(x.ndim - 1, 0, -1) if axes is None else within(axes, x.ndim - 1)
    return np.transpose(x, (0, *axes))


linear(np.transpose, _transpose_back, batch=_transpose_stack, view=True)
linear(
    np.swapaxes,
    lambda g, axis1, axis2: np.swapaxes(g, axis1, axis2),
    batch=shifted("axis1", "axis2"),
    view=True,
)
linear(
    np.moveaxis,
    lambda g, source, destination: np.moveaxis(g, destination, source),
    batch=shifted("source", "destination"),
    view=True,
)
linear(np.matrix_transpose, lambda g: np.swapaxes(g, -1, -2), batch=front, view=True)
linear(np.flip, lambda g, axis=None: np.flip(g, axis), batch=shifted("axis"), view=True)


def _negated(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, tuple | list) else -shift


def _roll_stack(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    (x,) = operands
    if keywords.get("axis") is not None:
        axis = within(keywords["axis"], x.ndim - 1, repeats=True)
        return np.roll(x, keywords["shift"], axis=axis)
    rows = np.reshape(x, (size, int(np.prod(x.shape[1:]))))
    return np.reshape(np.roll(rows, keywords["shift"], axis=1), x.shape)


linear(np.roll, lambda g, shift, axis=None: np.roll(g, _negated(shift), axis), batch=_roll_stack)


@composite(np.fliplr, view=True)
def fliplr(m: Any) -> Any:
    return np.flip(m, 1)


@composite(np.flipud, view=True)
def flipud(m: Any) -> Any:
    return np.flip(m, 0)


@composite(np.rot90, view=True)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    if k % 4 == 2:
        return np.flip(m, axes)
    if k % 4 == 1:
        return np.swapaxes(np.flip(m, axes[1]), *axes)
    return np.flip(np.swapaxes(m, *axes), axes[1]) if k % 4 == 3 else m[...]


@composite(np.tile, operands=2)
def tile(a: Any, reps: Any) -> Any:
    reps = (reps,) if np.ndim(reps) == 0 else tuple(reps)
    ndim = max(len(reps), a.ndim)
    reps = (1,) * (ndim - len(reps)) + reps
    shape = (1,) * (ndim - a.ndim) + a.shape
    blocks = np.reshape(a, tuple(itertools.chain(*((1, n) for n in shape))))
    blocks = np.broadcast_to(blocks, tuple(itertools.chain(*zip(reps, shape))))
    tiled = copied(np.reshape(blocks, tuple(r * n for r, n in zip(reps, shape))))
    return in_order(tiled, "C" if max(reps, default=1) > 1 else np.reshape(a, shape))


def _at_least(ndim: int, function: Any) -> None:
    def at_least(*arrays: Any) -> Any:
        grown = tuple(_grow(operand(x), ndim) for x in arrays)
        return grown[0] if len(grown) == 1 else grown

    FUNCTIONS[function] = at_least


def _grow(x: Any, ndim: int) -> Any:
    shape = np.shape(x)
    if len(shape) >= ndim:
        return x
    if ndim == 3:
        return np.reshape(x, {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])
    return np.reshape(x, (1,) * (ndim - len(shape)) + shape)


_at_least(1, np.atleast_1d)
_at_least(2, np.atleast_2d)
_at_least(3, np.atleast_3d)

# Joining.


def _join(*arrays: Any, axis: int, ends: tuple[int, ...]) -> Any:
    return np.concatenate(arrays, axis=axis)


def _part(g: Any, i: int, axis: int, ends: tuple[int, ...]) -> Any:
    part = slice(ends[i - 1] if i else 0, ends[i])
    return g[along(axis, g.ndim, part)]


def _join_stacks(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    axis = keywords["axis"] + 1
    return primitive(*stacks(operands, mine, size), axis=axis, ends=keywords["ends"])


#: Concatenation; ``ends`` are the positions along ``axis`` where the operands end.
join = linear(_join, _part, batch=_join_stacks, variadic=True)


def cast_all(arrays: Any, dtype: Any, casting: str) -> list[Any]:
    """``arrays`` in the dtype that is asked for, or in their own."""
    arrays = list(map(operand, arrays))
    if dtype is None and casting in ("safe", "same_kind", "unsafe"):
        return arrays
    dtype = np.result_type(*arrays) if dtype is None else np.dtype(dtype)
    for x in arrays:
        _check_cast(x, dtype, casting)
    return [astype(x, dtype) for x in arrays]


def _check_cast(x: Any, dtype: np.dtype[Any], casting: Any) -> None:
    if not np.can_cast(np.result_type(x), dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {np.result_type(x)!r} to {dtype!r} according to the "
            f"rule {casting!r}"
        )


@composite(
    np.concatenate, names="arrays axis=0 out=None dtype=None casting='same_kind'", sequence=True
)
def concatenate(
    arrays: Any, axis: int | None = 0, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    arrays = cast_all(arrays, dtype, casting)
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    axis = normalize_axis_index(axis, np.ndim(arrays[0]) if arrays else 1)
    ends = tuple(itertools.accumulate(np.shape(a)[axis] if np.ndim(a) else 0 for a in arrays))
    return join(*arrays, axis=axis, ends=ends)


def _pile(*arrays: Any, axis: int) -> Any:
    return np.stack(arrays, axis=axis)


def _pile_stacks(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    each = stacks(operands, mine, size)
    return primitive(*each, axis=normalize_axis_index(keywords["axis"], each[0].ndim) + 1)


#: ``np.stack`` of its operands.
pile = linear(
    _pile, lambda g, i, axis: g[along(axis, g.ndim, i)], batch=_pile_stacks, variadic=True
)


@composite(np.stack, sequence=True)
def stack(arrays: Any, axis: int = 0, dtype: Any = None, casting: str = "same_kind") -> Any:
    return pile(*cast_all(arrays, dtype, casting), axis=axis)


@composite(np.vstack, sequence=True)
def vstack(tup: Any, dtype: Any = None, casting: Any = "same_kind") -> Any:
    return np.concatenate([_grow(a, 2) for a in tup], axis=0, dtype=dtype, casting=casting)


@composite(np.hstack, sequence=True)
def hstack(tup: Any, dtype: Any = None, casting: Any = "same_kind") -> Any:
    arrays = [_grow(a, 1) for a in tup]
    axis = 0 if np.ndim(arrays[0]) == 1 else 1
    return np.concatenate(arrays, axis=axis, dtype=dtype, casting=casting)


@composite(np.dstack, sequence=True)
def dstack(tup: Any) -> Any:
    return np.concatenate([_grow(a, 3) for a in tup], axis=2)


@composite(np.column_stack, sequence=True)
def column_stack(tup: Any) -> Any:
    columns = [np.reshape(a, (-1, 1)) if np.ndim(a) < 2 else a for a in tup]
    return np.concatenate(columns, axis=1)


@composite(np.append, operands=2)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    return np.concatenate([arr, values], axis=axis)


# Splitting.


def _split(ary: Any, indices_or_sections: Any, axis: int, even: bool) -> list[Any]:
    size = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = int(indices_or_sections)
        if even and size % sections:
            raise ValueError("array split does not result in an equal division")
        small, extra = divmod(size, sections)
        sizes = [small + 1] * extra + [small] * (sections - extra)
        ends = list(itertools.accumulate(sizes))
    else:
        ends = [*indices_or_sections, size]
    parts = zip([0, *ends[:-1]], ends)
    return [ary[along(axis, ary.ndim, slice(start, end))] for start, end in parts]


@composite(np.split, operands=2, view=True)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    return _split(ary, indices_or_sections, axis, even=True)


@composite(np.array_split, operands=2, view=True)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    return _split(ary, indices_or_sections, axis, even=False)


@composite(np.vsplit, operands=2, view=True)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return _split(ary, indices_or_sections, 0, even=True)


@composite(np.hsplit, operands=2, view=True)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return _split(ary, indices_or_sections, 0 if ary.ndim == 1 else 1, even=True)


@composite(np.dsplit, operands=2, view=True)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return _split(ary, indices_or_sections, 2, even=True)


# Type changes and parts of complex numbers.


def _cast(x: Any, *, dtype: Any) -> Any:
    return x.astype(dtype) if hasattr(x, "astype") else dtype.type(x)


cast = linear(_cast, lambda g: g, batch=front)


def _to_integers(x: Any, *, dtype: Any) -> Any:
    return _cast(x, dtype=dtype)


to_integers = constant(_to_integers)


@composite(
    np.astype,
    operands=2,
    names="x dtype copy=True device=None order='K' casting='unsafe'",
    view=True,
)
def astype(
    x: Any, dtype: Any, copy: bool = True, device: Any = None, order: str = "K",
    casting: Any = "unsafe",
) -> Any:  # fmt: skip
    dtype = np.dtype(dtype)
    if casting != "unsafe":
        _check_cast(x, dtype, casting)
    if type(x) is not Tracer:
        return x.astype(dtype) if hasattr(x, "astype") else dtype.type(x)
    if dtype == x.dtype:
        return frozen(x) if copy else x
    if dtype.kind not in "fciub":
        raise UnsupportedError(
            f"astype({dtype}) of a traced value would lose its derivative. It takes dtypes of "
            f"numbers; write value(t).astype({dtype}) for the plain values."
        )
    return (cast if dtype.kind in "fc" else to_integers)(x, dtype=dtype)


def array_of(x: Any) -> Any:
    """``x``, which is an array if it is a Python number or a list: it has a shape and a dtype."""
    return x if hasattr(x, "dtype") else np.asarray(x)


def scalar(x: Any) -> Any:
    """``x``, which is no array if it has no dimensions: most functions of NumPy return it so."""
    return x if x.shape else x[()]


def strong(x: Any) -> Any:
    """``x``, whose dtype does not give way: many functions make arrays of Python's numbers."""
    if type(raw(x)) not in WEAK:
        return x
    return np.reshape(x, ()) if type(x) is Tracer else np.asarray(x)


linear(np.real, lambda g: g, batch=front, view=True)
linear(
    np.imag,
    lambda g, x_like: (
        np.multiply(-1j, g) if x_like.dtype.kind == "c" else np.zeros(x_like.shape, x_like.dtype)
    ),
    batch=alike,
    view=True,
)
