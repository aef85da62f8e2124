"""What goes wrong is said by name: what was asked, what was got, what to write instead."""

import array
import cmath
import copy
import dataclasses
import linecache
import math
import os
import pickle
import re
import statistics
from types import ModuleType

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, jacrev, jvp, value_and_grad, vjp

VECTOR = np.array([1.0, 2.0, 3.0])


def parametrize(names, rows):
    return pytest.mark.parametrize(names, rows.values(), ids=rows.keys())


# Arguments.

ARGUMENTS = {
    "int": (3, r"argument 0 .*int.*float\(3\)"),
    "bool": (True, r"argument 0 .*bool.*float\(True\)"),
    "NumPy int": (np.int64(3), r"argument 0 has dtype int64.*x\.astype\(float\)"),
    "int array": (np.arange(2), r"dtype int64 and shape \(2,\).*x\.astype\(float\)"),
    "bool array": (np.ones(2, bool), r"dtype bool and shape \(2,\)"),
    "leaf": ({"w": [1.0, np.arange(2)]}, r"argument 0, leaf \['w'\]\[1\] has dtype int64"),
    "str": ("a", r"argument 0 is 'a' of type str"),
    "str leaf": ({"lr": 1.0, "name": "sgd"}, r"leaf \['name'\] is 'sgd' of type str"),
    "bytes": (b"a", r"of type bytes"),
    "function": (np.sin, r"of type ufunc"),
    "set": ({1.0}, r"of type set"),
    "str array": (np.array(["a"]), r"argument 0 .*<U1"),
    "object array": (np.array([None]), r"argument 0 .*object.*no gradient"),
    "dates": (np.array(["2020"], "M8[Y]"), r"datetime64"),
    "records": (np.zeros(2, [("a", float)]), r"argument 0 .*no gradient"),
    "matrix": (np.ones((2, 2)).view(np.matrix), r"is a matrix.*np\.asarray"),
    "masked array": (np.ma.array([1.0]), r"is a MaskedArray.*np\.asarray"),
}


@parametrize("argument, message", ARGUMENTS)
@pytest.mark.parametrize("transform", [grad, value_and_grad, jacrev])
def test_argument(transform, argument, message):
    with pytest.raises(TypeError, match=message) as caught:
        transform(lambda x: x)(argument)
    assert f"{'grad' if transform is value_and_grad else transform.__name__} of" in str(
        caught.value
    )


class Net:
    def __init__(self):
        self.w = VECTOR


def test_an_instance_is_told_how_to_become_a_pytree():
    with pytest.raises(TypeError, match=r"leaf \[0\] is .*Net.*dataclass or .*register_node"):
        grad(lambda nets: nets[0].w[0])([Net()])


@dataclasses.dataclass
class Model:
    w: float
    depth: int = 2
    name: str = "model"


@pytest.mark.parametrize(
    "model, message",
    [
        (Model(1.0, 2, None), r"leaf \.depth .* make depth a field"),
        (Model(1.0, 2.0), r"make name a"),
    ],
)
def test_a_field_of_a_dataclass_is_told_how_to_become_static(model, message):
    with pytest.raises(TypeError, match=message):
        grad(lambda model: model.w)(model)


def test_argument_is_named_by_its_position():
    with pytest.raises(TypeError, match=r"argument 2, leaf \['k'\]\[1\] .*float\(2\)"):
        grad(lambda a, b, c: a, (0, 2))(1.0, 2, {"k": [1.0, 2]})
    with pytest.raises(TypeError, match=r"argument 1 .*float\(2\)"):
        vjp(lambda a, b: a, 1.0, 2)
    with pytest.raises(TypeError, match=r"argument 1 .*float\(2\)"):
        grad(lambda a, b: a, -1)(1.0, 2)


@pytest.mark.parametrize(
    "argnums, message",
    [
        (2, r"argnums=2 names argument 2.*2 positional"),
        (-3, r"argnums=-3 names argument -3"),
        ((0, 2), r"argnums=\(0, 2\) names argument 2"),
        ((0, 0), r"argnums=\(0, 0\) .*(once|twice)"),
        ((0, -2), r"argnums=\(0, -2\) .*(once|twice)"),
    ],
)
@pytest.mark.parametrize("transform", [grad, value_and_grad, jacrev])
def test_argnums(transform, argnums, message):
    with pytest.raises(ValueError, match=message):
        transform(lambda a, b: a * b, argnums)(2.0, 3.0)


