"""What is a node of a pytree: for each class how its instances come apart and together again."""

import dataclasses
import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..errors import TreeError


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


class Kind(NamedTuple):
    """How the instances of a class come apart and together again."""

    flatten: Callable[[Any], tuple[Sequence[Any], Any]]  # object -> (children, aux)
    unflatten: Callable[[Any, list[Any]], Any]  # (aux, children) -> object
    keys: Callable[[Any, int], Sequence[Key]]  # (aux, number of children) -> their keys


def _index_keys(aux: Any, count: int) -> list[Key]:
    return [Key(index) for index in range(count)]


def _attribute_keys(names: Iterable[str]) -> Callable[[Any, int], list[Key]]:
    keys = [Key(name, is_attribute=True) for name in names]
    return lambda aux, count: keys


@functools.lru_cache(maxsize=1024)
def layout(*own: Any) -> tuple[tuple[Any, ...], dict[Any, None]]:
    """The keys of a dict in canonical order, and a dict with its own order, which == ignores."""
    try:
        keys = sorted(own)
    except TypeError:  # keys of several types, or without an order
        keys = sorted(own, key=lambda key: (type(key).__name__, repr(key)))
    return tuple(keys), dict.fromkeys(own)


def _flatten_dict(d: dict[Any, Any]) -> tuple[list[Any], Any]:
    aux = layout(*d)
    return list(map(d.__getitem__, aux[0])), aux


def _unflatten_dict(aux: Any, children: list[Any]) -> dict[Any, Any]:
    d: dict[Any, Any] = aux[1].copy()
    for key, child in zip(aux[0], children):
        d[key] = child
    return d


def _flatten_defaultdict(d: defaultdict[Any, Any]) -> tuple[list[Any], Any]:
    children, aux = _flatten_dict(d)
    return children, (*aux, d.default_factory)


def _dict_keys(aux: Any, count: int) -> list[Key]:
    return [Key(key) for key in aux[0]]


def _dataclass_kind(cls: Any) -> Kind:
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

    return Kind(flatten, unflatten, _attribute_keys(names))


class _Kinds(dict[type, Any]):
    """The kind of every class met so far (``None``: a leaf), so that dispatch is one look-up."""

    def __missing__(self, cls: Any) -> Kind | None:
        kind = None
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            make = functools.partial(tuple.__new__, cls)
            kind = Kind(lambda x: (x, ()), lambda aux, c: make(c), _attribute_keys(cls._fields))
        elif not issubclass(cls, dict | list | tuple) and dataclasses.is_dataclass(cls):
            kind = _dataclass_kind(cls)
        return self.setdefault(cls, kind)  # what another thread registers meanwhile stands


KINDS = _Kinds(
    {
        type(None): Kind(lambda x: ((), ()), lambda aux, c: None, _index_keys),
        list: Kind(lambda x: (x, ()), lambda aux, c: c, _index_keys),
        tuple: Kind(lambda x: (x, ()), lambda aux, c: tuple(c), _index_keys),
        dict: Kind(_flatten_dict, _unflatten_dict, _dict_keys),
        OrderedDict: Kind(
            _flatten_dict, lambda aux, c: OrderedDict(_unflatten_dict(aux, c)), _dict_keys
        ),
        defaultdict: Kind(
            _flatten_defaultdict,
            lambda aux, c: defaultdict(aux[2], _unflatten_dict(aux, c)),
            _dict_keys,
        ),
    }
)
_BUILT_IN = frozenset(KINDS)


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

    >>> from funcgrad.tree import structure
    >>> class Scale:
    ...     def __init__(self, factor):
    ...         self.factor = factor
    >>> register_node(Scale, lambda s: ((s.factor,), None), lambda aux, c: Scale(*c), ["factor"])
    >>> print(structure([Scale(2.0)]))
    [Scale(factor=*)]
    """
    if not isinstance(cls, type) or cls in _BUILT_IN:
        raise TreeError(f"register_node takes a class of your own, got {cls!r}")

    def take_apart(obj: Any) -> tuple[list[Any], Any]:
        children, aux = flatten(obj)
        return list(children), aux

    KINDS[cls] = Kind(take_apart, unflatten, _attribute_keys(names) if names else _index_keys)
