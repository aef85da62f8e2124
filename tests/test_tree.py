"""Pytrees: what is a node, in which order leaves stand, and what a mismatch says."""

import copy
import dataclasses
import pickle
import re
import sys
import threading
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any, NamedTuple

import numpy as np
import pytest

from funcgrad import tree
from funcgrad.errors import TreeError


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclasses.dataclass(frozen=True)
class Base:
    w: Any


@dataclasses.dataclass(frozen=True, slots=True)
class Dense(Base):
    b: Any
    activation: str = dataclasses.field(default="relu", metadata={"static": True})

    def __post_init__(self):
        if not isinstance(self.w, int):
            raise TypeError("w must be an int")


class Scale:
    def __init__(self, factor, unit):
        self.factor, self.unit = factor, unit

    def __eq__(self, other):
        return (self.factor, self.unit) == (other.factor, other.unit)


tree.register_node(
    Scale, lambda s: ((s.factor,), s.unit), lambda unit, c: Scale(c[0], unit), ["factor"]
)


class Bag:
    def __init__(self, *items):
        self.items = items

    def __eq__(self, other):
        return self.items == other.items


tree.register_node(Bag, lambda bag: (bag.items, None), lambda aux, children: Bag(*children))

# tree, its leaves, their paths, the printed structure
CASES = [
    (5, [5], [""], "*"),
    (None, [], [], "None"),
    ([], [], [], "[]"),
    ((1,), [1], ["[0]"], "(*,)"),
    ([1, (2, None)], [1, 2], ["[0]", "[1][0]"], "[*, (*, None)]"),
    ({"w": [1, 2], "b": 3}, [3, 1, 2], ["['b']", "['w'][0]", "['w'][1]"], "{'b': *, 'w': [*, *]}"),
    ({10: 1, 9: 2}, [2, 1], ["[9]", "[10]"], "{9: *, 10: *}"),
    ({"a": 1, 2: 3}, [3, 1], ["[2]", "['a']"], "{2: *, 'a': *}"),
    (OrderedDict(w=1, b=2), [2, 1], ["['b']", "['w']"], "OrderedDict('b': *, 'w': *)"),
    (defaultdict(list, w=1, b=2), [2, 1], ["['b']", "['w']"], "defaultdict('b': *, 'w': *)"),
    (Pair(1, [2]), [1, 2], [".left", ".right[0]"], "Pair(left=*, right=[*])"),
    (namedtuple("Empty", "")(), [], [], "Empty()"),
    (Dense(1, {"x": 2}), [1, 2], [".w", ".b['x']"], "Dense(w=*, b={'x': *})"),
    ([Scale(2, "m")], [2], ["[0].factor"], "[Scale(factor=*)]"),
    (Bag(1, [2]), [1, 2], ["[0]", "[1][0]"], "Bag(*, [*])"),
]


@pytest.mark.parametrize(("example", "leaves", "paths", "text"), CASES, ids=[c[3] for c in CASES])
def test_each_kind_of_node(example, leaves, paths, text):
    got, structure = tree.flatten(example)
    assert got == leaves == tree.leaves(example)
    assert structure == tree.structure(example)
    assert structure.num_leaves == len(leaves)
    assert str(structure) == text
    assert [tree.keystr(path) for path in structure.paths()] == paths
    assert [leaf for _, leaf in tree.leaves_with_path(example)] == leaves
    rebuilt = tree.unflatten(structure, leaves)
    one = tree.map(lambda x: x, example)
    two = tree.map(lambda x, y: y, example, rebuilt)
    for again in (rebuilt, one, two):
        assert again == example
        assert type(again) is type(example)


def test_a_dict_comes_back_in_its_own_order():
    for kind in (dict, OrderedDict):
        doubled = tree.map(lambda x: 2 * x, kind([("w", 1), ("b", 2), ("a", 3)]))
        assert list(doubled.items()) == [("w", 2), ("b", 4), ("a", 6)]


def test_order_of_insertion_is_no_difference():
    difference = tree.map(lambda x, y: x - y, {"w": 3, "b": 2}, {"b": 1, "w": 1})
    assert list(difference.items()) == [("w", 2), ("b", 1)]


def test_a_defaultdict_keeps_its_factory():
    rebuilt = tree.map(lambda x: x, defaultdict(list, w=1))
    assert rebuilt["new"] == []


def test_a_dataclass_is_rebuilt_without_validation_and_keeps_static_fields():
    rebuilt = tree.map(str, Dense(1, 2, "tanh"))
    assert (rebuilt.w, rebuilt.b, rebuilt.activation) == ("1", "2", "tanh")


def test_everything_else_is_a_leaf():
    class Params(dict):
        pass

    for leaf in (np.ones(2), "text", {1, 2}, Params(w=1), Dense, range(3), object()):
        leaves, structure = tree.flatten([leaf])
        assert leaves[0] is leaf
        assert str(structure) == "[*]"


