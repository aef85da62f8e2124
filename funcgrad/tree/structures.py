"""The structure of a pytree: a tree without its leaves, and what two of them differ in."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import TreeError
from .nodes import KINDS, Key, Kind, Path, keystr

IsLeaf = Callable[[Any], bool]

# A spec is None for a leaf, else (class, aux, specs of the children): a plain tuple, which Python
# builds and compares fast.
Spec = tuple[type, Any, tuple[Any, ...]] | None


def _children(spec: Any) -> dict[Key, Spec]:
    cls, aux, children = spec
    keys = KINDS[cls].keys(aux, len(children))
    if len(keys) != len(children):
        raise TreeError(
            f"{cls.__name__} has {len(children)} children and is registered with {len(keys)} names"
        )
    return dict(zip(keys, children, strict=True))


def _paths(spec: Spec, path: Path) -> Iterator[Path]:
    if spec is None:
        yield path
    else:
        for key, child in _children(spec).items():
            yield from _paths(child, (*path, key))


def _skeleton(spec: Spec) -> Any:
    return spec and (spec[0], *[_skeleton(child) for child in spec[2]])


def _format(spec: Spec) -> str:
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

    def __init__(self, spec: Spec, num_leaves: int) -> None:
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


def _flatten(node: Any, kind: Kind, leaves: list[Any], is_leaf: IsLeaf | None) -> Spec:
    children, aux = kind.flatten(node)
    specs: list[Spec] = []
    for child in children:
        kind = KINDS[type(child)]
        if kind is None or (is_leaf is not None and is_leaf(child)):
            leaves.append(child)
            specs.append(None)
        else:
            specs.append(_flatten(child, kind, leaves, is_leaf))
    return type(node), aux, tuple(specs)


def _unflatten(spec: Any, leaves: Iterator[Any]) -> Any:
    cls, aux, specs = spec
    children = []
    for child in specs:
        children.append(next(leaves) if child is None else _unflatten(child, leaves))
    return KINDS[cls].unflatten(aux, children)


def flatten(tree: Any, is_leaf: IsLeaf | None = None) -> tuple[list[Any], Structure]:
    """The leaves of ``tree``, in order, and its structure; ``is_leaf(node)`` stops the descent.

    >>> flatten([1, None, (2, 3)])
    ([1, 2, 3], [*, None, (*, *)])
    """
    kind = KINDS[type(tree)]
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
    if not isinstance(structure, Structure):
        raise TypeError(
            f"unflatten takes the structure first, and then the leaves; got {a(type(structure))}."
        )
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


def a(cls: type) -> str:
    return f"{'an' if cls.__name__[0] in 'AEIOUaeiou' else 'a'} {cls.__name__}"


def _describe(spec: Spec) -> str:
    if spec is None:
        return "a leaf"
    cls, _, children = spec
    if cls is type(None):
        return "None"
    return a(cls) + (f" of {len(children)}" if issubclass(cls, dict | list | tuple) else "")


def _mismatch(expected: Spec, other: Spec, path: Path, what: str, against: str) -> str:
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


def check_same(
    expected: Any, other: Any, what: str, against: str = "the original", label: str = ""
) -> None:
    """Raise a ``TreeError`` that names the first difference of two trees or ``Structure``s.

    ``what`` and ``against`` are the names of ``other`` and ``expected`` in the message, which
    begins with the ``label``.

    >>> check_same({"w": 1, "b": 2}, {"w": 1}, "grads", "params")
    Traceback (most recent call last):
    ...
    funcgrad.errors.TreeError: grads has no ['b'], which params has
    """
    first, second = [x if isinstance(x, Structure) else structure(x) for x in (expected, other)]
    if first != second:
        difference = _mismatch(first._spec, second._spec, (), what, against)
        raise TreeError(f"{label}: {difference}" if label else difference)
