"""The operators, methods and attributes that a tracer shares with an array."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..core import OPERANDS, OPERATORS, Tracer, call, operand, put_into
from ..errors import UnsupportedError
from . import constants, contractions, elementwise, inplace
from .writable import is_writable

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


def _augmented(method: Callable[..., Any], symbol: str) -> Callable[..., Any]:
    """``z += v``, which writes to z where that can be and otherwise binds the name anew."""

    def update(self: Tracer, other: Any) -> Any:
        ans = method(self, other)
        if not self.owner.writable or ans is NotImplemented:
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


def _in_place(written: str, instead: str, new: Callable[..., Any]) -> Callable[..., Any]:
    """A method that writes ``new`` of the array and its arguments over the array."""

    def method(self: Tracer, *args: Any, **kwargs: Any) -> None:
        written_over = new(self, *args, **kwargs) if self.owner.writable else None
        self.owner.write(self, ..., written_over, written, instead)

    return method


def _put(self: Tracer, indices: Any, values: Any, mode: str = "raise") -> None:
    if self.owner.writable:
        call(np.put, (self, indices, values, mode), {})
    else:
        self.owner.write(self, indices, values, "t.put(i, v)")


def _resize(self: Tracer, *shape: Any, **kwargs: Any) -> NoReturn:
    raise TypeError(
        f"a traced value cannot be changed in place by t.resize(shape) ({self.owner.label}). "
        f"Write t = np.resize(t, shape)."
    )


def _flatten(self: Tracer, order: str = "C") -> Any:
    flat = call(np.ravel, (self, order), {})
    return np.copy(flat) if self.owner.writable else flat


def _flat(self: Tracer) -> Any:
    flat = call(np.ravel, (self,), {})
    if self.owner.writable and not is_writable(flat):
        raise UnsupportedError(
            "z.flat of an array whose elements are not in order in memory would be a copy, which "
            "does not see a write to z. Write np.ravel(z) for the elements, and z[i, j] = v."
        )
    return flat


def _lossy(name: str, instead: str) -> Callable[..., Any]:
    def method(self: Tracer, *args: Any) -> Any:
        def convert(x: Any) -> Any:
            return getattr(np.asarray(x), name)(*args)

        return self.owner.lose(self, convert, f"t.{name}()", instead)

    return method


def _ufunc_method(ufunc: np.ufunc) -> Callable[..., Any]:
    return lambda self: ufunc(self)


def _view(self: Tracer, dtype: Any = None, type: Any = None) -> Any:
    if type is not None or (dtype is not None and np.dtype(dtype) != self.dtype):
        raise UnsupportedError(
            f"t.view({dtype or type}) reads the bytes of a traced value of dtype {self.dtype} as "
            f"others, which has no derivative. Write t.astype for a cast."
        )
    return self[...]


def _to_device(self: Tracer, device: str, stream: Any = None) -> Any:
    if device != "cpu":
        raise ValueError(f"arrays are on the device 'cpu', and {device!r} was asked for.")
    return self


_FUNCTIONS = """all any argmax argmin argpartition argsort astype choose clip cumprod
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
    "flat": _flat,
    "device": lambda t: "cpu",
    "at": inplace.At,
}

_METHODS: dict[str, Callable[..., Any]] = {
    **{name: _method(getattr(np, name)) for name in _FUNCTIONS.split()},
    "copy": lambda self, order="C": call(np.copy, (self, order), {}),
    "view": _view,
    "to_device": _to_device,
    "__array_namespace__": lambda self, api_version=None: np,
    "flatten": _flatten,
    "compress": lambda self, condition, axis=None: call(np.compress, (condition, self, axis), {}),
    "reshape": _shape_method(np.reshape),
    "transpose": _shape_method(np.transpose),
    "conj": _ufunc_method(np.conjugate),
    "conjugate": _ufunc_method(np.conjugate),
    "item": _lossy("item", "t[i], or t alone where it has one element"),
    "tolist": _lossy("tolist", "list(t)"),
    "tobytes": _lossy("tobytes", "t"),
    "sort": _in_place("t.sort()", "t = np.sort(t)", np.sort),
    "partition": _in_place("t.partition(kth)", "t = np.partition(t, kth)", np.partition),
    "fill": _in_place("t.fill(v)", "t = np.full(t.shape, v, like=t)", lambda self, value: value),
    "put": _put,
    "resize": _resize,
}

for _name, _attribute in _ATTRIBUTES.items():
    setattr(Tracer, _name, property(_attribute))
for _name, _function in (_OPERATORS | _METHODS).items():
    setattr(Tracer, _name, _function)
