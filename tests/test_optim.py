"""Optimizers against the formulas of their papers, written out as loops."""

import math

import numpy as np
import pytest
from comparing import assert_close

from funcgrad import TreeError, check, grad, optim, tree

GRADS = [np.array([1.0, -2.0, 0.0]), np.array([0.5, 3.0, 1e-3]), np.array([-1.0, 0.1, 4.0])]
OPTIMIZERS = {
    "sgd": optim.sgd(0.1),
    "momentum": optim.sgd(0.1, momentum=0.9),
    "nesterov": optim.sgd(0.1, momentum=0.9, nesterov=True),
    "adam": optim.adam(0.1),
    "chain": optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.1)),
}


def run(optimizer, grads, params):
    """The parameters after each step."""
    state, path = optimizer.init(params), []
    for g in grads:
        updates, state = optimizer.update(g, state, params)
        params = optim.apply_updates(params, updates)
        path.append(params)
    return path


def minimise(optimizer, steps):
    """(w − 5)² from w = 0."""
    state, w, path = optimizer.init(0.0), 0.0, []
    for _ in range(steps):
        updates, state = optimizer.update(grad(lambda w: (w - 5.0) ** 2)(w), state, w)
        w = optim.apply_updates(w, updates)
        path.append(float(w))
    return path


def test_sgd_goes_down_the_slope():
    assert_close(minimise(optim.sgd(0.1), 4), [1.0, 1.8, 2.44, 2.952])


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_a_decayed_sum_of_gradients(nesterov):
    w, trace, expected = np.zeros(3), np.zeros(3), []
    for g in GRADS:
        trace = g + 0.9 * trace
        w = w - 0.1 * (g + 0.9 * trace if nesterov else trace)
        expected.append(w)
    assert_close(run(optim.sgd(0.1, 0.9, nesterov), GRADS, np.zeros(3)), expected)


