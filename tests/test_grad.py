"""The interface of reverse mode: what goes in, what comes out, and how transforms nest."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, jacrev, jvp, stop_gradient, value_and_grad, vjp

VECTOR = np.array([1.25, 2.75, 0.625])


# Arguments.


def f3(x, y, z=1.0):
    return x * y**2 * z**3


def test_argnums():
    assert grad(f3)(2.0, 3.0) == 9
    assert grad(f3, 1)(2.0, 3.0) == 12
    assert grad(f3, -1)(2.0, 3.0) == 12
    assert grad(f3, (1, 0))(2.0, 3.0) == (12, 9)
    assert grad(f3, [0])(2.0, 3.0) == (9,)
    assert grad(f3, (0, -1))(2.0, 3.0, 1.0) == (9, 54)
    assert grad(f3, np.int64(1))(2.0, 3.0) == 12
    assert jacrev(f3, (0, 1))(2.0, 3.0) == (9, 12)


def test_keyword_arguments_pass_through():
    assert grad(f3)(2.0, 3.0, z=2.0) == 72
    assert value_and_grad(f3)(2.0, y=3.0) == (18, 9)
    assert grad(lambda x, *, scale: x * scale)(1.0, scale=np.float64(4.0)) == 4


def test_arguments_that_are_not_differentiated_stay_as_they_are():
    def f(x, label, config, n):
        assert label == "a" and config is options and type(n) is int
        return x * n

    options = {"object": object()}
    assert grad(f)(2.0, "a", options, 3) == 3


def test_has_aux():
    def f(x):
        return np.sum(x * x), {"double": 2 * x, "none": None, "text": "a", "plain": VECTOR}

    gradient, aux = grad(f, has_aux=True)(VECTOR)
    (value, aux_too), gradient_too = value_and_grad(f, has_aux=True)(VECTOR)
    out, pullback, aux_three = vjp(f, VECTOR, has_aux=True)
    jacobian, aux_four = jacrev(f, has_aux=True)(VECTOR)
    assert value == out == np.sum(VECTOR * VECTOR)
    for g in (gradient, gradient_too, pullback(1.0)[0], jacobian):
        np.testing.assert_array_equal(g, 2 * VECTOR)
    for extra in (aux, aux_too, aux_three, aux_four):
        assert type(extra["double"]) is np.ndarray
        np.testing.assert_array_equal(extra["double"], 2 * VECTOR)
        assert extra["none"] is None and extra["text"] == "a" and extra["plain"] is VECTOR


def test_has_aux_nested():
    def inner(y):
        return y**3, y

    def outer(x):
        slope, y = grad(inner, has_aux=True)(x)
        return slope * y  # 3x²·x

    assert grad(outer)(2.0) == 36


def test_allow_int():
    tree = {"x": 2.0, "n": 3, "flags": np.ones(2, bool), "indices": np.arange(3, dtype=np.int32)}
    g = grad(lambda p: p["x"] * p["n"] * p["indices"][2], allow_int=True)(tree)
    assert g["x"] == 6
    assert g["n"] == 0 and g["n"].dtype == np.float64
    for name in ("flags", "indices"):
        np.testing.assert_array_equal(g[name], np.zeros(tree[name].shape))
        assert g[name].dtype == np.float64


# Pytrees.


class Layer(NamedTuple):
    w: Any
    b: Any


@dataclass
class Model:
    layers: list
    scale: Any


TREES = {
    "float": 2.0,
    "list": [1.0, 2.0],
    "tuple": (1.0, (2.0, VECTOR)),
    "dict": {"b": 1.0, "a": {"c": VECTOR}},
    "OrderedDict": OrderedDict(b=1.0, a=2.0),
    "namedtuple": Layer(VECTOR, 1.0),
    "dataclass": Model([Layer(VECTOR, 1.0), None], np.float32(2.0)),
    "None": {"a": None, "b": [None, 1.0]},
    "empty": {"a": [], "b": {}, "c": 1.0},
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES.keys())
def test_a_gradient_is_a_pytree_like_its_argument(tree):
    def f(tree):
        return sum(np.sum(leaf * leaf) for leaf in fg.tree.leaves(tree))

    value, g = value_and_grad(f)(tree)
    assert value == f(tree)
    assert fg.tree.structure(g) == fg.tree.structure(tree)
    for leaf, slope in zip(fg.tree.leaves(tree), fg.tree.leaves(g), strict=True):
        np.testing.assert_array_equal(slope, 2 * leaf)
    (pulled,) = vjp(f, tree)[1](1.0)
    assert fg.tree.structure(pulled) == fg.tree.structure(tree)


def test_a_gradient_of_no_leaves():
    assert grad(lambda p: 1.0)(None) is None
    assert grad(lambda p, x: x, (0, 1))({}, 2.0) == ({}, 1)


# Kinds and dtypes.

KINDS = {
    "float": 3.0,
    "float64": np.float64(3),
    "float32": np.float32(3),
    "float16": np.float16(3),
    "longdouble": np.longdouble(3),
    "0-d": np.array(3.0),
    "0-d float32": np.array(3, np.float32),
    "vector": np.array([3.0]),
    "float32 vector": np.array([3], np.float32),
    "big-endian": np.array([3.0], ">f8"),
    "empty": np.zeros((0, 2)),
}
FUNCTIONS = {
    "x²": lambda x: np.sum(x * x),
    "2x": lambda x: np.sum(x + x),
    "x": np.sum,
    "constant": lambda x: 1.0,
    "indexed": lambda x: np.sum(np.reshape(x, -1)[:1] * 2.0),
    "nested": lambda x: np.sum(grad(lambda y: np.sum(y**3))(x)),
    "float64 constant": lambda x: np.sum(x * np.float64(2)),
}


@pytest.mark.parametrize("x", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_a_gradient_has_its_arguments_kind_and_dtype(f, x):
    dtype = np.dtype(float) if type(x) is float else x.dtype
    for g in (grad(f)(x), vjp(f, x)[1](1.0)[0]):
        assert type(g) is (np.ndarray if isinstance(x, np.ndarray) else dtype.type)
        assert g.dtype == dtype and g.shape == np.shape(x)
    value, _ = value_and_grad(f)(x)
    assert type(value) is type(f(x)) and value == f(x)


FLOAT32 = {
    "x * 2.0": lambda x: x * 2.0,
    "3 - x": lambda x: 3 - x,
    "x / 3": lambda x: x / 3,
    "1 / x": lambda x: 1 / x,
    "x ** 2": lambda x: x**2,
    "x ** 0.5": lambda x: x**0.5,
    "2 ** x": lambda x: 2**x,
    "np.power(2.0, x)": lambda x: np.power(2.0, x),
    "x % 2": lambda x: x % 2,
    "maximum": lambda x: np.maximum(x, 0.0),
    "clip": lambda x: np.clip(x, 0.0, 2.0),
    "where": lambda x: np.where(x > 1, x, 0.0),
    "logaddexp": lambda x: np.logaddexp(x, 0.0),
    "arctan2": lambda x: np.arctan2(x, 1.0),
    "hypot": lambda x: np.hypot(1, x),
    "log2": np.log2,
    "log10": np.log10,
    "exp2": np.exp2,
    "deg2rad": np.deg2rad,
    "sinc": np.sinc,
    "mean": np.mean,
    "var": lambda x: np.var(x, ddof=1),
    "std": np.std,
    "prod": np.prod,
    "cumprod": np.cumprod,
    "x @ x": lambda x: x @ x,
    "einsum": lambda x: np.einsum("i,i", x, x),
    "pad": lambda x: np.pad(x, 1),
    "index": lambda x: x[0],
    "trace": lambda x: np.trace(np.outer(x, x)),
}


@pytest.mark.parametrize("f", FLOAT32.values(), ids=FLOAT32.keys())
def test_float32_stays_float32(f):
    x = VECTOR.astype(np.float32)

    def total(x):
        y = f(x)
        assert y.dtype == np.float32
        return np.sum(y * y)

    value, g = value_and_grad(total)(x)
    assert value.dtype == g.dtype == np.float32
    exact = grad(lambda x: np.sum(f(x) ** 2))(x.astype(float))
    np.testing.assert_allclose(g, exact, rtol=1e-5, atol=1e-6)
    assert grad(lambda x: np.sum(grad(total)(x)))(x).dtype == np.float32
    assert jvp(total, (x,), (x,))[1].dtype == np.float32


def test_mixed_precision_follows_numpy_and_comes_back():
    x, y = VECTOR.astype(np.float32), VECTOR
    value, (gx, gy) = value_and_grad(lambda x, y: np.sum(x * y), (0, 1))(x, y)
    assert value.dtype == gy.dtype == np.float64 and gx.dtype == np.float32
    np.testing.assert_array_equal(gx, y.astype(np.float32))
    np.testing.assert_array_equal(gy, x.astype(float))
    tangent = jvp(lambda x: x * y, (x,), (x,))[1]
    assert tangent.dtype == np.float64


@pytest.mark.parametrize("kind", [float, np.float64, np.array])
@pytest.mark.parametrize(
    "f, want",
    [
        (lambda x: np.real(np.exp(1j * x)), -np.sin(3.0)),
        (lambda x: np.exp(1j * x).imag, np.cos(3.0)),
        (lambda x: (np.conj(x + 1j) * (x + 1j)).real, 6.0),
    ],
)
def test_complex_numbers_on_the_way(f, want, kind):
    np.testing.assert_allclose(grad(f)(kind(3.0)), want, rtol=1e-15)
    np.testing.assert_allclose(jvp(f, (kind(3.0),), (1.0,))[1], want, rtol=1e-15)


# Ownership.

SHARING = {
    "x + y": lambda x, y: np.sum(x + y),
    "sum x + sum y": lambda x, y: np.sum(x) + np.sum(y),
    "x only": lambda x, y: np.sum(x),
    "neither": lambda x, y: 1.0,
    "x @ y": lambda x, y: x @ y,
    "dot": lambda x, y: np.dot(x, y),
    "inner": lambda x, y: np.inner(x, y),
    "einsum": lambda x, y: np.einsum("i,i", x, y),
    "with a constant": lambda x, y: x @ CONSTANT + y @ CONSTANT,
    "reshape": lambda x, y: np.sum((x + y).reshape(-1, 1).T),
    "concatenate": lambda x, y: np.sum(np.concatenate([x, y])),
    "stack": lambda x, y: np.sum(np.stack([x, y, y])),
    "broadcast": lambda x, y: np.sum(np.broadcast_to(x, (2, x.size)) + y),
    "index": lambda x, y: np.sum(x[:]) + np.sum(y[::2]),
    "twice": lambda x, y: np.sum(x) + np.sum(x) + np.sum(y + y + x),
    "swap": lambda x, y: np.sum(np.stack([x, y])[::-1]),
    "index, then used whole": lambda x, y: x[0] * 3.0 + np.sum((x + y) * CONSTANT),
    "whole, then an index": lambda x, y: np.sum((x + y) * CONSTANT) + x[0] * 3.0 + y[1],
}
CONSTANT = np.linspace(1.0, 2.0, 1000)


@pytest.mark.parametrize("f", SHARING.values(), ids=SHARING.keys())
def test_gradients_share_no_memory_and_are_writable(f):
    def args():
        x = CONSTANT + 1
        yield x, CONSTANT + 2
        yield x, x
        yield x, np.broadcast_to(1.0, x.shape)

    for x, y in args():
        before = x.copy(), y.copy(), CONSTANT.copy()
        gradients = [*grad(f, (0, 1))(x, y), *vjp(f, x, y)[1](1.0), *jacrev(f, (0, 1))(x, y)]
        for i, g in enumerate(gradients):
            others = [x, y, CONSTANT, *gradients[:i]]
            assert not any(np.shares_memory(g, other) for other in others)
            g += 1.0
        for now, then in zip((x, y, CONSTANT), before):
            np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("f", SHARING.values(), ids=SHARING.keys())
def test_gradients_by_two_arguments_are_those_by_each_alone(f):
    """What adds up in place for one of them is not added to the other's."""
    x, y = CONSTANT + 1, CONSTANT + 2
    for i, both in enumerate(grad(f, (0, 1))(x, y)):
        np.testing.assert_allclose(both, grad(f, i)(x, y), rtol=1e-15)


