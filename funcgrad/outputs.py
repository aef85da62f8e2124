"""``out=``: results that are written to an array which is there already."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .core import FUNCTIONS, Tracer, function_name, ufunc_name
from .errors import DerivativeLostError, blamed


def _into(out: tuple[Any, ...], ufunc: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """A call of ``ufunc`` whose results are written to the arrays ``out``."""
    all_of_it = method != "__call__" or any(o is None for o in out)
    where = True if all_of_it else kwargs.pop("where", True)
    with np.errstate(all=None if where is True else "ignore"):  # of what is left out
        found = getattr(ufunc, method)(*inputs, **kwargs)
    results = []
    for o, ans in zip(out, found if len(out) > 1 else (found,)):
        if o is not None:
            ans = handed_over(ans if where is True else np.where(where, ans, o), o, ufunc)
        results.append(ans)
    return tuple(results) if len(out) > 1 else results[0]


FUNCTIONS[np.ufunc, "out"] = _into


def handed_over(ans: Any, out: Any, function: Any) -> Any:
    """``out``, to which the result ``ans`` of ``function`` has been written."""
    is_ufunc = isinstance(function, np.ufunc)
    name = ufunc_name(function) if is_ufunc else function_name(function)
    if type(out) is Tracer:
        put_into(out, ans, f"{name} with out=z")
    elif type(ans) is Tracer:
        where, _ = blamed()
        raise DerivativeLostError(
            f"{name} with out= a plain array z, as in z += t,{where} would lose a "
            f"derivative. Write z = z + t, z = np.zeros(n, like=t) for z = np.zeros(n), "
            f"np.array(z, like=t) for any other plain z, or do without out=."
        )
    else:
        np.copyto(out, ans, "same_kind")
    return out


def put_into(z: Tracer, new: Any, written: str) -> None:
    """``z[...] = new``, the result of an operation that nobody else has a name for, where NumPy
    lets its dtype go into ``z``."""
    new = new if type(new) is Tracer else np.asarray(new)
    shape, dtype = z.shape, z.dtype
    if new.dtype != dtype and not np.can_cast(new.dtype, dtype, "same_kind"):
        raise TypeError(
            f"{written}: the result has dtype {new.dtype}, which does not go into an array of "
            f"{dtype}. Write z = z + t for z += t, or make z of that dtype."
        )
    if new.shape != shape and np.broadcast_shapes(new.shape, shape) != shape:
        raise ValueError(
            f"{written}: the result has shape {new.shape}, which does not go into an array of "
            f"shape {shape}."
        )
    FUNCTIONS[operator.setitem](z, ..., new, written, fresh=True)
