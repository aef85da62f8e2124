"""vmap: what goes in and out along which axis, what is batched, and what is refused."""

import bisect
import dataclasses
import warnings
from typing import NamedTuple

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, jvp, random, value_and_grad, verbs, vmap
from funcgrad.batching import looped

X = np.arange(12.0).reshape(3, 4) / 7.0 - 0.5
Y = np.cos(X)
MASK = np.array([[True, False, True, True], [True] * 4, [False, True, False, True]])


def same(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-13)
    assert np.result_type(got) == np.result_type(want)


# Which axis.


def scaled(x, y):
    return x * np.sum(y)


@pytest.mark.parametrize(
    "in_axes, args",
    [
        (0, (X, Y)),
        ((0, 1), (X, Y.T)),
        ([-1, 0], (X.T, Y)),
        ((0, np.int64(1)), (X, Y.T)),
    ],
)
def test_in_axes_has_an_axis_for_each_argument(in_axes, args):
    same(vmap(scaled, in_axes)(*args), X * Y.sum(axis=1, keepdims=True))


def test_none_is_for_what_all_examples_share():
    same(vmap(scaled, (0, None))(X, Y[0]), X * Y[0].sum())
    same(vmap(scaled, (None, 0))(2.0, Y), 2.0 * Y.sum(axis=1))


class Pair(NamedTuple):
    x: object
    y: object


@dataclasses.dataclass
class Scale:
    x: object
    y: object
    name: str = dataclasses.field(default="", metadata={"static": True})


@pytest.mark.parametrize(
    "axes, tree",
    [
        (Pair(0, 1), Pair(X, Y.T)),
        (Scale(0, 1), Scale(X, Y.T)),
        (0, Pair(X, Y)),
        (Scale(0, 1, "twice"), Scale(X, Y.T, "twice")),
    ],
)
def test_an_entry_may_be_a_tree_like_its_argument(axes, tree):
    same(vmap(lambda t: scaled(t.x, t.y), (axes,))(tree), X * Y.sum(axis=1, keepdims=True))


def test_an_entry_may_be_the_upper_part_of_a_tree():
    def f(params, nothing):
        return scaled(params["x"], params["rest"][0]) + params["rest"][1]

    params = {"x": X, "rest": [Y[0], 2.0]}
    same(vmap(f, ({"x": 0, "rest": None}, None))(params, None), X * Y[0].sum() + 2.0)
    params = {"x": X, "rest": (Y, np.ones(3))}
    got = vmap(f, ({"x": 0, "rest": 0}, 0))(params, {"none": None})
    same(got, X * Y.sum(axis=1, keepdims=True) + 1.0)


def test_keyword_arguments_are_mapped_along_their_first_axis():
    same(vmap(lambda x, y: scaled(x, y), None)(X[0], y=Y), np.outer(Y.sum(axis=1), X[0]))


def test_out_axes_place_the_examples():
    same(vmap(np.sin, out_axes=1)(X), np.sin(X).T)
    same(vmap(np.sin, out_axes=-2)(X), np.sin(X))
    first, total = vmap(lambda x: (x, {"total": np.sum(x)}), out_axes=(-1, {"total": 0}))(X)
    same(first, X.T)
    same(total["total"], X.sum(axis=1))


def test_out_axes_none_is_for_what_no_example_changes():
    out = vmap(lambda x: (x, "words", 3.0, Y), out_axes=(0, None, None, None))(X)
    assert out[1:3] == ("words", 3.0)
    assert out[3] is not Y
    assert vmap(lambda x: None)(X) is None


def test_what_does_not_depend_on_the_example_is_repeated():
    out = vmap(lambda x: (1.5, 2, True, Y[0]), out_axes=(0, 0, 0, 1))(X)
    assert [part.dtype.kind for part in out] == ["f", "i", "b", "f"]
    same(out[0], np.full(3, 1.5))
    same(out[3], np.stack([Y[0]] * 3, axis=1))
    same(vmap(lambda: 2.0, axis_size=3)(), np.full(3, 2.0))


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_chunks_bound_memory_and_change_nothing(size):
    f = vmap(lambda x, y: (x * y, np.sum(x), 7), out_axes=(1, 0, None), chunk_size=size)
    product, total, seven = f(X, Y)
    same(product, (X * Y).T)
    same(total, X.sum(axis=1))
    assert seven == 7


