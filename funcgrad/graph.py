"""Recording a function: the operations that it ran, as data to print, draw and run again.

``make_graph(f)(*args)`` runs ``f`` on tracers that carry the actual values and notes every
primitive. The recorder is a trace like any other: it sees the backward pass of a gradient that it
records, and a program that runs again goes through ``bind``, so that it can be differentiated.

>>> import numpy as np
>>> print(make_graph(lambda x: np.sum(np.sin(x) * 2.0))(np.ones(3)))
graph of <lambda>(x: float64[3])
  a = sin(x)              float64[3]
  b = multiply(a, 2.0)    float64[3]
  c = sum(b)              float64[]
  return c
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from . import transform, tree
from .core import Primitive, Tracer, frozen
from .program import Equation, Program, Variable, kept, named
from .trace import Trace, name_of

# Notebooks refuse to draw very large diagrams; beyond this a program is read, not looked at.
_DRAWN_IN_NOTEBOOKS = 100


class Graph(Program):
    """A recorded program that is called as the function was, on arguments of the same types."""

    def __init__(self, arguments: dict[str, tree.Structure], *program: Any) -> None:
        super().__init__(*program)
        self.arguments = arguments

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the recorded operations give on arguments of the recorded shapes and dtypes."""
        if self.looks:
            raise TypeError(
                f"{self.label} cannot run again: {', '.join(self.looks)} looked at a value while "
                f"it was recorded, so it may be right for that value only. Call the function "
                f"itself, or record it written without (np.where for if, np.sin for math.sin)."
            )
        given = dict(zip(self.arguments, args)) | kwargs
        if given.keys() != self.arguments.keys() or len(given) != len(args) + len(kwargs):
            raise TypeError(
                f"{self.label} takes the arguments ({', '.join(self.arguments)}), and got "
                f"{len(args)} by position and ({', '.join(kwargs)}) by name."
            )
        leaves = []
        for name, structure in self.arguments.items():
            tree.check_same(structure, given[name], name, "the recorded argument")
            leaves += tree.leaves(given[name])
        inputs = []
        for (name, recorded), leaf in zip(self.leaves, leaves):
            self._check_leaf(name, recorded, leaf)
            if type(recorded) is Variable:
                inputs.append(leaf)
        outs = [x.copy() if _is_shared(x, inputs) else frozen(x) for x in self.run(inputs)]
        return tree.unflatten(self.structure, outs)

    def _check_leaf(self, name: str, recorded: Any, leaf: Any) -> None:
        if type(recorded) is Variable:
            got = Variable(leaf) if _is_input(leaf) else None
            if got is None or (got.shape, got.dtype) != (recorded.shape, recorded.dtype):
                raise TypeError(
                    f"{self.label} was recorded with {name}: {recorded}, and got "
                    f"{got or type(leaf).__name__}. Record the function again for that."
                )
        elif recorded is not leaf and not np.array_equal(recorded, leaf):
            raise ValueError(
                f"{self.label} was recorded with {name}={recorded!r:.60}, and got {leaf!r:.60}. "
                f"Record the function again for that."
            )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What a notebook shows: the picture where it can draw one, the text otherwise."""
        bundle = {"text/plain": str(self)}
        if len(self.equations) <= _DRAWN_IN_NOTEBOOKS:
            bundle["text/vnd.mermaid"] = self.mermaid()
        return bundle


def _is_shared(x: Any, inputs: list[Any]) -> bool:
    """Whether a result may share memory with an argument."""
    return type(x) is np.ndarray and (x.base is not None or any(x is leaf for leaf in inputs))


class GraphTrace(Trace):
    """One run of a function that is recorded; a tracer's ``node`` is its Variable."""

    transform = "make_graph"

    def __init__(self, f: Callable[..., Any]) -> None:
        super().__init__(f)
        self.equations: list[Equation] = []
        self.looks: list[str] = []

    def process(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        if primitive is named and operands[0].node.name is None:
            operands[0].node.name = keywords["label"]
            return operands[0]
        mine = [type(t) is Tracer and t.owner is self for t in operands]
        values = [t.value if own else t for t, own in zip(operands, mine)]
        leaves, structure = tree.flatten(primitive.apply(*values, **keywords))
        name = keywords["label"] if primitive is named else None
        outputs = [Variable(x, name) for x in leaves]
        inputs = tuple(t.node if own else kept(t) for t, own in zip(operands, mine))
        keywords = {key: kept(x) for key, x in keywords.items()}
        self.equations.append(Equation(primitive, inputs, keywords, outputs, structure))
        return tree.unflatten(structure, [Tracer(self, x, v) for x, v in zip(leaves, outputs)])

    def look(self, tracer: Tracer, convert: Callable[[Any], Any], what: str) -> Any:
        """Answer, since a recording is there to be looked at, and note what looked."""
        self.looks.append(what)
        return convert(tracer.value)

    def lose(self, tracer: Tracer, convert: Callable[[Any], Any], what: str, instead: str) -> Any:
        """A recording loses no derivative: answer as to any other look."""
        return self.look(tracer, convert, what.split(",")[0])


def make_graph(f: Callable[..., Any]) -> Callable[..., Graph]:
    """A function that runs ``f`` on its arguments and returns the recorded program.

    Numbers and arrays in the arguments (pytrees) are the program's inputs. Everything else is
    constant: strings, bools and other objects, and what ``f`` takes from its surroundings. A Python
    ``if`` or loop is recorded as it ran; what turns a value into a plain number, such as
    ``float(t)``, is allowed and noted in the printout. What the result does not need is left out.

    >>> import funcgrad as fg
    >>> print(make_graph(fg.value_and_grad(lambda x: np.exp(x) * x))(2.0))
    graph of value_and_grad(<lambda>)(x: float)
      a = exp(x)                       float64[]
      b = multiply(a, x)               float64[]
      c = multiply(float64(1.0), a)    float64[]
      d = multiply(float64(1.0), x)    float64[]
      e = multiply(d, a)               float64[]
      f = add(c, e)                    float64[]
      return (b, f)
    """

    @transform.named("make_graph", f)
    def record(*args: Any, **kwargs: Any) -> Graph:
        trace = GraphTrace(f)
        arguments = named_arguments(f, args, kwargs)
        leaves, entering = [], []
        for name, leaf in named_leaves(tree.map(frozen, arguments)):
            if _is_input(leaf):
                variable = Variable(leaf, name)
                leaves.append((name, variable))
                entering.append(Tracer(trace, leaf, variable))
            else:
                leaves.append((name, leaf))
                entering.append(leaf)
        structure = tree.structure((args, kwargs))
        traced_args, traced_kwargs = tree.unflatten(structure, entering)
        out = transform.run(trace, f, traced_args, traced_kwargs)
        outs, structure = tree.flatten(out)
        outputs = [t.node if type(t) is Tracer and t.owner is trace else kept(t) for t in outs]
        forms = {name: tree.structure(argument) for name, argument in arguments.items()}
        name = name_of(f)
        return Graph(forms, name, leaves, trace.equations, outputs, structure, trace.looks)

    return record


def _is_input(leaf: Any) -> bool:
    """Whether ``leaf`` is recorded: a number or an array of numbers. A bool is a setting."""
    return type(leaf) is not bool and transform.is_number(leaf)


def named_arguments(f: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> dict[str, Any]:
    """The arguments of a call by the names of ``f``'s parameters, in the order of their leaves."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except ValueError:  # as for NumPy's ufuncs in its releases before 2.4
        names = ["x"] if len(args) == 1 else [f"x{i + 1}" for i in range(len(args))]
    else:
        by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = [p.name for p in parameters if p.kind in by_place]
        rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "x")
        names += [f"{rest}[{i}]" for i in range(len(args) - len(names))]
    return dict(zip(names, args)) | dict(sorted(kwargs.items()))


def named_leaves(arguments: dict[str, Any]) -> list[tuple[str, Any]]:
    """The leaves of the arguments, each with its name, such as ``params['w']``."""
    return [
        (name + tree.keystr(path), leaf)
        for name, argument in arguments.items()
        for path, leaf in tree.leaves_with_path(argument)
    ]
