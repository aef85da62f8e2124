"""A recorded program as data: printed a line an operation, drawn, and run again.

A program is a list of ``Equation``s in the order in which they ran. Each says which primitive was
applied to which operands, each a ``Variable`` of the program or a constant, and which variables
came out. A type is written as dtype and shape, or as ``float`` for a Python number, which takes its
dtype from what it meets.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from . import tree
from .batching import front
from .core import Primitive, Tracer, frozen, raw
from .pull import Like
from .rules.indexing import Slot, index, index_traced
from .trace import WEAK
from .verbs import linear


class Variable:
    """A value of a recorded program: its type, and what its author called it (or None)."""

    __slots__ = ("dtype", "name", "shape", "text")

    def __init__(self, x: Any, name: str | None = None) -> None:
        like, kind = Like(x), type(raw(x))
        self.shape = like.shape
        self.dtype = like.dtype
        self.text = kind.__name__ if kind in WEAK else type_text(like.shape, like.dtype)
        self.name = name

    def __str__(self) -> str:
        return self.text


class Equation(NamedTuple):
    """One operation: its result is a pytree of ``structure`` with the leaves ``outputs``."""

    primitive: Primitive
    operands: tuple[Any, ...]  # each a Variable, or the constant itself
    keywords: dict[str, Any]
    outputs: list[Variable]
    structure: tree.Structure


class Program:
    """Operations from ``leaves``, the leaves of a call by name, to ``outputs`` in ``structure``.

    A leaf is an input, a Variable, or a constant of the program. ``looks`` are the names of what
    took a plain number out of a value while the program was recorded.
    """

    def __init__(
        self,
        name: str,
        leaves: list[tuple[str, Any]],
        equations: list[Equation],
        outputs: list[Any],
        structure: tree.Structure,
        looks: Iterable[str],
    ) -> None:
        self.__name__ = name
        self.leaves = leaves
        self.inputs = [leaf for _, leaf in leaves if type(leaf) is Variable]
        self.equations = _needed(equations, outputs)
        self.outputs = outputs
        self.structure = structure
        self.looks = list(dict.fromkeys(looks))

    def run(self, inputs: Iterable[Any]) -> list[Any]:
        """The leaves of the result, from a value for each of ``inputs``."""
        values = dict(zip(self.inputs, inputs, strict=True))

        def read(t: Any) -> Any:
            return values[t] if type(t) is Variable else t

        for primitive, operands, keywords, outputs, _ in self.equations:
            ans = primitive(*map(read, operands), **keywords)
            values.update(zip(outputs, tree.leaves(ans)))
        return [values[t] if type(t) is Variable else kept(t) for t in self.outputs]

    @property
    def label(self) -> str:
        return f"graph of {self.__name__}"

    # Text.

    def __str__(self) -> str:
        names = self._names()
        lines = [f"  {_line(equation, names)}" for equation in self.equations]
        width = max((len(line) for line in lines if len(line) < 60), default=0)
        typed = [f"{line:{width}}    {_types(e)}" for line, e in zip(lines, self.equations)]
        note = [f"  looked at values: {', '.join(self.looks)}"] if self.looks else []
        return "\n".join(
            [header(self.label, self.leaves), *typed, f"  {self._return(names)}", *note]
        )

    __repr__ = __str__

    def _return(self, names: dict[Variable, str]) -> str:
        leaves = [_Word(_operand(t, names)) for t in self.outputs]
        return f"return {tree.unflatten(self.structure, leaves)!r}"

    def _names(self) -> dict[Variable, str]:
        made = [x for equation in self.equations for x in equation.outputs]
        return distinct_names([*self.inputs, *made], self.leaves)

    # Pictures.

    def dot(self) -> str:
        """The program as a picture in the language of Graphviz, for ``dot -Tsvg``."""
        shapes = {"input": "box", "operation": "box, style=rounded", "result": "plaintext"}
        nodes, edges = self._picture()
        return "\n".join(
            [
                f"digraph {_quoted(self.__name__)} {{",
                *(f"  {n} [shape={shapes[kind]}, label={_quoted(t)}];" for n, kind, t in nodes),
                *(f"  {parent} -> {child};" for parent, child in edges),
                "}",
            ]
        )

    def mermaid(self) -> str:
        """The program as a Mermaid flowchart, which Markdown pages and notebooks draw."""
        shapes = {"input": '["{}"]', "operation": '("{}")', "result": '(["{}"])'}
        nodes, edges = self._picture()
        return "\n".join(
            [
                "flowchart TD",
                *(f"  {node}{shapes[kind].format(_entities(text))}" for node, kind, text in nodes),
                *(f"  {parent} --> {child}" for parent, child in edges),
            ]
        )

    def _picture(self) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
        """Nodes as (identifier, kind, text), and edges as pairs of identifiers."""
        names = self._names()
        places = {x: f"in{i}" for i, x in enumerate(self.inputs)}
        nodes = [(places[x], "input", f"{names[x]}\n{x}") for x in self.inputs]
        edges = []
        for i, e in enumerate(self.equations):
            nodes.append((f"op{i}", "operation", f"{_line(e, names)}\n{_types(e)}"))
            edges += [(places[t], f"op{i}") for t in e.operands if type(t) is Variable]
            places.update(dict.fromkeys(e.outputs, f"op{i}"))
        nodes.append(("out", "result", self._return(names)))
        edges += [(places[t], "out") for t in self.outputs if type(t) is Variable]
        return nodes, edges


def _named(x: Any, *, label: str) -> Any:
    return x


#: The identity, which tells printouts what a value is called; its cotangent is y_bar for y.
named: Primitive = linear(
    _named, lambda g, label: named(g, label=f"{label}_bar"), batch=front, view=True
)


def kept(x: Any) -> Any:
    """A constant of the program, safe from what becomes of the caller's array."""
    return x.copy() if isinstance(x, np.ndarray) else frozen(x)


