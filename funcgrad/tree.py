"""Pytrees: nested containers seen as a list of leaves and a ``Structure`` that puts them back.

A dict, OrderedDict, defaultdict, list, tuple, namedtuple, dataclass instance, ``None`` (a node
without children) or an instance of a class given to ``register_node`` is a node; everything else is
a leaf, and so is any other subclass of dict, list or tuple, since nothing tells how to rebuild it.
The leaves of a dict stand in the order of its sorted keys, so that equal dicts have equal
structures; it comes back in its own order. A dataclass is rebuilt without ``__init__``; a field
declared with ``metadata={"static": True}`` belongs to the structure and is compared with ``==``.

>>> leaves, structure = flatten({"w": [1.0, 2.0], "b": 3.0})
>>> print(leaves, structure)
[3.0, 1.0, 2.0] {'b': *, 'w': [*, *]}
>>> unflatten(structure, [10 * leaf for leaf in leaves])
{'w': [10.0, 20.0], 'b': 30.0}
"""

import builtins
import dataclasses
import functools
import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from funcgrad.errors import TreeError

IsLeaf = Callable[[Any], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """One step of a path: ``['w']`` or ``[0]`` into a container, or ``.w`` to an attribute."""

    key: Any
    is_attribute: bool = False

    def __str__(self) -> str:
        return f".{self.key}" if self.is_attribute else f"[{self.key!r}]"


Path = tuple[Key, ...]


def keystr(path: Path) -> str:
    """The path as it is written behind the tree's name.

    >>> keystr((Key("layers"), Key(0), Key("bias", is_attribute=True)))
    "['layers'][0].bias"
    """
    return "".join([str(key) for key in path])


class _Kind(NamedTuple):
    """How the instances of a class come apart and together again."""

    flatten: Callable[[Any], tuple[Iterable[Any], Any]]  # object -> (children, aux)
    unflatten: Callable[[Any, list[Any]], Any]  # (aux, children) -> object
    keys: Callable[[Any, int], Sequence[Key]]  # (aux, number of children) -> their keys


def _index_keys(aux: Any, count: int) -> list[Key]:
    return [Key(index) for index in range(count)]


def _attribute_keys(names: Iterable[str]) -> Callable[[Any, int], list[Key]]:
    keys = [Key(name, is_attribute=True) for name in names]
    return lambda aux, count: keys


def _flatten_dict(d: dict[Any, Any]) -> tuple[list[Any], Any]:
    try:
        keys = sorted(d)
    except TypeError:  # keys of several types, or without an order
        keys = sorted(d, key=lambda key: (type(key).__name__, repr(key)))
    children, blank = [], dict(d)
    for key in keys:
        children.append(blank[key])
        blank[key] = None
    return children, (tuple(keys), blank)  # blank has the dict's own order; ``==`` ignores it


def _unflatten_dict(aux: Any, children: list[Any]) -> dict[Any, Any]:
    d: dict[Any, Any] = aux[1].copy()
    for index, key in enumerate(aux[0]):
        d[key] = children[index]
    return d


def _flatten_defaultdict(d: defaultdict[Any, Any]) -> tuple[list[Any], Any]:
    children, aux = _flatten_dict(d)
    return children, (*aux, d.default_factory)


def _dict_keys(aux: Any, count: int) -> list[Key]:
    return [Key(key) for key in aux[0]]


def _dataclass_kind(cls: Any) -> _Kind:
    fields = dataclasses.fields(cls)
    names = [f.name for f in fields if not f.metadata.get("static")]
    static = [f.name for f in fields if f.metadata.get("static")]
    ordered = names + static

    def flatten(x: Any) -> tuple[list[Any], Any]:
        return [getattr(x, name) for name in names], tuple([getattr(x, name) for name in static])

    def unflatten(aux: Any, children: list[Any]) -> Any:
        x: Any = object.__new__(cls)
        for name, value in zip(ordered, (*children, *aux), strict=True):
            object.__setattr__(x, name, value)  # the way into a frozen one
        return x

    return _Kind(flatten, unflatten, _attribute_keys(names))


class _Kinds(dict[type, Any]):
    """The kind of every class met so far (``None``: a leaf), so that dispatch is one look-up."""

    def __missing__(self, cls: Any) -> _Kind | None:
        kind = None
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            make = functools.partial(tuple.__new__, cls)
            kind = _Kind(lambda x: (x, ()), lambda aux, c: make(c), _attribute_keys(cls._fields))
        elif not issubclass(cls, dict | list | tuple) and dataclasses.is_dataclass(cls):
            kind = _dataclass_kind(cls)
        return self.setdefault(cls, kind)  # what another thread registers meanwhile stands


_KINDS = _Kinds(
    {
        type(None): _Kind(lambda x: ((), ()), lambda aux, c: None, _index_keys),
        list: _Kind(lambda x: (x, ()), lambda aux, c: c, _index_keys),
        tuple: _Kind(lambda x: (x, ()), lambda aux, c: tuple(c), _index_keys),
        dict: _Kind(_flatten_dict, _unflatten_dict, _dict_keys),
        OrderedDict: _Kind(
            _flatten_dict, lambda aux, c: OrderedDict(_unflatten_dict(aux, c)), _dict_keys
        ),
        defaultdict: _Kind(
            _flatten_defaultdict,
            lambda aux, c: defaultdict(aux[2], _unflatten_dict(aux, c)),
            _dict_keys,
        ),
    }
)
_BUILT_IN = frozenset(_KINDS)


def register_node(
    cls: type,
    flatten: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, list[Any]], Any],
    names: Sequence[str] = (),
) -> None:
    """Make the instances of ``cls``, not of its subclasses, nodes.

    ``flatten(obj)`` gives ``(children, aux)`` and ``unflatten(aux, children)`` the object back; it
    meets tracers in place of arrays, so it should not validate. ``aux`` is compared with ``==``.
    ``names`` are the attributes that hold the children; without them a path shows an index.

    >>> class Scale:
    ...     def __init__(self, factor):
    ...         self.factor = factor
    >>> register_node(Scale, lambda s: ((s.factor,), None), lambda aux, c: Scale(*c), ["factor"])
    >>> print(structure([Scale(2.0)]))
    [Scale(factor=*)]
    """
    if not isinstance(cls, type) or cls in _BUILT_IN:
        raise TreeError(f"register_node takes a class of your own, got {cls!r}")
    _KINDS[cls] = _Kind(flatten, unflatten, _attribute_keys(names) if names else _index_keys)