@pytest.mark.parametrize("f", [lambda x: x, lambda x: x + 0.0, lambda x: x.T, lambda x: x[::-1]])
def test_a_pullback_shares_nothing_with_its_cotangent(f):
    x, w = np.zeros(3), np.array([1.0, 2.0, 3.0])
    _, pullback = vjp(f, x)
    first, second = pullback(w)[0], pullback(w)[0]
    want = second.copy()
    assert not np.shares_memory(first, w) and not np.shares_memory(first, second)
    first *= 0
    np.testing.assert_array_equal(w, [1, 2, 3])
    np.testing.assert_array_equal(second, want)
    np.testing.assert_array_equal(pullback(w)[0], want)


# Order and nesting.


def test_derivatives_to_fourth_order():
    x, f = 0.7, np.sin
    for want in (np.cos(x), -np.sin(x), -np.cos(x), np.sin(x)):
        f = grad(f)
        np.testing.assert_allclose(f(x), want, rtol=1e-15)


@pytest.mark.parametrize("n", [4, 4.0, -1])
def test_powers_to_fourth_order(n):
    x, f, want = 1.7, lambda x: x**n, 1.0
    for k in range(4):
        f, want = grad(f), want * (n - k)
        np.testing.assert_allclose(f(x), want * x ** (n - k - 1.0), rtol=1e-14)