@pytest.mark.parametrize("argnums", [1.0, None, "0", (0, "x")])
def test_argnums_of_another_type(argnums):
    with pytest.raises(TypeError, match="argnums is an int or a tuple of ints"):
        grad(lambda a, b: a * b, argnums)(2.0, 3.0)


def test_what_is_no_function():
    with pytest.raises(TypeError, match="takes a function, and got"):
        grad(3.0)


def test_a_differentiated_argument_is_passed_by_position():
    with pytest.raises(ValueError, match="by position"):
        grad(lambda x: x * x)(x=2.0)


# Results.

RESULTS = {
    "vector": (lambda x: x, r"shape \(3,\) and dtype float64"),
    "one element": (lambda x: x[:1], r"shape \(1,\)"),
    "constant array": (lambda x: np.ones(2), r"shape \(2,\)"),
    "comparison": (lambda x: x[0] > 0, r"dtype bool"),
    "argmax": (np.argmax, r"dtype int64"),
    "cast": (lambda x: x[0].astype(int), r"dtype int64"),
    "int": (lambda x: 3, r"int"),
    "None": (lambda x: None, r"None"),
    "str": (lambda x: "a", r"'a' of type str"),
    "list": (lambda x: [np.sum(x)], r"list"),
    "dict": (lambda x: {"loss": np.sum(x)}, r"dict"),
    "pair": (lambda x: (np.sum(x), x), r"tuple"),
    "generator": (lambda x: (a for a in x), r"generator"),
}


@parametrize("f, message", RESULTS)
@pytest.mark.parametrize("transform", [grad, value_and_grad])
def test_result(transform, f, message):
    with pytest.raises(TypeError, match=message) as caught:
        transform(f)(VECTOR)
    assert "np.sum" in str(caught.value) and "jacrev" in str(caught.value)


@pytest.mark.parametrize("f", [np.sum, lambda x: [np.sum(x), 1], lambda x: (np.sum(x), 1, 2)])
def test_has_aux_wants_a_pair(f):
    for differentiated in (grad(f, has_aux=True), value_and_grad(f, has_aux=True)):
        with pytest.raises(TypeError, match=r"has_aux=True.*pair \(result, aux\)"):
            differentiated(VECTOR)
    with pytest.raises(TypeError, match=r"has_aux=True.*pair"):
        vjp(f, VECTOR, has_aux=True)


RESULTS_WITHOUT_NUMBERS = {
    "str": ("a", r"the result\[1\] is 'a' of type str"),
    "set": ({1.0}, r"the result\[1\] .*set"),
    "function": (np.sin, r"the result\[1\] .*ufunc"),
    "str array": (np.array(["a"]), r"the result\[1\] "),
    "object array": (np.array([None]), r"the result\[1\] "),
}


@parametrize("result, message", RESULTS_WITHOUT_NUMBERS)
def test_a_result_that_is_no_number(result, message):
    for transform in (lambda f: vjp(f, 1.0), lambda f: jacrev(f)(1.0)):
        with pytest.raises(TypeError, match=message):
            transform(lambda x: (x, result))


def test_a_complex_result_has_no_gradient():
    for transform in (grad, jacrev):
        with pytest.raises(TypeError, match="complex128"):
            transform(lambda x: 1j * x)(3.0)


# Cotangents and tangents.