def test_is_leaf_stops_the_descent():
    def is_pair(x):
        return isinstance(x, tuple)

    assert tree.leaves([(1, 2), None, 3], is_leaf=is_pair) == [(1, 2), 3]
    assert tree.leaves((1, 2), is_leaf=is_pair) == [(1, 2)]
    assert tree.leaves([None], is_leaf=lambda x: x is None) == [None]
    assert tree.map(sum, [(1, 2), (3, 4)], is_leaf=is_pair) == [3, 7]


def test_structures_compare_hash_copy_and_pickle():
    first, second = tree.structure({"w": 1, "b": [2]}), tree.structure({"b": [3], "w": 4})
    assert first == second
    assert hash(first) == hash(second)
    assert first != tree.structure({"w": 1, "b": 2})
    assert first != "{'b': [*], 'w': *}"
    assert first == copy.deepcopy(first) == pickle.loads(pickle.dumps(first))
    assert tree.structure(Dense(1, 2, "relu")) != tree.structure(Dense(1, 2, "tanh"))
    with pytest.raises(AttributeError):
        first.num_leaves = 5


def test_map_reduce_all():
    params, grads = {"w": [3, 4], "b": None}, {"w": [1, 1], "b": None}
    assert tree.map(lambda p, g: p - g, params, grads) == {"w": [2, 3], "b": None}
    assert tree.reduce(lambda x, y: x - y, [10, 2, 3]) == 5
    assert tree.reduce(lambda x, y: x - y, [2, 3], 10) == 5
    assert tree.reduce(max, None, 0) == 0
    assert tree.all({"a": True, "b": [1, None]})
    assert not tree.all([True, False])
    assert tree.all([])


def test_map_with_path_gives_keys_to_choose_by():
    params = {"layers": [{"w": 1.0, "b": 1.0}, {"w": 1.0, "b": 1.0}]}
    decayed = tree.map_with_path(
        lambda path, p, rate: p * rate if path[-1].key == "w" else p,
        params,
        tree.map(lambda p: 0.5, params),
    )
    assert decayed == {"layers": [{"w": 0.5, "b": 1.0}] * 2}


MISMATCHES = [
    ([{"b": 1}], [{}], "grads has no [0]['b'], which params has"),
    ([{}], [{"b": 1}], "params has no [0]['b'], which grads has"),
    ({"l": [1, 2, 3]}, {"l": [1, 2]}, "grads has no ['l'][2], which params has"),
    ({"l": [1]}, {"l": (1,)}, "at ['l']: params has a list of 1, grads has a tuple of 1"),
    ({"l": None}, {"l": 1}, "at ['l']: params has None, grads has a leaf"),
    (1, OrderedDict(a=1), "at the root: params has a leaf, grads has an OrderedDict of 1"),
    (Pair(1, {}), Pair(1, Dense(1, 2)), "at .right: params has a dict of 0, grads has a Dense"),
    (
        Dense(1, 2, "relu"),
        Dense(1, 2, "tanh"),
        "at the root: params has a Dense with the static data ('relu',), "
        "grads has one with ('tanh',)",
    ),
    (
        Pair(1, 2),
        namedtuple("Pair", "left right")(1, 2),
        "at the root: params has a Pair of 2, grads has a Pair of 2 (another class of that name)",
    ),
]


def test_unflatten_takes_the_structure_first():
    with pytest.raises(TypeError, match="structure first, and then the leaves; got a list"):
        tree.unflatten([1.0], tree.structure([1.0]))


@pytest.mark.parametrize(("params", "grads", "message"), MISMATCHES, ids=[c[2] for c in MISMATCHES])
def test_a_mismatch_names_the_place_and_both_sides(params, grads, message):
    with pytest.raises(TreeError, match=f"^{re.escape(message)}$"):
        tree.check_same(params, grads, "grads", "params")
    with pytest.raises(TreeError, match=f"^step 3: {re.escape(message)}$"):
        tree.check_same(params, grads, "grads", "params", "step 3")
    with pytest.raises(TreeError, match=f"^{re.escape(message)}$"):
        tree.check_same(tree.structure(params), tree.structure(grads), "grads", "params")
    for apply in (tree.map, tree.map_with_path):
        for others in ([grads], [params, grads]):
            last = f"tree {1 + len(others)}"
            numbered = message.replace("params", "tree 1").replace("grads", last)
            with pytest.raises(TreeError, match=f"^{re.escape(numbered)}$"):
                apply(lambda *leaves: 0, params, *others)


def test_malformed_input_is_named():
    with pytest.raises(TreeError, match=r"expected 2 leaves for \[\*, \*\], got 3"):
        tree.unflatten(tree.structure([1, 2]), [1, 2, 3])
    with pytest.raises(TreeError, match="needs an initializer"):
        tree.reduce(max, {})
    with pytest.raises(TreeError, match="a class of your own, got <class 'dict'>"):
        tree.register_node(dict, lambda d: (d.values(), None), lambda aux, children: {})

    class Wrong:
        pass

    tree.register_node(Wrong, lambda x: ((1, 2), None), lambda aux, c: Wrong(), ["only"])
    with pytest.raises(TreeError, match="Wrong has 2 children and is registered with 1 names"):
        tree.leaves_with_path(Wrong())