# A spec is None for a leaf, else (class, aux, specs of the children): a plain tuple, which Python
# builds and compares fast.
_Spec = tuple[type, Any, tuple[Any, ...]] | None


def _children(spec: Any) -> dict[Key, _Spec]:
    cls, aux, children = spec
    keys = _KINDS[cls].keys(aux, len(children))
    if len(keys) != len(children):
        raise TreeError(
            f"{cls.__name__} has {len(children)} children and is registered with {len(keys)} names"
        )
    return dict(zip(keys, children, strict=True))


def _paths(spec: _Spec, path: Path) -> Iterator[Path]:
    if spec is None:
        yield path
    else:
        for key, child in _children(spec).items():
            yield from _paths(child, (*path, key))


def _skeleton(spec: _Spec) -> Any:
    return spec and (spec[0], *[_skeleton(child) for child in spec[2]])


def _format(spec: _Spec) -> str:
    if spec is None:
        return "*"
    cls, parts = spec[0], []
    for key, child in _children(spec).items():
        keyed = f"{key.key!r}: " if issubclass(cls, dict) else ""
        parts.append((f"{key.key}=" if key.is_attribute else keyed) + _format(child))
    inner = ", ".join(parts)
    if cls is tuple and len(parts) == 1:
        return f"({inner},)"
    plain = {dict: f"{{{inner}}}", list: f"[{inner}]", tuple: f"({inner})", type(None): "None"}
    return plain.get(cls, f"{cls.__name__}({inner})")


class Structure:
    """A tree without its leaves; immutable, hashable, equal where nodes, keys and aux are equal.

    >>> structure({"w": [1, 2], "b": None}) == structure({"b": None, "w": [3, 4]})
    True
    """

    __slots__ = ("_num_leaves", "_spec")

    def __init__(self, spec: _Spec, num_leaves: int) -> None:
        self._spec = spec
        self._num_leaves = num_leaves

    @property
    def num_leaves(self) -> int:
        """The number of leaves."""
        return self._num_leaves

    def paths(self) -> list[Path]:
        """The paths of the leaves, in order."""
        return list(_paths(self._spec, ()))

    def __eq__(self, other: object) -> bool:
        return self._spec == other._spec if isinstance(other, Structure) else NotImplemented

    def __hash__(self) -> int:
        return hash(_skeleton(self._spec))  # without aux, which need not be hashable

    def __repr__(self) -> str:
        return _format(self._spec)


