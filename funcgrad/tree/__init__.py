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

from .functions import all, map, map_with_path, ravel, reduce
from .nodes import Key, Path, keystr, register_node
from .structures import (
    Structure,
    check_same,
    flatten,
    leaves,
    leaves_with_path,
    structure,
    unflatten,
)

__all__ = [
    "Key",
    "Path",
    "Structure",
    "all",
    "check_same",
    "flatten",
    "keystr",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "ravel",
    "reduce",
    "register_node",
    "structure",
    "unflatten",
]
