"""Layers, activations, losses and initialisers against their formulas, and at the extremes."""

import itertools
import math
import re

import numpy as np
import pytest
from comparing import assert_close

from funcgrad import TreeError, grad, jacrev, nn, random, tree, value_and_grad, vjp
from funcgrad.data import load_digits

KEY = random.key(0)
EPS = np.finfo(float).eps
LOGITS = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 2.0, 2.0], [-1.0, 0.3, 0.7]])
LABELS = np.array([0, 2, 1, 1])
EXTREME = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4], [0.0, 0.0, 1e4]])


def assert_derivative(df, f, x):
    """``df`` is the derivative of the elementwise f, by central differences of error O(h²)."""
    h = EPS ** (1 / 3)
    np.testing.assert_allclose(df(x), (f(x + h) - f(x - h)) / (2 * h), rtol=0, atol=4 * h**2)


# Activations.


@pytest.mark.parametrize("f", [nn.relu, nn.sigmoid, nn.tanh, nn.softmax, nn.log_softmax])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_and_gradients_keep_the_dtype_at_any_size_of_logits(f, dtype):
    x = EXTREME.astype(dtype)
    gradient = grad(lambda x: np.sum(f(x) * np.cos(f(x))))(x)
    assert f(x).dtype == gradient.dtype == dtype
    assert np.isfinite(f(x)).all() and np.isfinite(gradient).all()


def test_relu_is_zero_with_derivative_zero_at_zero():
    x = np.array([-2.0, -0.0, 0.0, 3.0])
    assert nn.relu(x).tolist() == [0, 0, 0, 3]
    assert grad(lambda x: np.sum(nn.relu(x)))(x).tolist() == [0, 0, 0, 1]
    assert grad(grad(lambda x: nn.relu(x) ** 3))(2.0) == 12.0


def test_an_infinite_cotangent_stops_where_relu_is_flat():
    """As a product with a mask of zeros it would become NaN."""
    _, pullback = vjp(nn.relu, np.array([-1.0, 0.0, 4.0]))
    assert pullback(np.array([np.inf, -np.inf, 2.0]))[0].tolist() == [0, 0, 2]


@pytest.mark.parametrize("f", [nn.sigmoid, nn.tanh])
def test_sigmoid_and_tanh_have_their_derivatives(f):
    def first(x):
        return grad(lambda x: np.sum(f(x)))(x)

    def second(x):
        return grad(lambda x: np.sum(first(x)))(x)

    x = np.linspace(-6.0, 6.0, 25)
    assert_close(nn.sigmoid(x), 1 / (1 + np.exp(-x)))
    assert_derivative(first, f, x)
    assert_derivative(second, first, x)


@pytest.mark.parametrize("axis", [-1, 0, (0, 1), None])
def test_softmax_sums_to_one_and_log_softmax_is_its_logarithm(axis):
    p = nn.softmax(LOGITS, axis)
    assert_close(np.sum(p, axis=axis), np.ones_like(np.sum(p, axis=axis)))
    assert_close(nn.log_softmax(LOGITS, axis), np.log(p))
    assert_close(nn.softmax(LOGITS + 1e4, axis), p, rounding=1e5)  # the shift rounds the logits


def test_the_jacobian_of_softmax():
    p = nn.softmax(LOGITS[0])
    assert_close(jacrev(nn.softmax)(LOGITS[0]), np.diag(p) - np.outer(p, p))
    assert_close(jacrev(nn.log_softmax)(LOGITS[0]), np.eye(3) - p)
    assert_close(jacrev(jacrev(nn.logsumexp))(LOGITS[0]), np.diag(p) - np.outer(p, p))


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_reduces_as_sum_does_and_its_gradient_is_softmax(axis, keepdims):
    expected = np.log(np.sum(np.exp(LOGITS), axis=axis, keepdims=keepdims))
    assert_close(nn.logsumexp(LOGITS, axis, keepdims), expected)
    total = grad(lambda x: np.sum(nn.logsumexp(x, axis, keepdims)))(LOGITS)
    assert_close(total, nn.softmax(LOGITS, axis))


