"""Rules of one's own: what bodies see, what they may return, and every route through them."""

import functools
import math
import threading

import numpy as np
import pytest
from loading import load

import funcgrad as fg
from funcgrad import custom_jvp, custom_vjp, verbs
from funcgrad.core import FUNCTIONS
from funcgrad.verbs import PRIMITIVES

custom_rule = load("custom_rule")

X = np.array([0.5, 1.5, 2.5])
STACK = np.stack([X, X + 1.0])


def with_vjp(fwd, bwd, f=None, **options):
    """A custom_vjp function in one expression."""
    made = custom_vjp(f or (lambda *args: fwd(*args)[0]), **options)
    made.defvjp(fwd, bwd)
    return made


def scaled_sine(params, x):
    return {"y": np.sin(x) * params["a"], "s": params["a"] * 2.0}


def by_vjp(vectorized):
    def bwd(residuals, g):
        params, x = residuals
        da = np.sum(g["y"] * np.sin(x)) + 2.0 * g["s"]
        return {"a": da}, g["y"] * params["a"] * np.cos(x)

    def fwd(params, x):
        return f(params, x), (params, x)

    f = with_vjp(fwd, bwd, scaled_sine, vectorized=vectorized)
    return f


def by_jvp(vectorized):
    f = custom_jvp(scaled_sine, vectorized=vectorized)

    @f.defjvp
    def rule(primals, tangents):
        (params, x), (dparams, dx) = primals, tangents
        dy = np.cos(x) * dx * params["a"] + np.sin(x) * dparams["a"]
        return f(params, x), {"y": dy, "s": 2.0 * dparams["a"]}

    return f


def loss(f):
    def of(params, x):
        out = f(params, x)
        return np.sum(out["y"] ** 2) * out["s"]

    return of


P = {"a": np.array(1.5)}
PS = {"a": np.array([1.0, 2.0])}
ROUTES = {
    "value_and_grad": lambda f: fg.value_and_grad(f, (0, 1))(P, X),
    "jvp": lambda f: fg.jvp(f, (P, X), (P, X)),
    "linearize": lambda f: fg.linearize(f, P, X)[1](P, X),
    "graph": lambda f: fg.make_graph(fg.grad(f, (0, 1)))(P, X)(P, X + 1.0),
    "grad of graph": lambda f: fg.grad(fg.make_graph(f)(P, X), (0, 1))(P, X),
    "hessian": lambda f: fg.hessian(f, 1)(P, X),
    "reverse over reverse": lambda f: fg.jacrev(fg.jacrev(f, 1), 1)(P, X),
    "reverse over forward": lambda f: fg.jacrev(fg.jacfwd(f, 1), 1)(P, X),
    "forward over forward": lambda f: fg.jacfwd(fg.jacfwd(f, 1), 1)(P, X),
    "hvp": lambda f: fg.hvp(f, (P, X), (P, X)),
    "vmap of grad": lambda f: fg.vmap(fg.grad(f, (0, 1)), (None, 0))(P, STACK),
    "grad of vmap": lambda f: fg.grad(lambda p: np.sum(fg.vmap(f, (None, 0))(p, STACK)))(P),
    "vmap of vmap": lambda f: fg.vmap(fg.vmap(fg.grad(f), (None, 0)))(PS, np.stack([STACK] * 2)),
    "vmap of hessian": lambda f: fg.vmap(fg.hessian(f, 1))(PS, STACK),
    "jvp of vmap": lambda f: fg.jvp(fg.vmap(f), (PS, STACK), (PS, STACK)),
}


@pytest.mark.parametrize("vectorized", [False, True])
@pytest.mark.parametrize("make", [by_vjp, by_jvp])
@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES.keys())
def test_every_route_gives_what_the_plain_function_gives(route, make, vectorized):
    got, expected = route(loss(make(vectorized))), route(loss(scaled_sine))
    assert fg.tree.structure(got) == fg.tree.structure(expected)
    for a, b in zip(fg.tree.leaves(got), fg.tree.leaves(expected)):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "route",
    [
        lambda f: fg.grad(lambda x: np.sum(f(x)))(X),
        lambda f: fg.value_and_grad(lambda x: np.sum(f(x)))(X),
        lambda f: fg.vjp(f, X)[1](X),
        lambda f: fg.jacrev(f)(X),
        lambda f: fg.vmap(fg.grad(lambda x: np.sum(f(x))))(STACK),
        lambda f: fg.grad(lambda xs: np.sum(fg.vmap(f)(xs)))(STACK),
    ],
)
def test_bodies_see_plain_arrays_at_first_order(route):
    seen = []

    def fwd(x):
        seen.append(type(x))
        return np.sin(x), x

    def bwd(x, g):
        seen.extend([type(x), type(g)])
        return (g * np.cos(x),)

    route(with_vjp(fwd, bwd))
    assert set(seen) == {np.ndarray}