def test_no_examples_at_all():
    same(vmap(lambda x: np.tanh(x) @ x)(np.zeros((0, 4))), np.zeros(0))
    same(vmap(grad(lambda x: np.sum(x**2)), chunk_size=2)(np.zeros((0, 4))), np.zeros((0, 4)))


def test_results_are_the_callers_own():
    x = X.copy()
    as_is, again, doubled, part = vmap(lambda x: (x, x, 2.0 * x, (2.0 * x)[:2]))(x)
    twice = vmap(lambda x: (y := x + 1.0, y))(x)
    results = [as_is, again, doubled, part, *twice]
    for k, result in enumerate(results):
        assert result.flags.writeable
        assert not any(np.shares_memory(result, other) for other in [x, *results[k + 1 :]])


# What is batched.


def test_nested_vmap_is_an_outer_product():
    table = vmap(vmap(np.multiply, (None, 0)), (0, None))
    same(table(X[0], Y[0]), np.outer(X[0], Y[0]))


def test_comparisons_integers_and_bools():
    same(vmap(lambda x: x > 0.1)(X), X > 0.1)
    same(vmap(np.argmax)(X), X.argmax(axis=1))
    same(vmap(lambda n: n // 2 + (n << 1))(np.arange(4)), np.arange(4) // 2 + (np.arange(4) << 1))


REDUCTIONS = {
    "sum": (np.sum, {}),
    "mean": (np.mean, {}),
    "prod": (np.prod, {}),
    "max": (np.max, {"initial": -1.0}),
    "min": (np.min, {"initial": 1.0}),
    "var": (np.var, {"ddof": 1}),
    "std": (np.std, {}),
}


@pytest.mark.parametrize("function, keywords", REDUCTIONS.values(), ids=REDUCTIONS)
def test_each_example_may_have_a_mask_of_its_own(function, keywords):
    def f(x, mask):
        return function(x, where=mask, **keywords)

    same(vmap(f)(X, MASK), np.stack([f(x, m) for x, m in zip(X, MASK)]))
    same(vmap(f, (None, 0))(X[0], MASK), np.stack([f(X[0], m) for m in MASK]))
    slopes = [grad(f)(x, m) for x, m in zip(X, MASK)]
    same(vmap(grad(f))(X, MASK), np.stack(slopes))
    same(grad(lambda x: np.sum(vmap(f)(x, MASK)))(X), np.stack(slopes))


def test_masked_any_and_all():
    same(vmap(lambda x, m: np.any(x > 0.5, where=m))(X, MASK), np.any(X > 0.5, axis=1, where=MASK))
    same(vmap(lambda x, m: np.all(x > 0.5, where=m))(X, MASK), np.all(X > 0.5, axis=1, where=MASK))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("function, initial", [(np.max, 0), (np.min, 1)])
def test_masked_extremes_of_every_kind_of_number(function, initial, dtype):
    numbers = (10 * X).astype(np.int8).astype(dtype)

    def f(x, mask):
        return function(x, where=mask, initial=dtype(initial))

    rows = np.concatenate([MASK, np.zeros((1, 4), bool)])
    same(vmap(f, (None, 0))(numbers[1], rows), np.stack([f(numbers[1], m) for m in rows]))
    same(vmap(f)(numbers, MASK), np.stack([f(x, m) for x, m in zip(numbers, MASK)]))


def test_each_example_may_have_an_index_of_its_own():
    places = np.array([[0, 0], [3, 1], [2, -1]])
    want = np.stack([x[i] for x, i in zip(X, places)])
    same(vmap(lambda x, i: x[i])(X, places), want)
    same(vmap(lambda x, i: x[None, i, ..., None])(X, places), want[:, None, :, None])
    one = np.zeros((3, 4))
    np.add.at(one, (np.arange(3)[:, None], places), 1.0)
    same(vmap(grad(lambda x, i: np.sum(x[i])))(X, places), one)
    same(vmap(lambda i: np.take_along_axis(X[0], i, axis=0))(places), X[0][places])
    same(vmap(lambda i: fg.numpy.take(X, i, axis=0))(places % 3), X[places % 3])


@pytest.mark.parametrize("at", [True, (True, ..., 1), ([0, 1], True), (..., False)])
def test_a_bool_in_an_index_makes_an_axis(at):
    same(vmap(lambda x: x[at])(np.stack([X, Y])), np.stack([X[at], Y[at]]))


def test_derivatives_of_a_map_and_maps_of_derivatives():
    def f(w, x):
        return np.sum(np.tanh(w * x) ** 2)

    w = Y[0]
    each = np.stack([grad(f)(w, x) for x in X])
    same(vmap(grad(f), (None, 0))(w, X), each)
    same(grad(lambda w: np.sum(vmap(f, (None, 0))(w, X)))(w), each.sum(axis=0))
    values, slopes = vmap(value_and_grad(f), (None, 0))(w, X)
    same(values, np.array([f(w, x) for x in X]))
    same(slopes, each)

    def curved(x):  # forward over reverse
        return jvp(grad(lambda x: f(w, x)), (x,), (w,))[1]

    curvatures = np.stack([curved(x) for x in X])
    same(vmap(curved)(X), curvatures)
    got = jvp(vmap(grad(lambda x: f(w, x))), (X,), (np.stack([w] * 3),))[1]
    same(got, curvatures)


# What is refused.


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: x if x[0] > 0 else -x, r"bool\(t\).*3 examples.*np\.where.*funcgrad\.cond"),
        (lambda x: Y[np.argmax(x)], r"funcgrad\.numpy\.take\(table, t, axis=0\) for table\[t\]"),
        (lambda x: range(np.argmax(x)), r"index\(t\) asks for one value"),
        (lambda x: float(x[0]), r"float\(t\)|one plain array"),
        (lambda x: np.array(x), r"3 examples of shape \(4,\) and dtype float64"),
        (lambda x: x[x > 0], r"a size of its own.*np\.where\(mask, x, 0\.0\)"),
        (lambda x: np.nonzero(x), r"np\.nonzero under vmap.*np\.where"),
        (lambda x: fg.value(x), r"value\(t\) asks for one value"),
        (lambda x: x[np.argmax(x) :], r"x\[t \+ np\.arange\(n\)\] for x\[t : t \+ n\]"),
        (lambda x: np.max(x, where=x > 0), "needs initial="),
        (lambda x: np.sum(x, where=MASK), r"where= has shape \(3, 4\), and each example \(4,\)"),
        (lambda x: np.sum(X[0], where=(x > 0)[None]), r"where= has shape \(1, 4\).*to \(4,\)"),
    ],
)
def test_what_has_no_single_value(f, message):
    with pytest.raises((TypeError, ValueError, NotImplementedError), match=message):
        vmap(f)(X)