def test_a_class_met_as_a_leaf_can_be_registered_later():
    class Late:
        pass

    assert tree.structure(Late()) == tree.structure(0)
    tree.register_node(Late, lambda x: ((), None), lambda aux, children: Late())
    assert tree.leaves(Late()) == []


def test_new_classes_in_many_threads():
    for _ in range(50):
        point = namedtuple("Point", "x y")
        structures, barrier = [], threading.Barrier(8)

        def work(point=point, structures=structures, barrier=barrier):
            barrier.wait()
            structures.append(tree.structure(point(1, point(2, 3))))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(structures) == 8
        assert len(set(structures)) == 1


def test_ravel_and_back():
    params = {
        "w": np.arange(6.0).reshape(2, 3),
        "half": np.float32([[7.0]]),
        "count": np.array([8, 9]),
        "rate": 0.5,
        "zero_d": np.array(1.5),
        "empty": np.zeros((0, 3)),
    }
    vector, unravel = tree.ravel(params)
    assert vector.dtype == np.float64
    assert vector.tolist() == [8, 9, 7, 0.5, 0, 1, 2, 3, 4, 5, 1.5]
    rebuilt = unravel(vector)
    assert list(rebuilt) == list(params)
    for key, leaf in params.items():
        assert np.array_equal(rebuilt[key], leaf)
        assert np.shape(rebuilt[key]) == np.shape(leaf)
        assert rebuilt[key].dtype == np.result_type(leaf)
    assert isinstance(rebuilt["rate"], np.float64)
    assert isinstance(rebuilt["zero_d"], np.ndarray)
    assert not np.shares_memory(vector, params["w"])


def test_ravel_keeps_the_common_dtype():
    assert tree.ravel([np.float32([1]), np.float32(2)])[0].dtype == np.float32
    assert tree.ravel([1, 2])[0].dtype == np.int64
    vector, unravel = tree.ravel([1j, np.array([2.0])])
    assert vector.dtype == np.complex128
    assert [leaf.dtype for leaf in unravel(vector)] == [np.complex128, np.float64]


def test_ravel_of_a_tree_without_leaves():
    vector, unravel = tree.ravel({"a": None})
    assert vector.shape == (0,)
    assert vector.dtype == np.float64
    assert unravel(vector) == {"a": None}


def test_ravel_errors():
    with pytest.raises(TreeError, match=r"got a str of dtype <U\d+ at \['name'\]"):
        tree.ravel({"name": "text"})
    with pytest.raises(TreeError, match="got an object of dtype object at the root"):
        tree.ravel(object())
    _, unravel = tree.ravel([1.0, np.ones(2)])
    with pytest.raises(TreeError, match=r"shape \(3,\), got a ndarray of shape \(4,\)"):
        unravel(np.ones(4))
    with pytest.raises(TreeError, match=r"shape \(3,\), got a list of shape \(3,\)"):
        unravel([1.0, 2.0, 3.0])


class Recorded:
    """An array that NumPy's protocols see and that refuses to become a plain one."""

    def __init__(self, array):
        self.array, self.dtype = array, array.dtype

    def __array__(self, *args, **kwargs):
        raise TypeError("the record is lost")

    def __array_function__(self, function, types, args, kwargs):
        def plain(x):
            return [plain(y) for y in x] if isinstance(x, list) else getattr(x, "array", x)

        result = function(*plain(list(args)), **kwargs)
        return result if isinstance(result, tuple) else Recorded(result)

    def __getitem__(self, index):
        return Recorded(self.array[index])

    def astype(self, dtype):
        return Recorded(self.array.astype(dtype))


def test_ravel_and_unravel_pass_stand_ins_for_arrays_through():
    plain = [np.ones((2, 2)), np.float32([2.0]), np.array(3.0)]
    vector, unravel = tree.ravel([Recorded(plain[0]), *plain[1:]])
    assert isinstance(vector, Recorded)
    for leaf, expected in zip(unravel(vector), plain, strict=True):
        assert isinstance(leaf, Recorded)
        assert leaf.dtype == expected.dtype
        assert np.array_equal(leaf.array, expected)


def test_deep_trees():
    deep = 1
    for _ in range(sys.getrecursionlimit() // 4):
        deep = [deep]
    assert tree.leaves(tree.map(lambda x: x + 1, deep)) == [2]


@pytest.mark.parametrize("others", [0, 1, 2])
def test_leaves_are_visited_in_the_order_of_their_paths(others):
    """That of the sorted keys, however a dict was filled."""
    filled = {"w": {"z": "['w']['z']", "a": "['w']['a']"}, "b": ["['b'][0]", "['b'][1]"]}
    visited = []

    def f(path, leaf, *rest):
        assert (leaf,) * others == rest
        visited.append((tree.keystr(path), leaf))
        return leaf

    assert tree.map_with_path(f, filled, *[filled] * others) == filled
    assert [path for path, _ in visited] == [leaf for _, leaf in visited] == tree.leaves(filled)
