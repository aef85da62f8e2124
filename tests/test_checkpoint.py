"""checkpoint: the same derivatives from less memory, under every transform."""

import functools
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import funcgrad as fg
import funcgrad.numpy as fnp
from funcgrad import verbs

RNG = np.random.default_rng(0)
W, B, X = RNG.standard_normal((4, 4)), RNG.standard_normal(4), RNG.standard_normal(4)
V = RNG.standard_normal(4)
TOLERANCE = 1e3 * np.finfo(float).eps


def network(layer):
    """A loss whose layers close over the traced weights, take a pytree and give two results."""

    def loss(w, b, x):
        def step(state):
            h = np.tanh(w @ state["h"] + b)
            return {"h": h}, 2.0 * h

        state = {"h": x}
        total = 0.0
        for _ in range(3):
            state, out = layer(step)(state)
            total = total + np.sum(out**2)
        return total

    return loss


plain = network(lambda f: f)
CHECKPOINTED = {
    "once": network(fg.checkpoint),
    "nested": network(lambda f: fg.checkpoint(fg.checkpoint(f))),
    "keeping products": network(lambda f: fg.checkpoint(f, fg.checkpoint_policies.dots_saveable)),
}
TRANSFORMS = {
    "grad": lambda f: fg.grad(f, (0, 1, 2))(W, B, X),
    "jvp": lambda f: fg.jvp(lambda x: f(W, B, x), (X,), (V,))[1],
    "hessian": lambda f: fg.hessian(f, 2)(W, B, X),
    "reverse over reverse": lambda f: fg.jacrev(fg.grad(f, 2), 2)(W, B, X),
    "reverse over forward": lambda f: fg.jacrev(fg.jacfwd(f, 2), 2)(W, B, X),
    "reverse over a tangent": lambda f: fg.grad(
        lambda x: fg.jvp(lambda x: f(W, B, x), (x,), (V,))[1]
    )(X),
    "vmap of grad": lambda f: fg.vmap(fg.grad(f), (None, None, 0))(W, B, np.stack([X, V])),
    "grad of vmap": lambda f: fg.grad(
        lambda w: np.sum(fg.vmap(f, (None, None, 0))(w, B, np.stack([X, V])))
    )(W),
    "linearize": lambda f: fg.linearize(lambda x: f(W, B, x), X)[1](V),
    "make_graph": lambda f: fg.make_graph(fg.grad(f))(W, B, X)(W, B, X),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("checkpointed", CHECKPOINTED.values(), ids=CHECKPOINTED)
def test_derivatives_are_those_of_the_plain_function(checkpointed, transform):
    want, got = fg.tree.leaves(transform(plain)), fg.tree.leaves(transform(checkpointed))
    for a, b in zip(want, got, strict=True):
        np.testing.assert_allclose(b, a, rtol=TOLERANCE, atol=TOLERANCE * np.max(np.abs(a)))


def test_a_result_that_was_written_place_by_place():
    def written(x):
        z = np.zeros_like(x)
        z[0] = np.sin(x[1])
        z[2] = x[2] * x[0]
        return z

    def in_one_piece(x):
        return np.stack([np.sin(x[1]), 0.0 * x[0], x[2] * x[0], 0.0 * x[0]])

    def derivatives(f):
        yield fg.jacrev(f)(X)
        yield fg.grad(lambda x: np.sum(fg.jvp(f, (x,), (x * x,))[1]))(X)
        yield fg.grad(lambda x: np.sum(fg.vmap(f)(np.stack([x, x * x])) ** 2))(X)
        yield fg.hessian(lambda x: np.sum(f(x) ** 2))(X)

    for got, want in zip(derivatives(fg.checkpoint(written)), derivatives(in_one_piece)):
        np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE)


def test_a_pullback_may_be_called_again():
    _, pullback = fg.vjp(fg.checkpoint(np.sin), X)
    for g in (V, 2.0 * V):
        np.testing.assert_allclose(pullback(g)[0], g * np.cos(X), rtol=TOLERANCE)


def test_results_that_are_arguments_or_constants_pass_through():
    f = fg.checkpoint(lambda x, y: (x, y, 1.0, {"sum": x + y, "again": x}))

    def total(x, y):
        a, b, c, d = f(x, y)
        return np.sum(a * b * c + d["sum"] * d["again"] * 2.0)

    dx, dy = fg.grad(total, (0, 1))(X, V)
    np.testing.assert_allclose(dx, V + 2.0 * (2.0 * X + V), rtol=TOLERANCE)
    np.testing.assert_allclose(dy, X + 2.0 * X, rtol=TOLERANCE)