def _needed(equations: list[Equation], outputs: list[Any]) -> list[Equation]:
    """The equations that the outputs depend on, in order."""
    wanted = {t for t in outputs if type(t) is Variable}
    needed = []
    for equation in reversed(equations):
        if not wanted.isdisjoint(equation.outputs):
            needed.append(equation)
            wanted.update(t for t in equation.operands if type(t) is Variable)
    return needed[::-1]


# Names.


def distinct_names(variables: list[Variable], leaves: list[tuple[str, Any]]) -> dict[Variable, str]:
    """A name for every variable: its own, numbered where it comes again, or else a letter.

    ``leaves`` are those of the arguments: with ``p['w']`` among them, no variable is called p.
    """
    own = [*(x.name or "" for x in variables), *(name for name, _ in leaves)]
    words = {re.split(r"[\[.]", name)[0] for name in own}
    fresh = (letter for letter in _letters() if letter not in words)
    numbered: dict[str, Iterator[str]] = {}
    names: dict[Variable, str] = {}
    used = set()
    for x in variables:
        choice = fresh if x.name is None else numbered.setdefault(x.name, _numbered(x.name))
        names[x] = next(name for name in choice if name not in used)
        used.add(names[x])
    return names


def _letters() -> Iterator[str]:
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_lowercase, repeat=length))


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{i}" for i in itertools.count(2))


# Text of the parts.


class _Word(str):
    """A string that stands in a container's repr without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def header(label: str, leaves: list[tuple[str, Any]]) -> str:
    """The first line of a printout, or where that is too long a line for each argument."""
    parts = [
        f"{name}: {leaf}" if type(leaf) is Variable else f"{name}={literal(leaf)}"
        for name, leaf in leaves
    ]
    line = f"{label}({', '.join(parts)})"
    if len(line) <= 100:
        return line
    return "\n".join([f"{label}(", *(f"    {part}," for part in parts), ")"])


def type_text(shape: tuple[int, ...], dtype: Any) -> str:
    return f"{dtype}[{','.join(map(str, shape))}]"


def literal(x: Any) -> str:
    """A constant, short: numbers in full or to six digits, arrays by their type."""
    if isinstance(x, float | complex) and type(x) in WEAK:
        text = repr(x).strip("()")
        return text if len(text) <= 8 else f"{x:.6g}"
    if isinstance(x, slice):
        ends = ["" if end is None else literal(end) for end in (x.start, x.stop, x.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if x is Ellipsis:
        return "..."
    if isinstance(x, tuple | list):
        parts = ", ".join(map(literal, x))
        return f"[{parts}]" if type(x) is list else f"({parts}{',' * (len(x) == 1)})"
    if isinstance(x, np.dtype):
        return str(x)
    if isinstance(x, np.ndarray | np.generic) and x.ndim == 0 and x.dtype.kind in "biufc":
        return f"{x.dtype}({literal(x.item())})"
    if isinstance(x, np.ndarray | Tracer):
        return f"const {type_text(x.shape, x.dtype)}"
    return getattr(x, "__name__", None) or f"{x!r:.40}"


def _operand(t: Any, names: dict[Variable, str]) -> str:
    return names[t] if type(t) is Variable else literal(t)


def _line(equation: Equation, names: dict[Variable, str]) -> str:
    """``a, b = primitive(operands, keywords)``."""
    primitive, operands, keywords, outputs, _ = equation
    texts = [_operand(t, names) for t in operands]
    if primitive.name in (index.name, index_traced.name):
        at = keywords["at"] if type(keywords["at"]) is tuple else (keywords["at"],)
        parts = [texts[part.i + 1] if type(part) is Slot else literal(part) for part in at]
        right = f"{texts[0]}[{', '.join(parts)}]"
    elif primitive is named:
        right = texts[0]
    else:
        texts += [f"{key}={literal(x)}" for key, x in keywords.items()]
        right = f"{primitive.name}({', '.join(texts)})"
    return f"{', '.join(names[x] for x in outputs)} = {right}"


def _types(equation: Equation) -> str:
    return ", ".join(map(str, equation.outputs))


def _quoted(text: str) -> str:
    """A string of Graphviz's language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _entities(text: str) -> str:
    """Text between the quotes of a Mermaid label."""
    codes = {ord(character): f"#{ord(character)};" for character in '#&"<>`'}
    return text.translate(codes).replace("\n", "<br/>")