def test_infinite_logits_have_their_limits():
    inf = np.inf
    assert nn.logsumexp(np.array([-inf, -inf])) == -inf
    assert nn.logsumexp(np.array([0.0, inf])) == inf
    assert nn.softmax(np.array([0.0, inf, inf])).tolist() == [0, 0.5, 0.5]
    assert grad(nn.logsumexp)(np.array([-inf, 0.0, -inf])).tolist() == [0, 1, 0]
    assert np.isnan(nn.softmax(np.array([0.0, np.nan]))).all()


# Labels and losses.


def test_one_hot():
    assert nn.one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert nn.one_hot(1, 3).tolist() == [0, 1, 0]
    assert nn.one_hot([[1], [0]], 2).shape == (2, 1, 2)
    assert nn.one_hot(LABELS, 3).dtype == np.float32
    assert nn.one_hot(LABELS, 3, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match=r"between 0 and 2, got 3 \(1 of 4 labels"):
        nn.one_hot([0, 3, 1, 2], 3)
    with pytest.raises(TypeError, match=r"float64 and shape \(2,\). Write labels.astype\(int\)"):
        nn.one_hot([0.0, 1.0], 3)


def test_cross_entropy_is_its_formula_for_every_kind_of_label():
    log_p = LOGITS - np.log(np.sum(np.exp(LOGITS), axis=1, keepdims=True))
    expected = -np.mean(log_p[np.arange(4), LABELS])
    slope = (np.exp(log_p) - np.eye(3)[LABELS]) / 4
    for labels in (LABELS, LABELS.tolist(), np.eye(3)[LABELS], np.eye(3, dtype=int)[LABELS]):
        assert_close(nn.cross_entropy(LOGITS, labels), expected)
        assert_close(nn.nll_loss(log_p, labels), expected)
        assert_close(grad(nn.cross_entropy)(LOGITS, labels), slope)
        assert_close(grad(lambda x, y: nn.nll_loss(nn.log_softmax(x), y))(LOGITS, labels), slope)
        assert_close(
            grad(lambda x, y: nn.nll_loss(np.log(nn.softmax(x)), y))(LOGITS, labels), slope
        )


def test_soft_labels_and_their_gradient():
    soft = nn.softmax(LOGITS[::-1])
    log_p = nn.log_softmax(LOGITS)
    assert_close(nn.cross_entropy(LOGITS, soft), -np.sum(soft * log_p) / 4)
    assert_close(grad(nn.cross_entropy)(LOGITS, soft), (np.exp(log_p) - soft) / 4)
    assert_close(grad(nn.cross_entropy, argnums=1)(LOGITS, soft), -log_p / 4)
    hard = np.eye(3)[LABELS]
    assert_close(grad(nn.cross_entropy, argnums=1)(LOGITS, hard), -log_p / 4)


def test_the_loss_of_one_sample_and_of_any_batch_axes():
    single = [nn.cross_entropy(x, y) for x, y in zip(LOGITS, LABELS)]
    assert_close(nn.cross_entropy(LOGITS, LABELS), np.mean(single))
    images = LOGITS.reshape(2, 2, 3)
    assert_close(nn.cross_entropy(images, LABELS.reshape(2, 2)), np.mean(single))
    assert_close(grad(nn.cross_entropy)(LOGITS[0], 1), nn.softmax(LOGITS[0]) - [0, 1, 0])


def test_the_gradient_does_not_depend_on_the_layout_of_the_logits():
    x = np.arange(24.0).reshape(4, 3, 2) / 7
    y = np.arange(8).reshape(2, 4) % 3
    expected = grad(nn.cross_entropy)(x.T.copy().swapaxes(1, 2), y.reshape(2, 4))
    assert_close(grad(nn.cross_entropy)(x.transpose(2, 0, 1), y), expected)


@pytest.mark.parametrize("classes", [1, 2, 32, 33])
def test_cross_entropy_of_any_number_of_classes(classes):
    x = random.normal(random.key(0), (5, classes), np.float64)
    y = np.arange(5) % classes
    hard = nn.one_hot(y, classes, np.float64)
    loss, gradient = value_and_grad(nn.cross_entropy)(x, y)
    assert_close(loss, -np.sum(hard * nn.log_softmax(x)) / 5)
    assert_close(gradient, (nn.softmax(x) - hard) / 5)


