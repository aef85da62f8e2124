"""Calls of NumPy functions, brought to one form: operands by position, keywords checked by name."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np

from .core import Tracer, function_name, holds_tracer, operand
from .errors import UnsupportedError
from .outputs import handed_over
from .pull import Rule


def parameters_of(function: Any, names: str | dict[str, Any] | None) -> dict[str, Any]:
    """Parameter names of a NumPy function with their defaults.

    Older releases hide the signatures of functions written in C, for which ``names`` gives them.
    """
    if isinstance(names, dict):
        return names
    if names is None and isinstance(function, np.ufunc):
        names = " ".join(f"x{i}" for i in range(function.nin))
    if names is None:
        return _signature(function)
    words = [word.partition("=") for word in names.split()]
    return {
        name: ast.literal_eval(default) if equals else inspect.Parameter.empty
        for name, equals, default in words
    }


def _signature(function: Any) -> dict[str, Any]:
    """What inspect.signature says, in a tenth of its time where there is Python code to look at."""
    plain = inspect.unwrap(function, stop=_has_its_own)
    code = plain.__code__ if type(plain) is FunctionType else None
    stars = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
    if code is None or code.co_flags & stars or _has_its_own(plain):
        parameters = inspect.signature(plain, follow_wrapped=False).parameters
        return {name: p.default for name, p in parameters.items()}
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    by_place = plain.__defaults__ or ()
    first = code.co_argcount - len(by_place)
    return {
        **dict.fromkeys(names, inspect.Parameter.empty),
        **dict(zip(names[first:], by_place)),
        **(plain.__kwdefaults__ or {}),
    }


def _has_its_own(function: Any) -> bool:
    """Whether ``function`` has another signature than the function that it wraps."""
    return hasattr(function, "__signature__") or isinstance(function, functools.partial)


def _is_default(given: Any, default: Any) -> bool:
    return given is default or (type(given) is type(default) and given == default)


def adapter(
    function: Any,
    handler: Rule,
    operands: int,
    keywords: frozenset[str],
    names: str | dict[str, Any] | None = None,
    sequence: bool = False,
    traced: Sequence[str] = (),
) -> Rule:
    """``handler`` behind NumPy's own signature: the first ``operands`` parameters by position, the
    others by name, those left at NumPy's default dropped, those without a rule refused. Lists are
    replaced by arrays and tuples that the caller cannot change, but for a ``sequence`` of arrays.
    What ``handler`` gives is written to ``out``, where NumPy's function has one.
    """
    defaults = parameters_of(function, names)
    order = list(defaults)

    def adapted(*args: Any, **kwargs: Any) -> Any:
        if not sequence:
            args = (*map(operand, args[:operands]), *args[operands:])
        if not kwargs and len(args) == operands:
            return handler(*args)
        if len(args) > len(order):
            raise TypeError(
                f"{function_name(function)} takes {len(order)} arguments, and got {len(args)}."
            )
        named = {**dict(zip(order[operands:], args[operands:])), **kwargs}
        args = args[:operands]
        for name in order[len(args) : operands]:
            if name in named or defaults[name] is not inspect.Parameter.empty:
                args = (*args, operand(named.pop(name, defaults[name])))
        out = named.pop("out", None) if "out" in defaults else None
        given = {}
        for name, x in named.items():
            x = operand(x) if name in traced else _static(x)
            if x is np._NoValue or _is_default(x, defaults.get(name)) or name == "subok":
                continue
            if name not in traced:
                _check_keyword(function, name, x, keywords)
            given[name] = x
        return written(handler(*args, **given), out, function)

    return adapted


def with_out(function: Any, handler: Rule) -> Rule:
    """``handler``, which does nothing with ``out``, and what it gives written to that."""
    place = list(parameters_of(function, None)).index("out")

    def apply(*args: Any, **keywords: Any) -> Any:
        if len(args) <= place and "out" not in keywords:
            return handler(*args, **keywords)
        out = keywords.pop("out", None)
        if len(args) > place:
            out, args = args[place], (*args[:place], None, *args[place + 1 :])
        return written(handler(*args, **keywords), out, function)

    return apply


def written(ans: Any, out: Any, function: Any) -> Any:
    """The result ``ans`` of ``function``, as ``out`` where there is one."""
    if out is None:
        return ans
    loses = type(ans) is Tracer and type(out) is not Tracer
    if np.shape(ans) != np.shape(out) and not loses:
        raise ValueError(
            f"{function_name(function)} with out=z: the result has shape {np.shape(ans)}, and z "
            f"has {np.shape(out)}."
        )
    return handed_over(np.copy(ans), out, function)  # which may be an argument, or a view of one


def _check_keyword(function: Any, name: str, given: Any, keywords: frozenset[str]) -> None:
    """Raise unless ``name`` is a keyword that ``function`` has a rule for, with this value."""
    called = function_name(function)
    if name not in keywords:
        raise UnsupportedError(
            f"{called}: its keyword {name!r} has no derivative rule{_known(keywords)}. Leave it "
            f"out, or take value(t) of the arguments where no gradient is wanted."
        )
    if name == "dtype" and np.dtype(given).kind not in "fc":
        raise UnsupportedError(
            f"{called}: dtype={np.dtype(given)} would round a traced value to integers. "
            f"Write t.astype({np.dtype(given)}) for the argument where that is meant."
        )
    if name == "order" and given not in ("C", "F"):
        raise UnsupportedError(
            f"{called}: order={given!r} depends on the order of elements in memory, which under "
            f"vmap is not that of an example alone. Write order='C' or order='F'."
        )
    if holds_tracer(given):
        raise UnsupportedError(
            f"{called}: its keyword {name!r} cannot be a traced value. "
            f"Pass value(t) where no gradient is wanted."
        )


def _static(x: Any) -> Any:
    """A keyword that cannot change later: tuples for lists, the values of traced integers and
    masks, which a trace that follows them is asked for."""
    if type(x) is list or type(x) is tuple:
        return tuple(map(_static, x))
    if type(x) is Tracer and x.dtype.kind in "iu" and x.shape == ():
        return int(x)
    if type(x) is Tracer and x.dtype.kind == "b":
        return _static(x.owner.look(x, lambda mask: mask, "a mask"))
    return x


def _known(keywords: frozenset[str]) -> str:
    return f" (it takes {', '.join(sorted(keywords))})" if keywords else ""