def test_a_body_that_calls_c_is_named_when_it_is_differentiated_again():
    @custom_vjp
    def erf(x):
        return math.erf(x)

    def bwd(x, g):
        return (g * 2.0 / math.sqrt(math.pi) * math.exp(-x * x),)

    erf.defvjp(lambda x: (erf(x), x), bwd)
    assert fg.grad(erf)(0.0) == pytest.approx(2.0 / math.sqrt(math.pi))
    with pytest.raises(fg.DerivativeLostError, match="custom_vjp erf: its backward rule got"):
        fg.grad(fg.grad(erf))(0.3)


# Arguments.


def test_nondiff_arguments_come_first_and_may_be_functions():
    def power(f, n, x):
        return f(x) ** n

    def bwd(f, n, fx, g):
        return (g * n * fx ** (n - 1),)

    def fwd(f, n, x):
        return power(f, n, x), f(x)

    for places in [(0, 1), [0, -2]]:
        made = with_vjp(fwd, bwd, power, nondiff_argnums=places)
        assert fg.grad(functools.partial(made, lambda u: u + 1.0, 3))(1.0) == 12.0
    with pytest.raises(TypeError, match="argument 1 is traced, and nondiff_argnums says"):
        fg.grad(lambda x: made(np.sin, x, x))(1.0)
    with pytest.raises(TypeError, match="nondiff_argnums is an int or a tuple"):
        custom_vjp(power, nondiff_argnums="f")


def test_nondiff_arrays_changed_after_the_call():
    w = np.array([1.0, 2.0, 3.0])
    weighted = with_vjp(
        lambda x, p: (x * p["w"], None),
        lambda p, _, g: (g * p["w"],),
        lambda x, p: x * p["w"],
        nondiff_argnums=1,
    )
    _, pullback = fg.vjp(lambda x: weighted(x, {"w": w}), X)
    w *= 5.0
    assert pullback(np.ones(3))[0].tolist() == [1.0, 2.0, 3.0]


def test_keywords_defaults_and_none():
    def scale(x, by=3.0):
        return x * by

    f = with_vjp(lambda x, by: (x * by, by), lambda by, g: (g * by, None), scale)
    assert fg.grad(f)(1.0) == 3.0
    assert fg.grad(lambda x: f(by=x * 0.0 + 2.0, x=x))(1.0) == 2.0
    with pytest.raises(TypeError, match=r"custom_vjp scale: .*unexpected keyword argument"):
        fg.grad(lambda x: f(x, to=1.0))(1.0)


def test_a_method():
    class Model:
        k = 2.0

        @functools.partial(custom_vjp, nondiff_argnums=0)
        def energy(self, x):
            return self.k * x**2

        energy.defvjp(lambda self, x: (self.k * x**2, x), lambda self, x, g: (g * self.k * 2 * x,))

    assert fg.grad(Model().energy)(3.0) == 12.0


def test_integers_and_bools_pass_through():
    def fwd(x, n, flag):
        return {"y": x * n, "largest": np.argmax(x), "flag": flag, "nothing": None}, n

    f = with_vjp(fwd, lambda n, g: (g["y"] * n, None, None))
    assert fg.grad(lambda x: np.sum(f(x, 3, True)["y"]))(X).tolist() == [3.0, 3.0, 3.0]
    out, tangent = fg.jvp(lambda x: f(x, 3, True), (X,), (X,))
    assert out["largest"] == 2 and tangent["largest"] == 0
    assert tangent["y"].tolist() == (3.0 * X).tolist()


def test_a_cotangent_has_the_dtype_of_its_argument():
    f = with_vjp(lambda x: (np.sum(x), None), lambda _, g: (np.full(3, 2.0),))
    assert fg.grad(f)(X.astype(np.float32)).dtype == np.float32
    one = with_vjp(lambda x: (x, None), lambda _, g: (2,))
    assert type(fg.grad(one)(1.0)) is np.float64


# Memory.