@pytest.mark.parametrize("labels", [np.array([1, 0, 2, 0]), np.eye(3)[[1, 0, 2, 0]]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_stays_finite_in_every_derivative(labels, dtype):
    x = EXTREME.astype(dtype)
    labels = labels.astype(dtype) if labels.ndim == 2 else labels
    loss, gradient = value_and_grad(nn.cross_entropy)(x, labels)
    p = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0], [0, 0, 1]])
    assert_close(loss, (2e4 + math.log(3) + 2e4 + math.log(2) + 1e4) / 4)
    assert_close(gradient, (p - np.eye(3)[[1, 0, 2, 0]]) / 4)
    assert loss.dtype == gradient.dtype == dtype
    hessian = jacrev(grad(nn.cross_entropy))(x, labels)
    assert hessian.dtype == dtype
    for i, q in enumerate(p):
        assert_close(hessian[i, :, i], (np.diag(q) - np.outer(q, q)) / 4)


def test_masked_classes_cost_nothing():
    """A logit of −inf is a class that cannot be, with label weight 0."""
    x = np.array([0.0, -np.inf, 0.0])
    for label in (2, np.array([0.0, 0.0, 1.0])):
        loss, gradient = value_and_grad(nn.cross_entropy)(x, label)
        assert_close(loss, math.log(2))
        assert_close(gradient, [0.5, 0.0, -0.5])


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"between 0 and 2, got -1 \(1 of 4"):
        nn.cross_entropy(LOGITS, [0, -1, 1, 2])
    with pytest.raises(ValueError, match="between 0 and 2, got 3"):
        grad(nn.nll_loss)(LOGITS, [0, 3, 1, 2])
    with pytest.raises(
        ValueError, match=r"got dtype float64 and shape \(4,\). Write labels.astype"
    ):
        nn.cross_entropy(LOGITS, LABELS.astype(float))
    with pytest.raises(ValueError, match=r"integers of shape \(4,\) or .* \(4, 3\); .* \(4, 1\)"):
        nn.cross_entropy(LOGITS, LABELS[:, None])
    for shape in [(), (4, 0)]:
        with pytest.raises(ValueError, match=rf"\(…, classes\), got shape {re.escape(str(shape))}"):
            nn.cross_entropy(np.ones(shape), np.zeros(shape[:-1], int))


def test_mse_loss_is_the_mean_square_and_refuses_to_broadcast():
    pred, target = np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.0, 1.0])
    assert_close(nn.mse_loss(pred, target), 13 / 3)
    assert_close(grad(nn.mse_loss)(pred, target), [0, 4 / 3, 2])
    assert_close(grad(nn.mse_loss, argnums=1)(pred, target), [0, -4 / 3, -2])
    with pytest.raises(ValueError, match=r"got \(3, 1\) and \(3,\), which would be broadcast"):
        nn.mse_loss(pred[:, None], target)


# Layers.


def test_linear_is_affine_for_one_sample_and_for_a_batch():
    layer = nn.linear(3, 2)
    params = layer.init(KEY)
    assert {k: (v.shape, v.dtype) for k, v in params.items()} == {
        "w": ((3, 2), np.float32),
        "b": ((2,), np.float32),
    }
    params = {"w": params["w"], "b": np.array([1.0, -1.0], np.float32)}
    x = random.normal(KEY, (5, 4, 3), np.float32)
    batch = layer.apply(params, x)
    assert batch.dtype == np.float32
    assert_close(batch, x @ params["w"] + params["b"])
    assert_close(layer.apply(params, x[1, 2]), batch[1, 2])


def test_initialisation_takes_functions_and_a_dtype():
    layer = nn.linear(3, 2, nn.glorot, lambda key, shape, dtype: np.ones(shape, dtype), float)
    params = layer.init(KEY)
    assert params["b"].tolist() == [1, 1]
    assert params["w"].dtype == np.float64
    assert np.array_equal(params["w"], nn.glorot(random.split(KEY)[0], (3, 2), float))


