"""The operators, methods and attributes that a tracer shares with an array."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import OPERANDS, OPERATORS, WRITING, Tracer, call, operand
from ..errors import UnsupportedError
from ..outputs import put_into
from ..views import copied
from . import constants, contractions, elementwise
from .flat import Flat
from .opening import is_scalar, opened, write
from .updates import At

_DECLARES_OPERATORS = (constants, contractions, elementwise)


def _binary(primitive: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The methods of an operator with the tracer on its left and on its right."""

    def forward(self: Tracer, other: Any) -> Any:
        if type(other) is Tracer:
            owner = self.owner if self.owner.birth >= other.owner.birth else other.owner
            return owner.process(primitive, (self, other), {})
        if type(other) not in OPERANDS:
            other = operand(other)
            if type(other) not in OPERANDS:
                return NotImplemented
        return self.owner.process(primitive, (self, other), {})

    def reflected(self: Tracer, other: Any) -> Any:
        if type(other) not in OPERANDS:
            other = operand(other)
            if type(other) not in OPERANDS:
                return NotImplemented
        return self.owner.process(primitive, (other, self), {})

    return forward, reflected


def _elementwise_with_none(method: Callable[..., Any], differ: bool) -> Callable[..., Any]:
    """``t == None``, of which NumPy gives an answer for each element, as it does of strings."""

    def compare(self: Tracer, other: Any) -> Any:
        ans = method(self, other)
        if ans is NotImplemented and self.shape and (other is None or isinstance(other, str)):
            return np.full(self.shape, differ)
        return ans

    return compare


def _augmented(method: Callable[..., Any], symbol: str) -> Callable[..., Any]:
    """``z += v``, which writes to an array and gives a number's name to another one."""

    def update(self: Tracer, other: Any) -> Any:
        ans = method(self, other)
        if ans is NotImplemented or is_scalar(self):
            return ans
        put_into(self, ans, f"z {symbol}= v")
        return self

    return update


def _unary(primitive: Any) -> Callable[..., Any]:
    return lambda self: self.owner.process(primitive, (self,), {})


_power, _reflected_power = _binary(OPERATORS[operator.pow])


def _three_argument_power(self: Tracer, other: Any, modulo: Any = None) -> Any:
    if modulo is not None:
        raise TypeError("pow() with a modulus takes integers, not a traced value.")
    return _power(self, other)


def _round(self: Tracer, digits: int | None = None) -> Any:
    if digits is None:
        return self.owner.look(self, round, "round(t)")
    return call(np.round, (self, digits), {})