def test_what_others_change_later_changes_nothing():
    work, cotangent = np.empty(3), np.empty(3)

    def fwd(x):
        return np.sin(x, out=work), x

    def bwd(x, g):
        return (np.multiply(g, np.cos(x), out=cotangent),)

    def total(f):
        return lambda x: np.sum(f(x) ** 2) + np.sum(f(x) ** 3)

    f = with_vjp(fwd, bwd)
    np.testing.assert_allclose(fg.grad(total(f))(X), fg.grad(total(np.sin))(X), rtol=1e-14)


def test_a_residual_is_as_it_was_when_it_was_kept():
    weights = np.ones(3)
    f = with_vjp(lambda x: (x * weights, weights), lambda w, g: (g * w,))

    def changes_weights(x):
        y = f(x)
        weights[:] = 100.0
        return np.sum(y)

    assert fg.grad(changes_weights)(X).tolist() == [1.0, 1.0, 1.0]


def test_bodies_cannot_write_to_what_other_rules_need():
    def bwd(_, g):
        g *= 5.0
        return (g,)

    f = with_vjp(lambda x: (x * 1.0, None), bwd)
    with pytest.raises(ValueError, match="read-only"):
        fg.grad(lambda x: np.sum(f(x * 1.0) + x))(X)


def test_the_same_array_as_two_cotangents():
    f = with_vjp(lambda x, y: (x * y, None), lambda _, g: (g, g))
    assert fg.grad(lambda x: np.sum(f(x, x) + x))(X).tolist() == [3.0, 3.0, 3.0]
    a, b = fg.vjp(f, X, X)[1](X)
    assert not np.shares_memory(a, b) and not np.shares_memory(a, X)


# What a rule returns is checked.


@pytest.mark.parametrize(
    "returned, message",
    [
        (lambda g: g, r"must return a tuple of 1 cotangents.*Write return \(g,\)"),
        (lambda g: (g, g), "must return a tuple of 1 cotangents"),
        (lambda g: ({"b": g},), r"has no \['a'\]"),
        (lambda g: ({"a": g},), r"argument 0\['a'\] is shape \(\) .* must be of shape \(3,\)"),
        (lambda g: ({"a": g * 1j * np.ones(3)},), r"\['a'\] is shape \(3,\) and dtype complex128"),
        (lambda g: ({"a": "x"},), r"\['a'\] is 'x' of type str"),
    ],
)
def test_a_wrong_cotangent_is_named(returned, message):
    f = with_vjp(lambda p: (np.sum(p["a"]), None), lambda _, g: returned(g))
    with pytest.raises((TypeError, ValueError), match=message):
        fg.grad(f)({"a": X})


def test_a_wrong_pair_tangent_or_result_is_named():
    f = custom_jvp(np.sum)
    with pytest.raises(TypeError, match=r"custom_jvp sum has no rule\. Call sum.defjvp"):
        fg.grad(f)(X)
    g = custom_jvp(lambda x: np.sum(x))
    g.defjvp(lambda primals, tangents: (np.sum(primals[0]), tangents[0]))
    with pytest.raises(TypeError, match=r"the tangent is shape \(3,\) .* must be of shape \(\)"):
        fg.jvp(g, (X,), (X,))
    h = with_vjp(lambda x: x, lambda _, g: (g,), lambda x: x)
    with pytest.raises(TypeError, match=r"must return a pair \(result, residuals\)"):
        fg.grad(lambda x: np.sum(h(x)))(X)
    with pytest.raises(TypeError, match=r"the result\['a'\] is 's' of type str"):
        fg.grad(with_vjp(lambda x: ({"a": "s"}, None), lambda _, g: (None,)))(X)


# Values from the surroundings.


@pytest.mark.parametrize(
    "transform", [fg.grad, fg.vmap, fg.make_graph, lambda f: fg.linearize(f, 2.0)]
)
@pytest.mark.parametrize("kind", ["vjp", "jvp"])
def test_a_traced_value_from_the_surroundings_raises(transform, kind):
    def f(w):
        if kind == "vjp":
            times = with_vjp(lambda x: (x * w, None), lambda _, g: (g * w,))
        else:
            times = custom_jvp(lambda x: x * w)
            times.defjvp(lambda primals, tangents: (primals[0] * w, tangents[0] * w))
        return times(w * 3.0)

    with pytest.raises(fg.UnsupportedError, match="took a traced value from its surroundings"):
        transformed = transform(f)
        transformed(X if transform is fg.vmap else 2.0)