def test_serial_chains_layers_and_bare_functions():
    first, last = nn.linear(3, 4), nn.linear(4, 2)
    model = nn.serial(first, nn.relu, last, lambda x: 2.0 * x)
    params = model.init(KEY)
    x = random.normal(KEY, (5, 3), np.float32)
    expected = 2.0 * last.apply(params[2], nn.relu(first.apply(params[0], x)))
    assert params[1] == params[3] == ()
    assert_close(model.apply(params, x), expected)
    assert not np.array_equal(params[0]["w"][:, :2], params[2]["w"][:3])


def test_layers_of_one_shape_draw_weights_of_their_own():
    layers = nn.serial(nn.linear(4, 4), nn.relu, nn.linear(4, 4)).init(KEY)
    weights = [layer["w"] for layer in layers if layer]
    assert len(weights) == 2
    assert not np.any(weights[0] == weights[1])


@pytest.mark.parametrize("hidden", [7, [7], (7, 5)])
def test_mlp_has_the_widths_it_is_given(hidden):
    model = nn.mlp(4, hidden, 3, activation=np.tanh, dtype=np.float64)
    params = model.init(KEY)
    widths = [4, *([hidden] if isinstance(hidden, int) else hidden), 3]
    assert [p["w"].shape for p in params if p] == list(itertools.pairwise(widths))
    assert model.apply(params, np.ones((2, 4))).dtype == np.float64


def test_a_wrong_input_or_tree_is_named():
    model = nn.mlp(4, 8, 3)
    params = model.init(KEY)
    with pytest.raises(ValueError, match=r"linear\(4, 8\) takes .* \(…, 4\), got shape \(2, 5\)"):
        model.apply(params, np.zeros((2, 5)))
    with pytest.raises(TreeError, match=r"serial of 3 layers .* a tuple of 3, got"):
        model.apply(params[:2], np.zeros((2, 4)))
    with pytest.raises(TreeError, match=r"linear\(4, 8\) takes .*{'b': \*, 'w': \*}, got \(\)"):
        model.apply(((), (), params[2]), np.zeros((2, 4)))
    with pytest.raises(TypeError, match="got 7 of type int at position 1"):
        nn.serial(nn.relu, 7)


def test_the_gradient_of_a_network_is_its_numerical_derivative():
    images, labels = load_digits()
    x, y = images[:20].reshape(20, 64) / 16, labels[:20]
    model = nn.mlp(64, [8, 6], 10, activation=nn.tanh, dtype=np.float64)

    def loss_fn(params):
        return nn.cross_entropy(model.apply(params, x), y)

    params, along = model.init(KEY), model.init(random.key(1))
    products = tree.map(lambda g, d: np.sum(g * d), grad(loss_fn)(params), along)

    def moved(h):
        return tree.map(lambda p, d: p + h * d, params, along)

    h = EPS ** (1 / 3)
    numeric = (loss_fn(moved(h)) - loss_fn(moved(-h))) / (2 * h)
    np.testing.assert_allclose(tree.reduce(np.add, products), numeric, rtol=100 * h**2)


# Initialisers.


@pytest.mark.parametrize(
    ("init", "deviation"),
    [
        (nn.normal, 0.01),
        (nn.he, math.sqrt(2 / 400)),
        (nn.glorot, math.sqrt(2 / 700)),
        (nn.zeros, 0.0),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initialisers_have_their_spread(init, deviation, dtype):
    w = init(KEY, (400, 300), dtype)
    assert w.shape == (400, 300) and w.dtype == dtype
    chance = 5 / math.sqrt(w.size)  # five standard deviations, relative to the spread
    assert abs(w.mean()) <= chance * deviation
    assert abs(w.std() - deviation) <= chance * deviation


def test_the_fan_in_counts_all_axes_but_the_last():
    assert_close(nn.he(KEY, (3, 3, 8, 4)).std() / math.sqrt(2 / 72), 1.0, rounding=2e6)
    with pytest.raises(ValueError, match=r"he .* takes a shape \(in_dim, out_dim\), got \(3,\)"):
        nn.he(KEY, (3,))