_LEAF = Structure(None, 1)


def _flatten(node: Any, kind: _Kind, leaves: list[Any], is_leaf: IsLeaf | None) -> _Spec:
    children, aux = kind.flatten(node)
    specs: list[_Spec] = []
    for child in children:
        kind = _KINDS[type(child)]
        if kind is None or (is_leaf is not None and is_leaf(child)):
            leaves.append(child)
            specs.append(None)
        else:
            specs.append(_flatten(child, kind, leaves, is_leaf))
    return type(node), aux, tuple(specs)


def _unflatten(spec: Any, leaves: Iterator[Any]) -> Any:
    cls, aux, specs = spec
    children = [next(leaves) if child is None else _unflatten(child, leaves) for child in specs]
    return _KINDS[cls].unflatten(aux, children)


def flatten(tree: Any, is_leaf: IsLeaf | None = None) -> tuple[list[Any], Structure]:
    """The leaves of ``tree``, in order, and its structure; ``is_leaf(node)`` stops the descent.

    >>> flatten([1, None, (2, 3)])
    ([1, 2, 3], [*, None, (*, *)])
    """
    kind = _KINDS[type(tree)]
    if kind is None or (is_leaf is not None and is_leaf(tree)):
        return [tree], _LEAF
    leaves: list[Any] = []
    spec = _flatten(tree, kind, leaves, is_leaf)
    return leaves, Structure(spec, len(leaves))


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """The tree of this structure with these leaves.

    >>> unflatten(structure((0, [0])), "ab")
    ('a', ['b'])
    """
    leaves = list(leaves)
    if len(leaves) != structure._num_leaves:
        raise TreeError(
            f"unflatten expected {structure.num_leaves} leaves for {structure}, got {len(leaves)}"
        )
    if structure._spec is None:
        return leaves[0]
    return _unflatten(structure._spec, iter(leaves))


def leaves(tree: Any, is_leaf: IsLeaf | None = None) -> list[Any]:
    """The leaves of ``tree``, in order.

    >>> leaves({"w": 1, "b": (2, None)})
    [2, 1]
    """
    return flatten(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: IsLeaf | None = None) -> Structure:
    """The structure of ``tree``.

    >>> print(structure({"w": 1, "b": (2, None)}))
    {'b': (*, None), 'w': *}
    """
    return flatten(tree, is_leaf)[1]


def leaves_with_path(tree: Any) -> list[tuple[Path, Any]]:
    """The paths and leaves of ``tree``, in order.

    >>> [(keystr(path), leaf) for path, leaf in leaves_with_path({"w": [1, 2]})]
    [("['w'][0]", 1), ("['w'][1]", 2)]
    """
    leaves, structure = flatten(tree)
    return list(zip(structure.paths(), leaves, strict=True))


def _a(cls: type) -> str:
    return f"{'an' if cls.__name__[0] in 'AEIOUaeiou' else 'a'} {cls.__name__}"


def _describe(spec: _Spec) -> str:
    if spec is None:
        return "a leaf"
    cls, _, children = spec
    if cls is type(None):
        return "None"
    return _a(cls) + (f" of {len(children)}" if issubclass(cls, dict | list | tuple) else "")


def _mismatch(expected: _Spec, other: _Spec, path: Path, what: str, against: str) -> str:
    place = f"at {keystr(path) or 'the root'}: {against} has {_describe(expected)}"
    if expected is None or other is None or expected[0] is not other[0]:
        twin = " (another class of that name)" if _describe(expected) == _describe(other) else ""
        return f"{place}, {what} has {_describe(other)}{twin}"
    ours, theirs = _children(expected), _children(other)
    for key in (*ours, *theirs):
        if key not in ours or key not in theirs:
            have, lack = (against, what) if key in ours else (what, against)
            return f"{lack} has no {keystr((*path, key))}, which {have} has"
    for key, child in ours.items():
        if child != theirs[key]:
            return _mismatch(child, theirs[key], (*path, key), what, against)
    return f"{place} with the static data {expected[1]!r}, {what} has one with {other[1]!r}"