@pytest.mark.parametrize(
    "f, at, want",
    [
        (lambda x: x * grad(lambda y: x + y)(1.0), 1.0, 1),
        (lambda x: x * grad(lambda y: x * y)(2.0), 3.0, 6),
        (lambda x: x * grad(lambda y: x * y * y)(x), 2.0, 24),
        (lambda x: grad(lambda y: grad(lambda z: x * y * z)(y))(x), 2.0, 1),
        (lambda x: grad(lambda x: x**2)(x**2), 2.0, 8),
        (lambda x: x * grad(lambda y: np.multiply(x, np.multiply(y, y)))(x), 2.0, 24),
        (lambda x: x * grad(lambda y: np.prod(np.stack([x, y, y])))(x), 2.0, 24),
        (lambda x: x * grad(lambda y: np.dot(np.stack([y, y]), np.stack([x, x])))(x), 2.0, 8),
        (lambda x: x * jvp(lambda y: x + y, (1.0,), (1.0,))[1], 1.0, 1),
        (lambda x: x * jvp(lambda y: x * y * y, (x,), (1.0,))[1], 2.0, 24),
        (lambda x: jvp(lambda y: y, (x,), (x * x,))[1], 3.0, 6),
        (lambda x: x * vjp(lambda y: x * y * y, x)[1](x)[0], 2.0, 64),
        (lambda x: np.sum(x * jacrev(lambda y: x * y * y)(x)), 2.0, 24),
    ],
)
def test_nested_perturbations_are_not_confused(f, at, want):
    assert grad(f)(at) == want
    assert jvp(f, (at,), (1.0,))[1] == want
    np.testing.assert_array_equal(grad(lambda v: f(v[0]))(np.array([at, 5.0])), [want, 0])