COTANGENTS = {
    "leaf": (1.0, r"result has a dict"),
    "list": ([VECTOR, 1.0], r"result has a dict of 2, the cotangent has a list"),
    "too few": ({"a": VECTOR}, r"cotangent has no \['b'\]"),
    "too many": ({"a": VECTOR, "b": 1.0, "c": 1.0}, r"result has no \['c'\]"),
    "None": ({"a": None, "b": 1.0}, r"\['a'\].*None"),
    "list for an array": ({"a": [1.0, 2.0, 3.0], "b": 1.0}, r"\['a'\].*list of 3"),
    "shape": (
        {"a": VECTOR[:2], "b": 1.0},
        r"cotangent\['a'\] is shape \(2,\).*must be of shape \(3,\)",
    ),
    "vector": (
        {"a": VECTOR, "b": VECTOR},
        r"cotangent\['b'\] is shape \(3,\).*must be of shape \(\)",
    ),
    "complex": ({"a": 1j * VECTOR, "b": 1.0}, r"\['a'\] is .*complex128, and must be .*float64"),
    "str": ({"a": np.array(["a", "b", "c"]), "b": 1.0}, r"cotangent\['a'\] is .*float64"),
    "object": ({"a": np.array([None] * 3), "b": 1.0}, r"cotangent\['a'\] is .*float64"),
}


@parametrize("cotangent, message", COTANGENTS)
def test_cotangent(cotangent, message):
    _, pullback = vjp(lambda x: {"a": 2 * x, "b": np.sum(x)}, VECTOR)
    with pytest.raises(ValueError, match=message):
        pullback(cotangent)


def test_tangent():
    with pytest.raises((TypeError, ValueError), match=r"tangent.*is shape \(\).*of shape \(3,\)"):
        jvp(np.sin, (VECTOR,), (1.0,))
    with pytest.raises(fg.TreeError, match=r"^jvp of <lambda>: .*tangents has no \[0\]\['a'\]"):
        jvp(lambda p: p["a"], ({"a": 1.0},), ({"b": 1.0},))


def test_an_element_of_an_array_is_not_deleted():
    def f(x):
        del x[0]

    with pytest.raises(ValueError, match=r"cannot delete array elements.*np\.delete"):
        grad(f)(VECTOR)


@pytest.mark.parametrize("x, v", [(3, 1), (np.arange(3), np.ones(3)), ("a", "a")])
def test_jvp_takes_floats(x, v):
    with pytest.raises(TypeError, match="jvp of"):
        jvp(lambda x: x, (x,), (v,))


@pytest.mark.parametrize("v", [1j, "f", None])
def test_jvp_takes_tangents_like_its_primals(v):
    with pytest.raises((TypeError, ValueError), match="tangent"):
        jvp(np.sin, (1.0,), (v,))


def test_jvp_takes_tuples():
    with pytest.raises(TypeError, match=r"tuple.*jvp\(f, \(x,\), \(t,\)\)"):
        jvp(np.sin, 1.0, 1.0)


# What would lose a derivative.


def assign(z, at, t):
    z[at] = t
    return np.sum(z)


def add_in_place(z, t):
    z += t
    return np.sum(z)