@pytest.mark.parametrize(
    "call",
    [
        lambda f, x: fg.checkpoint(f)(x),
        lambda f, x: fg.checkpoint(f)(x=x),
        lambda f, x: fg.checkpoint(lambda: f(x))(),
        lambda f, x: fg.checkpoint(lambda p: f(p["x"]))({"x": x}),
        lambda f, x: fg.checkpoint(functools.partial(f, x))(),
        lambda f, x: fg.checkpoint(functools.partial(f, x=x))(),
        lambda f, x: fg.checkpoint(functools.partial(lambda p: f(p[0]), [x]))(),
    ],
    ids="position keyword closure pytree partial partial_keyword pytree_in_partial".split(),
)
def test_a_function_runs_again_on_the_way_back_wherever_it_has_its_value_from(call):
    calls = []

    def f(x):
        calls.append(1)
        return np.sin(x)

    assert fg.grad(lambda x: call(f, x))(0.0) == 1.0
    assert len(calls) == 2


def test_a_policy_keeps_what_it_names():
    products = []

    def noted(x):
        products.append(1)
        return x.copy()

    slow = verbs.elementwise(noted, lambda g: g)
    names = fg.checkpoint_policies.save_only_these_names("y")
    for policy, runs in ((fg.checkpoint_policies.nothing_saveable, 2), (names, 1)):
        products.clear()
        f = fg.checkpoint(lambda x: np.sum(np.sin(fg.debug.name(slow(x), "y"))), policy)
        fg.grad(f)(X)
        assert len(products) == runs


def test_a_function_that_changes_is_an_error():
    calls = []

    def f(x):
        calls.append(1)
        return x * len(calls)

    with pytest.raises(RuntimeError, match="did not do the same when it ran again"):
        fg.grad(fg.checkpoint(f))(1.0)


@pytest.mark.parametrize("change", [lambda x: -x, lambda x: x[::-1], lambda x: np.abs(x) + 1.0])
def test_so_is_one_that_only_changes_signs_or_places(change):
    constant = np.array([1.0, -2.0, np.inf, 0.5])

    def f(x):
        nonlocal constant
        constant = change(constant)
        return x * constant

    with pytest.raises(RuntimeError, match="did not do the same when it ran again"):
        fg.grad(lambda x: np.sum(fg.checkpoint(f)(x)))(np.ones(4))


def test_an_array_around_it_that_changes_is_an_error_even_where_the_result_is_the_same():
    weights = np.array([1.0, 2.0, 3.0])
    _, pullback = fg.vjp(fg.checkpoint(lambda x: np.sum(x * weights)), np.ones(3))
    weights[:] = [3.0, 2.0, 1.0]
    with pytest.raises(RuntimeError, match="did not do the same"):
        pullback(1.0)


def test_arguments_that_the_caller_changes_afterwards_do_not_matter():
    factor = np.array([2.0, 3.0])
    _, pullback = fg.vjp(lambda x: fg.checkpoint(np.multiply)(x, factor), np.ones(2))
    factor[:] = 0.0
    np.testing.assert_array_equal(pullback(np.ones(2))[0], [2.0, 3.0])


def test_a_function_may_write_to_its_arguments():
    def f(x, factor):
        x *= 2.0
        factor += 1.0
        return np.sum(x * x * factor)

    factor = np.array([2.0, 3.0])
    gradient = fg.grad(lambda x: fg.checkpoint(f)(np.sin(x), factor))(np.ones(2))
    np.testing.assert_allclose(gradient, 4.0 * np.sin(2.0) * np.array([3.0, 4.0]))
    np.testing.assert_array_equal(factor, [2.0, 3.0])


def test_a_zero_cotangent_annihilates_inside():
    f = fg.checkpoint(lambda x: np.where(x > 0, np.sqrt(x), 0.0))
    assert fg.grad(f)(0.0) == 0.0


def peak(f, x):
    tracemalloc.start()
    fg.grad(f)(x)
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top / x.nbytes


def test_a_scan_of_n_steps_takes_memory_for_a_few_times_root_n_states():
    def step(c, _):
        return np.sin(c), None

    x = np.ones(20_000)
    n = 400
    assert peak(lambda x: np.sum(fg.checkpointed_scan(step, x, length=n)[0] ** 2), x) < 3 * n**0.5
    assert peak(lambda x: np.sum(fg.scan(step, x * 1.0, length=60)[0] ** 2), x) > 60