def test_a_transform_inside_an_unrelated_one():
    assert grad(lambda x: x * grad(np.sin)(0.0))(5.0) == 1
    assert grad(lambda x: grad(lambda y: 3 * y)(x))(5.0) == 0


def test_vjp_pulls_back_many_times():
    out, pullback = vjp(lambda p: {"y": p["a"] * p["b"], "z": p["b"]}, {"a": 2.0, "b": VECTOR})
    np.testing.assert_array_equal(out["y"], 2 * VECTOR)
    for scale in (1.0, 3.0, 0.0):
        (g,) = pullback({"y": scale * np.ones(3), "z": np.ones(3)})
        assert g["a"] == scale * np.sum(VECTOR)
        np.testing.assert_array_equal(g["b"], 2 * scale + np.ones(3))


def test_vjp_of_repeated_and_untouched_results():
    _, pullback = vjp(lambda x, y: (x, x, 2.0, 5 * x), 1.0, 2.0)
    assert pullback((1.0, 10.0, 100.0, 1.0)) == (16, 0)


def test_jacrev_of_trees():
    got = jacrev(lambda p: {"y": p["a"] * p["b"], "z": [p["b"][:2]]})({"a": 2.0, "b": VECTOR})
    np.testing.assert_array_equal(got["y"]["a"], VECTOR)
    np.testing.assert_array_equal(got["y"]["b"], 2 * np.eye(3))
    np.testing.assert_array_equal(got["z"][0]["a"], [0, 0])
    np.testing.assert_array_equal(got["z"][0]["b"], np.eye(3)[:2])