LOST = {
    "np.array": (lambda t: np.array([t, t]), r"np\.array.*np\.stack"),
    "np.array of objects": (lambda t: np.array([t, t], dtype=object), r"np\.stack"),
    "np.asarray": (lambda t: np.asarray(t), r"np\.asarray"),
    "np.float64": (lambda t: np.float64(t), r"plain number"),
    "function of a list": (lambda t: np.sum(np.sin([t, t])), r"np\.stack"),
    "reduction of a list": (lambda t: np.mean([t, t]), r"np\.stack"),
    "array + list": (lambda t: np.sum(np.ones(3) + [t, t, t]), r"np\.stack"),
    "traced + list": (lambda t: np.sum(t + [t, 1.0]), r"np\.stack"),
    "np.full": (lambda t: np.sum(np.full(3, t)), r"np\.broadcast_to\(t, shape\)"),
    "np.arange": (lambda t: np.sum(np.arange(t)), r"value\(t\)"),
    "np.vectorize": (lambda t: np.vectorize(lambda a: a * a)(t), r"value\(t\)"),
    "method of a plain array": (lambda t: np.ones(3).dot(t), r"value\(t\)"),
    "float": (lambda t: float(t) * t, r"float\(t\).*value\(t\)"),
    "complex": (lambda t: complex(t) * t, r"complex\(t\).*value\(t\)"),
    "math.sin": (lambda t: math.sin(t), r"np\.sin\(t\) for math\.sin\(t\)"),
    "math.fsum": (lambda t: math.fsum([t, t]), r"value\(t\)"),
    "array.array": (lambda t: array.array("d", [t])[0], r"value\(t\)"),
    "item": (lambda t: t.item() * t, r"t\.item\(\)"),
    "tolist": (lambda t: t.tolist(), r"t\.tolist\(\).*list\(t\)"),
    "z[0] = t": (lambda t: assign(np.zeros(3), 0, t), r"z\[at\] = t.*np\.stack"),
    "z[0, 0] = t": (lambda t: assign(np.zeros((2, 2)), (0, 0), t), r"np\.stack"),
    "z[:2] = t": (lambda t: assign(np.zeros(3), slice(2), t), r"np\.stack"),
    "z[...] = t": (lambda t: assign(np.zeros(3), ..., t), r"np\.stack"),
    "z[[0, 1]] = t": (lambda t: assign(np.zeros(3), [0, 1], t), r"np\.stack"),
    "z[mask] = t": (lambda t: assign(np.zeros(2), np.array([True, False]), t), r"np\.stack"),
    "z[:] = [t, t]": (lambda t: assign(np.zeros(2), slice(None), [t, t]), r"np\.stack"),
    "z.fill": (lambda t: np.zeros(3).fill(t), r"value\(t\)"),
    "z += t": (lambda t: add_in_place(np.zeros(3), t), r"z = z \+ t"),
    "out=": (lambda t: np.add(t, 1.0, out=np.zeros(())), r"np\.add with out=.*do without out="),
    "out by position": (lambda t: np.sin(t, np.zeros(())), r"np\.sin with out="),
    "out of a sum": (lambda t: np.sum(t, out=np.zeros(())), r"np\.sum with out=.*like=t"),
    "out of a join": (lambda t: np.stack([t, t], out=np.zeros(2)), r"np\.stack with out="),
}


@parametrize("f, message", LOST)
@pytest.mark.parametrize("transform", ["grad", "jvp"])
def test_a_lost_derivative(transform, f, message):
    with pytest.raises(fg.DerivativeLostError, match=message):
        grad(f)(2.0) if transform == "grad" else jvp(f, (2.0,), (1.0,))


def test_a_lost_derivative_names_the_function():
    def loss(x):
        return float(x)

    with pytest.raises(fg.DerivativeLostError, match=r"shape \(\) and dtype float64.*grad of loss"):
        grad(loss)(np.float64(1.0))


WRITES = {
    "np.copyto": lambda z, t: np.copyto(z, t),
    "np.put": lambda z, t: np.put(z, 0, t),
    "np.place": lambda z, t: np.place(z, z == 0, t),
    "np.putmask": lambda z, t: np.putmask(z, z == 0, t),
    "np.add.at": lambda z, t: np.add.at(z, 0, t),
    "np.full_like": lambda z, t: np.full_like(z, t),
    "np.fill_diagonal": lambda z, t: np.fill_diagonal(np.eye(2), t),
    "z.put": lambda z, t: z.put(0, t),
    "z.flat": lambda z, t: assign(z.flat, 0, t),
}


@parametrize("write", WRITES)
def test_a_write_into_a_plain_array_is_refused(write):
    z = np.zeros(3)

    def f(x):
        write(z, x)
        return x

    with pytest.raises((fg.DerivativeLostError, fg.UnsupportedError)):
        grad(f)(2.0)
    np.testing.assert_array_equal(z, 0.0)


IN_PLACE = {
    "a number": (lambda t: t[0].__setitem__(..., 1.0), r"z\[i\] = v.*a number.*np\.copy\(z\)"),
    "a number's += ": (
        lambda t: t[0].__setitem__(..., t[0][...].__iadd__(1.0)),
        r"z\[i\] = v.*a number.*np\.copy\(z\)",
    ),
    "a number's fill": (lambda t: np.sum(t).fill(1.0), r"t\.fill.*np\.copy\(z\)"),
    "a view that numpy does not write": (
        lambda t: np.broadcast_to(t, (2, 3)).fill(1.0),
        r"t\.fill.*read-only.*np\.copy",
    ),
    "a number's resize": (lambda t: t[0].resize(2), r"t\.resize.*np\.copy\(z\)"),
}


@parametrize("f, message", IN_PLACE)
def test_what_cannot_be_changed_in_place(f, message):
    with pytest.raises(TypeError, match=message):
        grad(f)(VECTOR)