def test_adam_is_algorithm_1_of_the_paper():
    alpha, b1, b2, eps = 0.1, 0.9, 0.999, 1e-8
    w, m, v, expected = np.zeros(3), np.zeros(3), np.zeros(3), []
    for t, g in enumerate(GRADS, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        w = w - alpha * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        expected.append(w)
    assert_close(run(optim.adam(alpha), GRADS, np.zeros(3)), expected)
    assert np.abs(5 - np.array(minimise(optim.adam(0.1), 500))[-1]) < 1e-3


def test_clipping_scales_all_leaves_by_one_factor():
    grads = {"a": np.array([3.0, 0.0]), "b": 4.0}
    same, _ = optim.clip_by_global_norm(5.0).update(grads, ())
    assert same["a"].tolist() == [3, 0] and same["b"] == 4
    clipped, _ = optim.clip_by_global_norm(1.0).update(grads, ())
    assert_close(clipped["a"], [0.6, 0])
    assert_close(clipped["b"], 0.8)


def test_clipping_survives_nothing_and_a_great_deal():
    clip = optim.clip_by_global_norm(1.0)
    assert clip.update(np.zeros(2), ())[0].tolist() == [0, 0]
    assert_close(clip.update(np.full(4, 1e30, np.float32), ())[0], np.full(4, 0.5))


def test_a_chain_feeds_each_transformation_from_the_one_before():
    clip, adam = optim.clip_by_global_norm(1.0), optim.adam(0.1)
    clipped = [clip.update(g, ())[0] for g in GRADS]
    chained = run(OPTIMIZERS["chain"], GRADS, np.zeros(3))
    assert np.array_equal(chained, run(adam, clipped, np.zeros(3)))


def test_a_chain_takes_optimizers_that_were_made():
    with pytest.raises(TypeError, match=r"chain takes pairs .*sgd\(0.1\).*got <function sgd"):
        optim.chain(optim.clip_by_global_norm(1.0), optim.sgd)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_leaf_keeps_its_dtype_and_shape(optimizer):
    params = {"w": np.ones((2, 3), np.float32), "s": np.float64(2.0), "n": (None, np.ones(()))}
    grads = tree.map(lambda p: 0.5 * p, params)
    state = optimizer.init(params)
    for _ in range(2):
        updates, state = optimizer.update(grads, state, params)
        after = optim.apply_updates(params, updates)
        for result in (updates, after):
            like = tree.map(lambda x, p: x.dtype == p.dtype and x.shape == p.shape, result, params)
            assert tree.all(like)
    moments = [x for x in tree.leaves(state) if np.shape(x) == (2, 3)]
    assert all(x.dtype == np.float32 for x in moments)


@pytest.mark.parametrize("rate", [np.float64(0.1), np.array(0.1)])
def test_a_strong_learning_rate_does_not_widen(rate):
    for optimizer in (optim.sgd(rate), optim.sgd(rate, momentum=rate), optim.adam(rate)):
        (after,) = run(optimizer, [np.ones(2, np.float32)], np.ones(2, np.float32))
        assert after.dtype == np.float32


def test_a_python_float_becomes_a_numpy_scalar_as_its_gradient_is():
    updates, _ = optim.sgd(0.5).update(np.float64(1.0), optim.sgd(0.5).init(2.0))
    after = optim.apply_updates(2.0, updates)
    assert type(after) is np.float64 and after == 1.5


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_nothing_is_changed_in_place(optimizer):
    params, grads = {"w": np.ones(3)}, {"w": np.full(3, 2.0)}
    _, state = optimizer.update(grads, optimizer.init(params), params)
    before = tree.map(np.copy, (params, grads, state))
    updates, following = optimizer.update(grads, state, params)
    after = optim.apply_updates(params, updates)
    unchanged = tree.map(np.array_equal, before, (params, grads, state))
    assert tree.all(unchanged)
    results = [x for x in tree.leaves((updates, following, after)) if np.ndim(x)]
    sources = [x for x in tree.leaves((params, grads, state)) if np.ndim(x)]
    assert not any(np.shares_memory(x, y) for x in results for y in sources)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_step_can_be_differentiated(optimizer):
    """d/dw of what the loss is after two steps, against central differences."""

    def after_two_steps(w):
        params, state = {"w": w}, optimizer.init({"w": w})
        for _ in range(2):
            grads = grad(lambda p: np.sum(np.cos(p["w"])))(params)
            updates, state = optimizer.update(grads, state, params)
            params = optim.apply_updates(params, updates)
        return np.sum(np.sin(params["w"]))

    w = np.array([0.5, 1.0, -2.0])
    h = np.finfo(float).eps ** (1 / 3)
    columns = h * np.eye(3)
    numeric = [(after_two_steps(w + d) - after_two_steps(w - d)) / (2 * h) for d in columns]
    np.testing.assert_allclose(grad(after_two_steps)(w), numeric, rtol=0, atol=100 * h**2)


def test_hyperparameters_can_be_differentiated():
    def final(rate, momentum):
        return run(optim.sgd(rate, momentum), [1.0, 2.0], 0.0)[-1]

    # w = −rate·(1 + (2 + momentum))
    assert_close(grad(final, argnums=(0, 1))(0.1, 0.0), (-3.0, -0.1))


@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam", "chain"])
def test_gradients_of_another_structure_are_refused(name):
    optimizer = OPTIMIZERS[name]
    params = {"w": np.ones(3), "b": np.ones(2)}
    state = optimizer.init(params)
    with pytest.raises(TreeError, match=r"grads has no \['b'\], which"):
        optimizer.update({"w": np.ones(3)}, state, params)
    with pytest.raises(TreeError, match=r"at \['b'\]: grads has shape \(1,\), .* \(2,\)"):
        optimizer.update({"w": np.ones(3), "b": np.ones(1)}, state, params)


def test_updates_of_another_structure_or_shape_are_refused():
    params = {"w": np.ones((3, 1))}
    with pytest.raises(TreeError, match=r"updates has no \['w'\], which params has"):
        optim.apply_updates(params, {"v": np.ones((3, 1))})
    with pytest.raises(TreeError, match=r"at \['w'\]: updates has shape \(3,\), params \(3, 1\)"):
        optim.apply_updates(params, {"w": np.ones(3)})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_not_a_state_is_refused(name):
    with pytest.raises(TypeError, match=r"with the state that its init .* got a dict"):
        OPTIMIZERS[name].update({"w": 1.0}, {"w": 1.0}, {"w": 1.0})


def test_adam_corrects_its_bias():
    """The first step has the size of the learning rate, whatever the gradient's."""
    for g in (1e-3, 1.0, 1e3):
        (w,) = run(optim.adam(0.1), [g], 0.0)
        assert math.isclose(w, -0.1, rel_tol=1e-4)


def test_the_constants_of_adam_can_be_differentiated():
    def trained(rates):
        optimizer = optim.adam(*rates)
        params = {"w": np.linspace(0.5, 1.5, 3)}
        state = optimizer.init(params)
        for _ in range(3):
            updates, state = optimizer.update({"w": np.cos(params["w"])}, state, params)
            params = optim.apply_updates(params, updates)
        return np.sum(np.sin(params["w"]))

    rates = [0.1, 0.9, 0.99, 1e-3]
    check.check_grads(trained, (rates,), order=1)
    for i, by_all in enumerate(grad(trained)(rates)):
        alone = grad(lambda rate, i=i: trained([*rates[:i], rate, *rates[i + 1 :]]))(rates[i])
        assert_close(alone, by_all, rounding=1000)


@pytest.mark.parametrize(
    "params, updates", [(np.ones(2), 1j * np.ones(2)), (np.array([1, 2]), np.array([0.1, 0.1]))]
)
def test_an_update_that_would_lose_a_part_is_refused(params, updates):
    with pytest.raises(TypeError, match=r"^at \['w'\]: .*lose"):
        optim.apply_updates({"w": params}, {"w": updates})


@pytest.mark.parametrize("make", [optim.sgd, optim.adam])
def test_a_schedule_in_place_of_a_rate_says_how_to_change_the_rate(make):
    with pytest.raises(
        TypeError, match=rf"{make.__name__}: .* function, .*{make.__name__}\(rate\)"
    ):
        make(lambda step: 0.1)
