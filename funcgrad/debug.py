"""Looking at a run of reverse mode: names for values, and the tape with its backward walk.

``tape`` prints what ``grad`` keeps to itself: the edges in the order in which they were recorded,
from an operand (parent) to the operation that used it (node), and then the nodes in the order in
which the backward walk visits them, each with the cotangent that had arrived by then.

>>> def f(x, w, b):
...     y = name(x * w, "y")
...     return np.tanh(y + b)
>>> print(tape(f)(2.0, 3.0, -6.0))
tape of f(x: float, w: float, b: float)
edges, parent → node
  x → y = multiply    float
  w → y = multiply    float
  y → a = add         float
  b → a = add         float
  a → c = tanh        float64[]
cotangents, in the order of the walk
  c = tanh        1.0
  a = add         1.0
  y = multiply    1.0
  x               3.0
  w               2.0
  b               1.0
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from . import transform, tree
from .core import Primitive, Tracer, is_traced, raw
from .graph import named_arguments, named_leaves
from .joint import Joint
from .program import Variable, distinct_names, header, literal, named, type_text
from .pull import Like, Pull
from .tape import Tape

# Cotangents of up to this many elements are printed in full.
_PRINTED_SIZE = 6


def name(x: Any, label: str) -> Any:
    """``x``, a value or a pytree of values, called ``label`` in every printout.

    In a pytree the key path is added to the name. The cotangent of ``y`` is called ``y_bar``.
    Values that no transform follows come back as they are.

    >>> from funcgrad.graph import make_graph
    >>> print(make_graph(lambda x: 2.0 * name(np.sin(x), "y"))(1.0))
    graph of <lambda>(x: float)
      y = sin(x)              float64[]
      a = multiply(2.0, y)    float64[]
      return a
    """
    if not isinstance(label, str):
        raise TypeError(f"name takes a value and what to call it, name(t, 'y'), got {label!r:.60}.")
    return tree.map_with_path(
        lambda path, leaf: (
            named(leaf, label=label + tree.keystr(path)) if is_traced(leaf) else leaf
        ),
        x,
    )


def tape(f: Callable[..., Any]) -> Callable[..., str]:
    """A function that runs ``f`` on its arguments and returns a printout of the tape and its walk.

    Every float leaf of the arguments is differentiated. The walk starts with a cotangent of ones
    for each result.

    >>> print(tape(lambda x: x * x)(3.0))
    tape of <lambda>(x: float)
    edges, parent → node
      x → a = multiply    float
      x → a = multiply    float
    cotangents, in the order of the walk
      a = multiply    1.0
      x               6.0
    """

    @transform.named("tape", f)
    def text(*args: Any, **kwargs: Any) -> str:
        listing = _Listing(f)
        born = [listing.enter(*pair) for pair in named_leaves(named_arguments(f, args, kwargs))]
        traced_args, traced_kwargs = tree.unflatten(tree.structure((args, kwargs)), born)
        return listing.text(tree.leaves(transform.run(listing, f, traced_args, traced_kwargs)))

    return text


class _Listing(Tape):
    """A tape that remembers its nodes' operations, and the cotangents that the walk brings them."""

    def __init__(self, f: Callable[..., Any]) -> None:
        super().__init__(f, "tape")
        self.leaves: list[tuple[str, Any]] = []
        self.variables: dict[int, Variable] = {}  # by node
        self.operations: dict[int, str] = {}
        self.visits: dict[int, Any] = {}

    def enter(self, label: str, leaf: Any) -> Any:
        """A traced stand-in for a float leaf of the arguments; another leaf as it is."""
        has_gradient = transform.is_inexact(leaf)
        self.leaves.append((label, Variable(leaf, label) if has_gradient else leaf))
        if not has_gradient:
            return leaf
        t = self.born(leaf)
        self.variables[t.node] = self.leaves[-1][1]
        return t

    def process(self, primitive: Primitive, operands: tuple[Any, ...], keywords: dict) -> Any:
        if primitive is named and self.variables[operands[0].node].name is None:
            self.variables[operands[0].node].name = keywords["label"]
            return operands[0]
        start = len(self.edges)
        ans = super().process(primitive, operands, keywords)
        if type(ans) is Tracer and ans.owner is self:
            is_name = primitive is named
            self.variables[ans.node] = Variable(ans.value, keywords["label"] if is_name else None)
            if not is_name:
                self.operations[ans.node] = f" = {primitive.name}"
            self.listen(start)
        return ans

    def joint(self, primitive: Joint, operands: tuple[Any, ...], keywords: dict) -> Any:
        start = len(self.edges)
        ans = super().joint(primitive, operands, keywords)
        outs = ans if type(ans) is tuple else (ans,)
        whole = self.edges[start]  # the node that all results come from
        if type(ans) is tuple:
            self.variables[whole] = _together(outs)
        self.operations[whole] = f" = {primitive.name}"
        for k, out in enumerate(outs):
            if type(out) is Tracer and out.owner is self:
                self.variables[out.node] = Variable(out.value)
                if type(ans) is tuple:
                    self.operations[out.node] = f" = result {k} of {primitive.name}"
        self.listen(start)
        return ans

    def listen(self, start: int) -> None:
        """Note the cotangents that the rules of the edges from ``start`` on are called with."""
        rules = zip(self.edges[start + 2 :: 5], self.edges[start::5])
        self.edges[start + 2 :: 5] = [self.overheard(pull, child) for pull, child in rules]

    def overheard(self, pull: Pull, node: int) -> Pull:
        """``pull``, noting the cotangent that it is called with."""

        def call(g: Any, residual: Any) -> Any:
            self.visits[node] = g
            return pull.call(g, residual)

        noting = copy.copy(pull)
        noting.call = call
        return noting

    def text(self, outs: list[Any]) -> str:
        """The printout of the tape and of its walk from ``outs``."""
        seeds: dict[int, Any] = {}
        for t in outs:
            if type(t) is Tracer and t.owner is self:
                like = Like(t)
                seeds[t.node] = seeds.get(t.node, 0.0) + np.ones(like.shape, like.dtype)[()]
        gradients = self.walk(seeds)
        for node in (*self.edges[::5], *self.edges[1::5]):
            if node not in self.variables:  # what a checkpoint ran has left only edges around it
                self.variables[node] = _together(())
                self.operations[node] = " = checkpoint"
        texts = distinct_names(list(self.variables.values()), self.leaves)
        names = {node: texts[variable] for node, variable in self.variables.items()}
        nodes = {node: name + self.operations.get(node, "") for node, name in names.items()}
        edges = [
            (f"{names[parent]} → {nodes[child]}", str(self.variables[child]))
            for child, parent in zip(self.edges[::5], self.edges[1::5])
        ]
        visits = [(nodes[node], _cotangent(g)) for node, g in self.visits.items()]
        visits += [(nodes[i], _cotangent(g)) for i, g in enumerate(gradients)]
        return "\n".join(
            [
                header(self.label, self.leaves),
                "edges, parent → node",
                *_columns(edges),
                "cotangents, in the order of the walk",
                *_columns(visits),
            ]
        )


def _together(outs: tuple[Any, ...]) -> Variable:
    """The variable that stands for several results, or for some that nothing is known of."""
    variable = Variable(0.0)
    variable.text = f"{len(outs)} result{'s' * (len(outs) != 1)}" if outs else ""
    return variable


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(left) for left, _ in rows), default=0)
    return [f"  {left:{width}}    {right}".rstrip() for left, right in rows]


def _cotangent(g: Any) -> str:
    if g is None:
        return "not reached"
    plain = np.asarray(raw(g))
    if plain.size > _PRINTED_SIZE:
        return type_text(plain.shape, plain.dtype)
    return literal(plain.tolist())