UNSUPPORTED = {
    "np.packbits": lambda t: np.packbits(t),
    "np.isnat": lambda t: np.isnat(t),
    "np.save": lambda t: np.save("unused", t),
    "np.gcd": lambda t: np.gcd(t, 2),
    "mode 'spiral'": lambda t: np.pad(t, 1, mode="spiral"),
    "'where'": lambda t: np.add(t, 1.0, where=[True, False, True]),
    "dtype=int64": lambda t: np.sum(t, dtype=np.int64),
    "'order'": lambda t: np.sort(t, order="a"),
    "'weights'": lambda t: np.quantile([1.0, 2, 3], 0.5, weights=t, method="inverted_cdf"),
}


@parametrize("f", UNSUPPORTED)
def test_what_has_no_rule_is_named(f, request):
    name = request.node.callspec.id
    with pytest.raises(NotImplementedError) as caught:
        grad(f)(VECTOR)
    assert isinstance(caught.value, fg.UnsupportedError)
    assert name in str(caught.value)


# Copies, hashes, pickles and conversions.


@pytest.mark.parametrize(
    "f",
    [
        hash,
        lambda t: {t: 1.0},
        lambda t: {t},
        lambda t: (t, {t: 1.0}),
        lambda t: pow(t, 2, 3),
        lambda t: range(t),
        lambda t: [1.0, 2.0][t],
        lambda t: len(t),
        lambda t: list(t),
    ],
)
def test_python_refuses(f):
    with pytest.raises(TypeError):
        grad(f)(2.0)


def test_a_traced_value_is_not_pickled():
    with pytest.raises(TypeError, match=r"pickled.*Pickle value\(t\)"):
        grad(lambda x: pickle.dumps({"x": x}))(2.0)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda t: copy.deepcopy([t])[0]])
def test_a_copy_is_the_same_traced_value(copied):
    assert grad(lambda x: copied(x) * x)(3.0) == 6


class Length(float):
    pass


def test_a_subclass_of_float():
    with pytest.raises(TypeError, match="Length"):
        grad(lambda x: x * x)(Length(3.0))


@pytest.mark.parametrize(
    "g, dtype", [(np.array(["a"] * 3), "<U1"), (np.array([None] * 3), "object")]
)
def test_a_cotangent_of_no_numbers(g, dtype):
    with pytest.raises(ValueError, match=f"dtype {dtype}"):
        vjp(lambda x: 2 * x, np.ones(3))[1](g)


def remedied(x):
    table = np.eye(2)
    kind = x[0] > 0
    if kind:
        return table.dot(x)
    table += x
    return table


@pytest.mark.parametrize(
    "x, words",
    [
        ([1.0, 2.0], r"return table\.dot\(x\).*np\.dot\(x, t\) for x\.dot\(t\)"),
        ([-1.0, 2.0], r"table \+= x.*np\.array\(z, like=t\)"),
    ],
)
def test_an_error_names_the_line_and_the_remedy(x, words):
    with pytest.raises(fg.DerivativeLostError, match=rf"test_errors\.py:\d+, {words}"):
        grad(remedied)(np.array(x))