def test_jacrev_shapes_and_nesting():
    x = np.ones((2, 3))
    assert jacrev(lambda x: x.T * 2)(x).shape == (3, 2, 2, 3)
    assert type(jacrev(lambda x: x * x)(3.0)) is np.float64
    assert jacrev(lambda x: x[:0])(np.ones(3, np.float32)).dtype == np.float32
    hessian = jacrev(jacrev(lambda x: np.sum(x**3)))(VECTOR)
    np.testing.assert_allclose(hessian, np.diag(6 * VECTOR), rtol=1e-15)
    mixed = jacrev(grad(lambda x, y: np.sum(x * y**2)), 1)(VECTOR, VECTOR)
    np.testing.assert_allclose(mixed, np.diag(2 * VECTOR), rtol=1e-15)


def test_stop_gradient():
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3
    assert grad(lambda x: stop_gradient(x) * 2.0)(3.0) == 0
    assert grad(lambda x: grad(lambda y: y * stop_gradient(y) * x)(x))(3.0) == 3
    assert jvp(lambda x: x * stop_gradient(x), (3.0,), (1.0,)) == (9, 3)
    got = grad(lambda p: p["a"] * stop_gradient(p)["b"])({"a": 2.0, "b": 5.0})
    assert got == {"a": 5, "b": 0}


# Looking at a value.


def test_value_and_is_traced():
    def f(x):
        plain = fg.value(x)
        assert fg.is_traced(x) and not fg.is_traced(plain)
        assert type(plain) is np.ndarray and not plain.flags.writeable
        inner = grad(lambda y: np.sum(y * fg.value(y)))(x)
        return np.sum(x * plain) + np.sum(inner)

    # value(y) is the plain array at every level.
    np.testing.assert_array_equal(grad(f)(VECTOR), VECTOR)
    assert fg.value(VECTOR) is VECTOR and fg.value(2.0) == 2.0


def test_formatting_and_printing(capsys):
    def f(x, v):
        print(x, v)
        assert f"{x:.3f} {x} {v}" == f"2.000 2.0 {VECTOR}"
        assert "2.0" in repr(x)
        return x

    grad(grad(f, 0), 0)(2.0, VECTOR)
    assert capsys.readouterr().out == f"2.0 {VECTOR}\n"
    grad(lambda v: f(2.0, v))(VECTOR)
    assert capsys.readouterr().out == f"2.0 {VECTOR}\n"


def test_an_element_of_an_array_in_the_other_byte_order():
    x = np.array([1.0, 2.0]).astype(np.dtype(float).newbyteorder("S"))
    np.testing.assert_array_equal(grad(lambda x: x[0] * x[1] ** 2)(x), [4.0, 4.0])