_OPERATORS: dict[str, Callable[..., Any]] = {
    "__pow__": _three_argument_power,
    "__rpow__": _reflected_power,
    "__divmod__": lambda self, other: (self // other, self % other),
    "__rdivmod__": lambda self, other: (other // self, other % self),
    "__round__": _round,
    **{
        f"__{f.__name__}__": lambda self, f=f: self.owner.look(self, f, f"math.{f.__name__}(t)")
        for f in (math.floor, math.ceil, math.trunc)
    },
}
for _name in "add sub mul truediv floordiv mod matmul and or xor lshift rshift".split():
    _symbol = getattr(operator, f"__{_name}__")
    _OPERATORS[f"__{_name}__"], _OPERATORS[f"__r{_name}__"] = _binary(OPERATORS[_symbol])
for _name, _symbol in zip(
    "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split(),
    "+ - * / // % ** @ & | ^ << >>".split(),
):
    _OPERATORS[f"__i{_name}__"] = _augmented(_OPERATORS[f"__{_name}__"], _symbol)
for _name in "lt le gt ge eq ne".split():
    _OPERATORS[f"__{_name}__"] = _binary(OPERATORS[getattr(operator, _name)])[0]
for _name in "eq ne".split():
    _OPERATORS[f"__{_name}__"] = _elementwise_with_none(_OPERATORS[f"__{_name}__"], _name == "ne")
for _name in "neg pos abs invert".split():
    _OPERATORS[f"__{_name}__"] = _unary(OPERATORS[getattr(operator, _name)])


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        return call(function, (self, *args), kwargs)

    method.__name__ = function.__name__
    return method


def _shape_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that takes its numbers one by one or as a tuple."""

    def method(self: Tracer, *numbers: Any, **kwargs: Any) -> Any:
        args = numbers if len(numbers) < 2 else (numbers,)
        return call(function, (self, *args), kwargs)

    return method


def _in_place(written: str, new: Callable[..., Any]) -> Callable[..., Any]:
    """A method that writes ``new`` of the array and its arguments over the array."""

    def method(self: Tracer, *args: Any, **kwargs: Any) -> None:
        write(self, ..., new(self, *args, **kwargs), written)

    return method


def _resize(self: Tracer, *shape: Any, refcheck: bool = True) -> None:
    if shape and shape[0] is not None:
        numbers = shape[0] if len(shape) == 1 and np.ndim(shape[0]) else shape
        with WRITING:
            opened(self, "t.resize(shape)").resize(tuple(map(operator.index, numbers)))


def _flatten(self: Tracer, order: str = "C") -> Any:
    return copied(call(np.ravel, (self, order), {}))


def _copy(self: Tracer, order: str = "C") -> Any:
    copy = call(np.copy, (self, order), {})
    return copy[()] if is_scalar(self) else copy


def _set_part(t: Tracer, part: Callable[..., Any], v: Any) -> None:
    """``t.real = v`` and ``t.imag = v``."""
    if part is np.imag and t.dtype.kind != "c":
        raise TypeError("array does not have imaginary part to set")
    write(call(part, (t,), {}), ..., v, f"z.{part.__name__} = v")


def _lossy(name: str, instead: str) -> Callable[..., Any]:
    def method(self: Tracer, *args: Any) -> Any:
        def convert(x: Any) -> Any:
            return getattr(np.asarray(x), name)(*args)

        return self.owner.lose(self, convert, f"t.{name}()", instead)

    return method


def _conjugate(self: Tracer) -> Any:
    return np.conjugate(self) if self.dtype.kind == "c" else self


def _view(self: Tracer, dtype: Any = None, type: Any = None) -> Any:
    if type is not None or (dtype is not None and np.dtype(dtype) != self.dtype):
        raise UnsupportedError(
            f"t.view({dtype or type}) reads the bytes of a traced value of dtype {self.dtype} as "
            f"others, which has no derivative. Write t.astype for a cast."
        )
    return self[...]


def _astype(
    self: Tracer, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True,
    copy: bool = True,
) -> Any:  # fmt: skip
    return call(np.astype, (self, dtype), {"copy": copy, "order": order, "casting": casting})


def _to_device(self: Tracer, device: str, stream: Any = None) -> Any:
    if device != "cpu":
        raise ValueError(f"arrays are on the device 'cpu', and {device!r} was asked for.")
    return self


_FUNCTIONS = """all any argmax argmin argpartition argsort choose clip cumprod
cumsum diagonal dot max mean min nonzero prod ravel repeat round searchsorted squeeze std sum
swapaxes take trace var"""

_ATTRIBUTES: dict[str, Callable[[Tracer], Any]] = {
    "ndim": lambda t: len(t.shape),
    "size": lambda t: int(np.prod(t.shape)),
    "itemsize": lambda t: t.dtype.itemsize,
    "nbytes": lambda t: int(np.prod(t.shape)) * t.dtype.itemsize,
    "T": lambda t: call(np.transpose, (t,), {}),
    "mT": lambda t: call(np.matrix_transpose, (t,), {}),
    "real": lambda t: call(np.real, (t,), {}),
    "imag": lambda t: call(np.imag, (t,), {}),
    "device": lambda t: "cpu",
    "at": At,
}

_METHODS: dict[str, Callable[..., Any]] = {
    **{name: _method(getattr(np, name)) for name in _FUNCTIONS.split()},
    "copy": _copy,
    "astype": _astype,
    "view": _view,
    "to_device": _to_device,
    "__array_namespace__": lambda self, api_version=None: np,
    "flatten": _flatten,
    "compress": lambda self, condition, axis=None: call(np.compress, (condition, self, axis), {}),
    "reshape": _shape_method(np.reshape),
    "transpose": _shape_method(np.transpose),
    "conj": _conjugate,
    "conjugate": _conjugate,
    "item": _lossy("item", "t[i], or t alone where it has one element"),
    "tolist": _lossy("tolist", "list(t)"),
    "tobytes": _lossy("tobytes", "t"),
    "sort": _in_place("t.sort()", np.sort),
    "partition": _in_place("t.partition(kth)", np.partition),
    "fill": _in_place("t.fill(v)", lambda self, value: value),
    "put": lambda self, *args, **kwargs: call(np.put, (self, *args), kwargs),
    "resize": _resize,
}

_PROPERTIES = {name: property(attribute) for name, attribute in _ATTRIBUTES.items()}
_PROPERTIES["real"] = _PROPERTIES["real"].setter(lambda self, v: _set_part(self, np.real, v))
_PROPERTIES["imag"] = _PROPERTIES["imag"].setter(lambda self, v: _set_part(self, np.imag, v))
_PROPERTIES["flat"] = property(Flat, lambda self, v: Flat(self).__setitem__(..., v))

for _name, _member in (_OPERATORS | _METHODS | _PROPERTIES).items():
    setattr(Tracer, _name, _member)