#: What loses a derivative, and what the error says to write.
REMEDIES = {
    "math.hypot(t[0], t[1])": "np.hypot(t) for math.hypot(t)",
    "cmath.exp(1j * t[0])": "np.exp(t) for cmath.exp(t)",
    "math.fsum(t)": "np.sum(np.stack([...])) for math.fsum([...])",
    "statistics.fmean(t)": "np.mean(np.stack([...])) for statistics.mean([...])",
    "complex(t[0], t[1])": "t + 1j * u for complex(t, u)",
    "float(t[0])": "t itself for float(t)",
    "'%.2f' % t[0]": "f'{t:.2f}' for '%.2f' % t",
    "np.float32(t[0])": "t.astype(np.float32) for np.float32(t)",
    "np.testing.assert_allclose(t, 1.0)": "assert_allclose(funcgrad.value(t), ...)",
    "np.ma.array(t, mask=t > 2)": "np.where(mask, t, 0.0), or where=mask",
    "np.vectorize(math.sin)(t)": "funcgrad.numpy.vectorize(f), funcgrad.vmap(f)",
    "sine(t)": "funcgrad.numpy.vectorize(f), funcgrad.vmap(f)",
    "np.kaiser(5, t[0])": "np.i0(t * np.sqrt(1 - x**2)) / np.i0(t) for np.kaiser(n, t)",
    "np.fromiter((u * u for u in t), float)": "np.stack(list(...)) for np.fromiter(...)",
    "np.c_[t, t]": "np.concatenate, np.column_stack or funcgrad.numpy.c_ for np.c_",
    "np.mgrid[0 : t[2]]": "np.meshgrid of np.linspace or funcgrad.numpy.arange",
    "[u for i, u in np.ndenumerate(t)]": "t[i] for i in np.ndindex(t.shape)",
    "np.lib.stride_tricks.as_strided(t, (2,))": "np.lib.stride_tricks.sliding_window_view",
    "np.require(t)": "t for np.require(t)",
    "np.asarray(t, float)": "np.stack([t, u]) for np.asarray([t, u]), t for np.asarray(t), or "
    "funcgrad.numpy.asarray for either",
    "np.full(3, t[0])": "np.broadcast_to(t, shape), or funcgrad.numpy.full",
    "full(3, t[0])": "np.broadcast_to(t, shape), or funcgrad.numpy.full",
    "np.arange(t[2])": "funcgrad.numpy.arange",
    "np.pad(VECTOR, 1, constant_values=t[0])": "np.pad(x + 0 * t, ...) for np.pad(x, ...)",
    "np.polyint(VECTOR, k=t[0])": "np.polyint(x + 0 * t, ...) for np.polyint(x, ...)",
    "np.random.default_rng(0).normal(t)": "a + b * rng.normal(size=n)",
    "VECTOR.dot(t)": "np.dot(x, t) for x.dot(t), which does not ask t",
    "np.dot([t[0], 1.0], VECTOR[:2])": "np.dot(np.stack([t, u])) for np.dot([t, u])",
    "np.linalg.norm([t[0], t[1]])": "np.linalg.norm(np.stack([t, u]))",
    "np.polynomial.Polynomial(t)(2.0)": "np.polyval(c[::-1], x) for Polynomial(c)(x)",
    "np.polynomial.legendre.legval(0.3, t)": "legvander(x, len(c) - 1) @ c for legval(x, c)",
}


@pytest.mark.parametrize("code, remedy", REMEDIES.items(), ids=REMEDIES)
def test_what_the_error_says_to_write(monkeypatch, code, remedy):
    monkeypatch.setitem(linecache.cache, "model.py", (len(code), None, [code], "model.py"))
    names = {module.__name__: module for module in (math, cmath, statistics)}
    names |= {"np": np, "VECTOR": VECTOR, "full": np.full, "sine": np.vectorize(math.sin)}
    f = eval(compile(f"lambda t: {code}", "model.py", "eval"), names)
    with pytest.raises(fg.DerivativeLostError, match=re.escape(f"at model.py:1, {code},")) as error:
        grad(f)(VECTOR)
    assert f"Write {remedy}" in str(error.value)


LIBRARY = """
import numpy as np
def logpdf(x):
    return np.asarray(x, float)
logsumexp = solve_ivp = logpdf
"""


@pytest.mark.parametrize(
    "call, remedy",
    [
        (lambda library, t: library.logsumexp(t), "Write funcgrad.nn.logsumexp, or"),
        (lambda library, t: library.solve_ivp(t), "Write funcgrad.odeint for solve_ivp"),
        (lambda library, t: library.logpdf([t, t]), "Write it in NumPy functions, or give what"),
    ],
    ids=["logsumexp", "solve_ivp", "logpdf"],
)
def test_another_library_wants_plain_arrays(call, remedy):
    library, file = ModuleType("library"), os.path.join("site-packages", "library.py")
    exec(compile(LIBRARY, os.path.join(os.sep, file), "exec"), vars(library))
    with pytest.raises(fg.DerivativeLostError, match=r"test_errors\.py") as error:
        grad(lambda t: call(library, t))(VECTOR)
    assert remedy in str(error.value)