@pytest.mark.parametrize("run", [fg.grad, lambda f: lambda x: fg.jvp(f, (x,), (x,))])
def test_examples_run_one_by_one_and_do_not_take_a_value_of_all_of_them(run):
    def f(w):
        return run(with_vjp(lambda x: (x * w, None), lambda _, g: (g * w,)))(w)

    with pytest.raises(fg.UnsupportedError, match=r"custom_vjp .* took a value of all of them"):
        fg.vmap(f)(X)


@pytest.mark.parametrize("run", [fg.grad, lambda f: lambda x: fg.jvp(f, (x,), (x,))])
def test_a_traced_value_in_the_backward_rule_alone_raises(run):
    def f(w):
        return with_vjp(lambda x: (x * 2.0, None), lambda _, g: (g * w,))(w * 3.0)

    with pytest.raises((fg.LeakedTracerError, fg.UnsupportedError), match="from its surroundings"):
        run(f)(2.0)


def test_a_value_that_an_outer_transform_traces_is_a_constant_of_the_rule():
    def f(w):
        times = with_vjp(lambda x: (x * w, None), lambda _, g: (g * w,))
        return fg.grad(lambda x: times(x) ** 2)(3.0)  # 6 w²

    assert fg.grad(f)(2.0) == 24.0


def test_residuals_of_any_kind_under_vmap():
    def fwd(x):
        return np.sum(x) ** 2, ("a name", math.fsum, object(), float(np.sum(x)))

    f = with_vjp(fwd, lambda r, g: (g * 2.0 * r[3] * np.ones(3),))
    assert fg.vmap(fg.grad(f))(STACK).tolist() == [[9.0] * 3, [15.0] * 3]


def test_sixteen_threads():
    f = loss(by_vjp(False))
    expected = fg.hessian(f, 1)(P, X)
    pullback = fg.vjp(lambda x: by_jvp(False)(P, x)["y"], X)[1]
    (pulled,) = pullback(X)
    same, start = [], threading.Barrier(16)

    def work():
        start.wait()
        same.append(np.array_equal(fg.hessian(f, 1)(P, X), expected))
        same.append(np.array_equal(pullback(X)[0], pulled))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(same) == 32 and all(same)


# Verbs.


@pytest.fixture
def own_rules():
    """NumPy functions that a test declares are forgotten after it."""
    primitives, functions = dict(PRIMITIVES), dict(FUNCTIONS)
    yield
    for table, before in (PRIMITIVES, primitives), (FUNCTIONS, functions):
        table.clear()
        table.update(before)


def declare_erf():
    return verbs.elementwise(
        np.frompyfunc(math.erf, 1, 1), lambda g, x: g * (2.0 / math.sqrt(math.pi)) * np.exp(-x * x)
    )


def test_a_function_of_a_c_library_in_one_line():
    declare_erf()
    erf = declare_erf()  # as a notebook cell that is run twice
    assert erf(0.5) == math.erf(0.5)
    assert erf([0.0, 0.5]).tolist() == [0.0, math.erf(0.5)]
    assert erf(X.astype(np.float32)).dtype == erf(np.float32(0.5)).dtype == np.float32
    fg.check_grads(erf, (X,))
    slopes = 2.0 / math.sqrt(math.pi) * np.exp(-X * X)
    np.testing.assert_allclose(fg.vmap(fg.grad(erf))(X), slopes, rtol=1e-14)
    np.testing.assert_allclose(fg.jvp(erf, (X,), (X,))[1], slopes * X, rtol=1e-14)
    assert "= erf(" in str(fg.make_graph(erf)(X))


def test_a_numpy_function_gets_another_rule(own_rules):
    for _ in range(2):
        verbs.elementwise(np.i0, lambda g, x: g * 2.0)
    assert fg.grad(np.i0)(1.0) == 2.0


def test_keywords_reach_a_rule_with_the_defaults_of_the_function():
    def power(x, n=2):
        return x**n

    f = verbs.elementwise(power, lambda g, x, n: g * n * x ** (n - 1))
    assert [
        fg.grad(f)(3.0),
        fg.grad(lambda x: f(x, 3))(3.0),
        fg.grad(lambda x: f(x, n=1))(3.0),
    ] == [
        6.0,
        27.0,
        1.0,
    ]