@pytest.mark.parametrize("length", [1, 2, 9, 10])
def test_checkpointed_scan_is_scan(length):
    def step(c, row):
        c = np.tanh(c * row["a"] + row["b"])
        return c, c**2

    rows = {"a": RNG.standard_normal(length), "b": RNG.standard_normal(length)}

    def loss(scan):
        def f(c, rows):
            last, ys = scan(step, c, rows)
            return last + np.sum(ys)

        return fg.value_and_grad(f, (0, 1))(0.3, rows)

    want, got = fg.tree.leaves(loss(fg.scan)), fg.tree.leaves(loss(fg.checkpointed_scan))
    for a, b in zip(want, got, strict=True):
        np.testing.assert_allclose(b, a, rtol=TOLERANCE)


def test_a_value_that_leaves_a_function_but_not_as_its_result_is_an_error():
    def f(x):
        kept = []

        def inside(x):
            kept.append(np.sin(x))
            return 2.0 * kept[-1]

        return fg.checkpoint(inside)(x) + kept[0]

    with pytest.raises(fg.LeakedTracerError, match="inside a checkpointed function"):
        fg.grad(f)(1.0)


@pytest.mark.parametrize(
    ("xs", "length"),
    [(1.0, None), ((np.ones(3), np.ones(4)), None), (np.ones(4), 5), (None, 2.5), (None, 0)],
)
def test_checkpointed_scan_refuses_what_scan_refuses(xs, length):
    errors = []
    for scan in (fg.scan, fg.checkpointed_scan):
        with pytest.raises((TypeError, ValueError)) as caught:
            scan(lambda c, x: (c, None), 0.0, xs, length)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


class Scale:
    def __init__(self, w):
        self.w = w

    def __call__(self, x):
        return np.sin(x) * self.w**2


def test_an_object_that_hides_a_value_of_another_transform_is_an_error():
    with pytest.raises(fg.LeakedTracerError, match="not in an object"):
        fg.grad(lambda x: fg.grad(lambda w: fg.checkpoint(Scale(w))(x))(2.0))(1.0)


def test_a_closure_that_means_another_value_when_it_runs_again_is_an_error():
    def f(ws):
        x = 1.0
        for w in ws:
            x = fg.checkpoint(lambda x: x + w)(x)  # noqa: B023
        return x

    with pytest.raises(RuntimeError, match="the variable of a loop"):
        fg.grad(f)([0.0, 0.0])


@pytest.fixture
def many_switches():
    """The interpreter changes threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def steps(policy):
    step = fg.checkpoint(lambda x: np.sin(x) * np.mean(np.cos(x)), policy)

    def f(x):
        for _ in range(6):
            x = step(x)
        return np.sum(x)

    return f


def test_arrays_of_funcgrad_numpy_are_made_again():
    def f(x):
        z = fnp.zeros((2, 4))
        z[0] = np.sin(x)
        z[1, :2] += x[:2]
        return np.sum(z**2)

    np.testing.assert_array_equal(fg.grad(fg.checkpoint(f))(X), fg.grad(f)(X))


POLICIES = [fg.checkpoint_policies.nothing_saveable, lambda name, keywords: name == "sin"]


@pytest.mark.parametrize("policy", POLICIES, ids=["nothing kept", "a result kept"])
@pytest.mark.usefixtures("many_switches")
def test_threads_that_share_a_pullback(policy):
    _, pullback = fg.vjp(steps(policy), X)
    (want,) = pullback(1.0)
    with ThreadPoolExecutor(8) as pool:
        for (got,) in pool.map(pullback, [1.0] * 80):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("policy", POLICIES, ids=["nothing kept", "a result kept"])
@pytest.mark.usefixtures("many_switches")
def test_threads_inside_one_gradient(policy):
    f, g = steps(policy), steps(lambda name, keywords: True)
    parts = [f, np.sum, g, lambda x: np.sum(np.sin(x))] * 2
    want = fg.grad(lambda x: sum(part(x) for part in parts))(X)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            got = fg.grad(lambda x: sum(pool.map(lambda part: part(x), parts)))(X)
            np.testing.assert_allclose(got, want, rtol=TOLERANCE)


def test_threads_inside_a_checkpoint_are_refused():
    with ThreadPoolExecutor(1) as pool:
        f = fg.checkpoint(lambda x: 2.0 * pool.submit(np.sin, x).result())
        with pytest.raises(fg.UnsupportedError, match="Start no threads inside"):
            fg.grad(f)(1.0)