@pytest.mark.parametrize(
    "transform, args, message",
    [
        (
            vmap(scaled),
            (X, {"y": Y, "z": Y.T}),
            r"vmap\(scaled\): the sizes of the mapped axes differ: argument 0 has 3 along axis 0; "
            r"argument 1, leaf \['y'\] has 3 along axis 0; argument 1, leaf \['z'\] has 4 along",
        ),
        (vmap(scaled, axis_size=5), (X, Y), r"argument 1 has 3 along axis 0; axis_size is 5"),
        (vmap(scaled, (0,)), (X, Y), r"in_axes has 1 entries for 2 positional arguments"),
        (vmap(scaled, {"x": 0}), (X, Y), r"Write in_axes=\(axes,\)"),
        (vmap(scaled, None), (X, Y), r"nothing is mapped over.*axis_size"),
        (vmap(scaled, (0, 2)), (X, Y), r"argument 1: shape \(3, 4\).*no axis 2 to map over"),
        (vmap(scaled), (X, 2.0), r"argument 1: shape \(\).*None for what is the same"),
        (lambda x: vmap(scaled)(x, y=2.0), (X,), r"argument y: .* along axis 0: close over those"),
        (
            vmap(scaled, (0, {"y": 0})),
            (X, {"y": Y, "z": [Y]}),
            r"in_axes is \{'y': 0\} for argument 1, which is \{'y': \*, 'z': \[\*\]\}",
        ),
        (vmap(scaled, (0, True)), (X, Y), r"in_axes is True for argument 1, which is one leaf"),
        (vmap(scaled, chunk_size=0), (X, Y), r"chunk_size is 0.*from 1 on"),
        (vmap(scaled, out_axes=2), (X, Y), r"shape \(4,\) in each example.*cannot be axis 2"),
        (vmap(scaled, out_axes=None), (X, Y), r"differs between the examples.*None for it"),
        (vmap(lambda x: "a"), (X,), r"'a' of type str, which cannot be stacked.*out_axes=None"),
        (vmap(lambda x: x), (np.array(["a"]),), r"argument 0 is a ndarray of dtype <U1"),
        (vmap(lambda x: x), (np.ma.array(X),), r"is a MaskedArray.*np\.asarray"),
    ],
)
def test_errors_name_the_argument_and_what_to_write(transform, args, message):
    with pytest.raises((TypeError, ValueError), match=message):
        transform(*args)