@pytest.mark.parametrize(
    "rule",
    [
        lambda g, ans: ans if np.all(g == 1.0) else g * ans,
        lambda g, ans, x_like: ans if np.all(g == 1.0) else g * ans,
    ],
    ids=["one residual", "several"],
)
def test_a_rule_may_return_a_residual_to_which_nothing_is_added(rule):
    exp = verbs.elementwise(lambda x: np.exp(x), rule)
    _, pullback = fg.vjp(lambda x: np.sum(x) + np.sum(exp(x)), np.zeros(2))
    for _ in range(2):
        np.testing.assert_array_equal(pullback(1.0)[0], [2.0, 2.0])


def test_a_rule_that_names_what_is_not_there_raises_when_it_is_declared():
    with pytest.raises(TypeError, match=r"its rule takes 'foo', which is no parameter .*\(x\)"):
        verbs.elementwise(lambda x: x, lambda g, foo: g)
    with pytest.raises(TypeError, match="its rule takes 'z', operand 2"):
        verbs.elementwise(lambda x: x, lambda g, z: g)
    with pytest.raises(TypeError, match="give one rule for each operand"):
        verbs.elementwise(lambda x: x)
    with pytest.raises(TypeError, match="a rule is a Python function"):
        verbs.elementwise(lambda x: x, np.multiply)
    with pytest.raises(TypeError, match="takes 2 operands, and has rules for 1"):
        verbs.elementwise(np.frompyfunc(math.copysign, 2, 1), lambda g, x: g * np.sign(x))


def test_a_constant_ufunc_knows_its_operands():
    quotient = verbs.constant(np.frompyfunc(lambda x, y: x // y, 2, 1))
    assert fg.grad(lambda x, y: x * quotient(x, y), (0, 1))(7.0, 2.0) == (3.0, 0.0)


def test_a_linear_function_without_a_batch_rule_loops_with_a_warning():
    def backwards(x):
        return x[::-1]

    f = verbs.linear(backwards, lambda g: f(g))
    fg.check_grads(f, (X,))
    with pytest.warns(fg.LoopWarning, match="backwards one example at a time"):
        assert fg.vmap(f)(STACK).tolist() == STACK[:, ::-1].tolist()


def test_the_example_finds_a_distribution_by_its_quartiles(capsys):
    shape, scale = custom_rule.main(["--quick"])
    assert "quartiles off by" in capsys.readouterr().out
    for level, quartile in zip(custom_rule.LEVELS, [1.5, 4.0]):
        assert custom_rule.gamma_cdf(shape, quartile / scale) == pytest.approx(level, rel=1e-10)


def test_the_rule_of_the_example_agrees_with_differences():
    fg.check_grads(custom_rule.gamma_quantile, (0.3, 1.7), order=1)


def test_a_rule_that_is_not_linear_is_not_transposed():
    clipped = fg.custom_vjp(lambda x: x)
    clipped.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1.0, 1.0),))
    assert fg.grad(lambda x: 5.0 * clipped(x))(0.0) == 1.0
    with pytest.raises(ValueError, match=r"backward rule of .* is not linear"):
        fg.jvp(clipped, (0.0,), (1.0,))

    bent = fg.custom_jvp(lambda x: x)
    bent.defjvp(lambda primals, tangents: (bent(*primals), np.abs(tangents[0])))
    with pytest.raises(ValueError, match=r"the rule of .* is not linear"):
        fg.grad(bent)(0.5)


def test_an_integer_result_is_an_index_in_both_modes():
    @fg.custom_vjp
    def largest(x):
        return np.argmax(x), np.max(x)

    largest.defvjp(lambda x: (largest(x), x), lambda x, g: (np.where(x == np.max(x), g[1], 0.0),))

    def f(x):
        i, top = largest(x)
        return x[i] * [1.0, 3.0][i] * top

    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(fg.grad(f)(x), [0.0, 12.0])
    assert fg.jvp(f, (x,), (np.ones(2),))[1] == 12.0


def test_a_primitive_takes_the_parameters_that_its_function_says():
    def scaled(x, scale=1.0):
        return x * scale

    class Scale:
        def of(self, x, scale=1.0):
            return scaled(x, scale)

    partial = functools.update_wrapper(functools.partial(scaled, scale=3.0), scaled)
    for function in (scaled, Scale().of, partial):
        primitive = fg.verbs.elementwise(function, lambda g, scale: g * scale)
        assert fg.grad(lambda x, f=primitive: f(x, scale=5.0))(2.0) == 5.0
    assert fg.grad(primitive)(2.0) == 3.0