def check_same(expected: Any, other: Any, what: str, against: str = "the original") -> None:
    """Raise a ``TreeError`` that names the first difference of two trees or ``Structure``s.

    ``what`` and ``against`` are the names of ``other`` and ``expected`` in the message.

    >>> check_same({"w": 1, "b": 2}, {"w": 1}, "grads", "params")
    Traceback (most recent call last):
    ...
    funcgrad.errors.TreeError: grads has no ['b'], which params has
    """
    first, second = [x if isinstance(x, Structure) else structure(x) for x in (expected, other)]
    if first != second:
        raise TreeError(_mismatch(first._spec, second._spec, (), what, against))


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf | None = None) -> Any:
    """The tree of ``f(leaf, *leaves)``, with the leaves at the same place of the other trees.

    Trees of different structures raise a ``TreeError`` that names the first difference.

    >>> map(lambda p, g: p - g, {"w": 3, "b": [5]}, {"w": 1, "b": [1]})
    {'w': 2, 'b': [4]}
    """
    first, structure = flatten(tree, is_leaf)
    columns = [first]
    for number, other in enumerate(rest, start=2):
        column, other_structure = flatten(other, is_leaf)
        if other_structure != structure:
            check_same(structure, other_structure, f"tree {number}", "tree 1")
        columns.append(column)
    return unflatten(structure, builtins.map(f, *columns))


def map_with_path(f: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """As ``map``, with ``f(path, leaf, *leaves)``.

    >>> map_with_path(lambda path, leaf: f"{keystr(path)}={leaf}", {"w": [1, 2]})
    {'w': ["['w'][0]=1", "['w'][1]=2"]}
    """
    paths = iter(structure(tree).paths())
    return map(lambda *row: f(next(paths), *row), tree, *rest)


_MISSING = object()


def reduce(f: Callable[[Any, Any], Any], tree: Any, initializer: Any = _MISSING) -> Any:
    """The leaves folded from the left; without an initializer the first leaf is the start.

    >>> reduce(lambda total, leaf: total + leaf, {"w": [1, 2], "b": 3})
    6
    """
    items = leaves(tree) if initializer is _MISSING else [initializer, *leaves(tree)]
    if not items:
        raise TreeError("reduce of a tree without leaves needs an initializer")
    return functools.reduce(f, items)


def all(tree: Any) -> bool:
    """Whether every leaf is true.

    >>> all(map(lambda x, y: x < y, [1, 2], [2, 3]))
    True
    """
    return builtins.all(leaves(tree))


def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The leaves as one vector of their common dtype, and the function that undoes it.

    ``unravel(vector)`` gives each leaf its own shape and dtype, as a view of the vector where the
    dtype agrees; Python numbers come back as NumPy scalars. Both ways can be differentiated.
    Beside floats an integer beyond 2**53 is rounded.

    >>> vector, unravel = ravel({"w": np.ones((2, 2)), "b": 3.0})
    >>> vector.tolist()
    [3.0, 1.0, 1.0, 1.0, 1.0]
    >>> unravel(2 * vector)["w"].tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """
    items, structure = flatten(tree)
    layout: list[tuple[Any, Any, Any]] = []  # place in the vector, shape and dtype of each leaf
    total = 0
    for path, leaf in zip(structure.paths(), items, strict=True):
        dtype = leaf.dtype if hasattr(leaf, "dtype") else np.dtype(type(leaf))
        if dtype.kind not in "biufc":
            raise TreeError(
                f"ravel takes numbers and arrays of numbers, got {_a(type(leaf))} of dtype {dtype} "
                f"at {keystr(path) or 'the root'}"
            )
        shape = np.shape(leaf)
        start, total = total, total + math.prod(shape)
        scalar = shape == () and not isinstance(leaf, np.ndarray)
        layout.append((start if scalar else slice(start, total), shape, dtype))

    def unravel(vector: Any) -> Any:
        if not hasattr(vector, "dtype") or np.shape(vector) != (total,):
            raise TreeError(
                f"unravel takes a vector of shape ({total},), got {_a(type(vector))} of "
                f"shape {np.shape(vector)}"
            )
        parts = []
        for place, shape, dtype in layout:
            part = vector[place]
            if isinstance(place, slice):
                part = np.reshape(part, shape)
            if vector.dtype.kind == "c" and dtype.kind != "c":
                part = np.real(part)
            parts.append(part if part.dtype == dtype else part.astype(dtype))
        return unflatten(structure, parts)

    return np.concatenate([np.ravel(leaf) for leaf in items]) if items else np.zeros(0), unravel