def test_printing_shows_all_examples():
    shown = []
    vmap(lambda x: shown.extend([str(x), repr(x), f"{x:.2f}"]))(np.array([1.5, 2.5]))
    assert shown == ["[1.5 2.5]", "Tracer(array([1.5, 2.5]), vmap of <lambda>)", "[1.50 2.50]"]


def test_what_has_no_batch_rule_loops_and_says_so():
    find = verbs.constant(bisect.bisect, operands=2, batch=looped)

    with pytest.warns(fg.LoopWarning, match=r"bisect_right one example.*batch=.*simplefilter"):
        got = vmap(find)(X, Y[:, 0])
    same(got, np.array([bisect.bisect(x, v) for x, v in zip(X, Y[:, 0])]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fg.LoopWarning)
        same(vmap(find)(X, Y[:, 0]), got)


def test_random_draws_need_no_warning():
    keys = random.split(random.key(0), 3)
    same(vmap(random.normal)(keys), np.array([random.normal(key) for key in keys]))


PLACES = np.array([3, 7, 11])


@pytest.mark.parametrize(
    "f, xs",
    [
        (lambda i: np.unravel_index(i, (3, 4)), PLACES),
        (lambda i: np.unravel_index(i, (3, 4), order="F"), PLACES),
        (lambda i: np.ravel_multi_index((i, i), (4, 5), mode="clip"), PLACES),
        (lambda i: np.ravel_multi_index((i, i), (4, 5), mode=("wrap", "clip"), order="F"), PLACES),
        (lambda x: np.array_equal(x, [1.0, np.nan], equal_nan=True), np.array([[1.0, np.nan]] * 2)),
        (lambda x: np.array_equal(x, np.zeros(3)), np.zeros((2, 2))),
        (lambda x: np.array_equiv(x, 1.0), np.array([[1.0, 1.0], [2.0, 1.0]])),
        (lambda x: np.array_equiv(x, np.zeros(3)), np.zeros((2, 2))),
        (lambda i: np.ix_(i, [0, 1]), np.array([[0, 1], [2, 3]])),
    ],
)
def test_questions_of_places_and_equality(f, xs):
    loop = fg.tree.map(lambda *rows: np.stack(rows), *[f(x) for x in xs])
    fg.tree.map(np.testing.assert_array_equal, vmap(f)(xs), loop)
