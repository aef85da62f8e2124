"""The five seed programs: the numbers that each computes and prints."""

import math
import sys

import numpy as np
import pytest
from loading import load

from funcgrad import data, debug, grad, nn, random, value_and_grad
from funcgrad.check import GradientCheckError, check_grads, numerical_grad

EPS = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)


engine = load("seed_1_engine")
by_hand = load("seed_2_tape_by_hand")
op_checks = load("seed_3_op_checks")
toy_models = load("seed_4_toy_models")
step_by_step = load("seed_5_step_by_step")


def printed(program, capsys, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["program", *options])
    program.main()
    return capsys.readouterr().out


# 1. The engine.


@pytest.mark.parametrize(
    ("name", "value", "gradients"),
    [
        ("Add", 10.0, [[1, 1], [1, 1]]),
        ("Mul", 11.0, [[3, 4], [1, 2]]),
        ("MatMul", 56.0, [[[5, 6], [5, 6]], [4, 6]]),
        ("Pow", 17.0, [[3, 32], [0, 16 * math.log(2)]]),
        ("Sum", 7.0, [[1, 1]]),
        ("ReLU", 2.0, [[0, 0, 1]]),
        ("Log", math.log(2), [[1, 0.5]]),
        ("Softmax", 0.75, [[-0.1875, 0.1875]]),
        ("NLLLoss", -math.log(0.75), [[0, -1]]),
        ("CrossEntropyLoss", -math.log(0.75), [[0.25, -0.25]]),
    ],
)
def test_an_operation_in_float32(name, value, gradients):
    got, got_gradients = engine.operation(name)
    assert got.dtype == np.float32
    assert [g.dtype for g in got_gradients] == [np.float32] * len(gradients)
    np.testing.assert_allclose(got, value, rtol=4 * EPS32)
    for g, expected in zip(got_gradients, gradients, strict=True):
        np.testing.assert_allclose(g, expected, rtol=4 * EPS32)


def test_every_operation_of_the_engine_is_there():
    names = "Add Mul MatMul Pow Sum ReLU CrossEntropyLoss Log NLLLoss Softmax".split()
    assert sorted(engine.OPERATIONS) == sorted(names)


def neuron_arguments():
    return np.float32(2.0), np.float32(3.0), np.float32(-4.0)


def test_a_neuron():
    value, gradients = value_and_grad(engine.neuron, argnums=(0, 1, 2))(*neuron_arguments())
    assert value == 2.0
    assert gradients == (3.0, 2.0, 1.0)
    assert {x.dtype for x in (value, *gradients)} == {np.dtype(np.float32)}


def test_the_sum_of_a_relu():
    a = np.array([0.4, 1.0, -2.0], np.float32)
    value, gradient = value_and_grad(engine.sum_of_relu)(a)
    assert value == 1.0
    assert gradient.tolist() == [0.0, 2.0, 0.0]
    assert gradient.dtype == np.float32


def columns(lines):
    """Lines of a printout as their columns, which two or more spaces divide."""
    return [[part.strip() for part in line.split("  ") if part.strip()] for line in lines]


def test_the_graph_of_a_neuron_is_edges_and_then_the_walk():
    lines = debug.tape(engine.neuron)(*neuron_arguments()).splitlines()
    walk = next(i for i, line in enumerate(lines) if line.startswith("cotangents"))
    assert [edge for edge, _ in columns(lines[2:walk])] == [
        "x → a = multiply",
        "w → a = multiply",
        "a → c = add",
        "b → c = add",
        "c → d = relu",
    ]
    assert columns(lines[walk + 1 :]) == [
        ["d = relu", "1.0"],
        ["c = add", "1.0"],
        ["a = multiply", "1.0"],
        ["x", "3.0"],
        ["w", "2.0"],
        ["b", "1.0"],
    ]


def test_both_ways_to_the_loss_have_one_gradient():
    logits = random.normal(random.key(1), (20, 10), np.float32)
    labels = random.randint(random.key(2), 20, 0, 10)
    value, gradient = value_and_grad(nn.cross_entropy)(logits, labels)
    longer_value, longer_gradient = value_and_grad(engine.softmax_log_nll)(logits, labels)
    np.testing.assert_allclose(longer_value, value, rtol=8 * EPS32)
    # Entries of the gradient are differences of numbers up to 1 / 20.
    np.testing.assert_allclose(longer_gradient, gradient, rtol=0, atol=8 * EPS32 / 20)
    assert longer_gradient.dtype == np.float32


@pytest.mark.parametrize("loss", [nn.cross_entropy, engine.softmax_log_nll])
def test_digits_are_learnt_by_either_loss(loss):
    history = engine.train(loss, engine.digits(random.key(0)), epochs=6, progress=False)
    assert history[-1]["loss"] < 0.5 < 1.5 < history[0]["loss"]
    assert history[-1]["test accuracy"] > 0.9


def test_mnist_comes_as_rows_between_0_and_1(tiny_mnist):
    train_x, train_y, test_x, test_y = engine.mnist()
    assert train_x.shape == (20, 784)
    assert (train_x.dtype, train_x.min(), train_x.max()) == (np.float32, 0.0, 1.0)
    assert (test_x.shape, train_y.shape, test_y.shape) == ((10, 784), (20,), (10,))


@pytest.fixture
def tiny_mnist(monkeypatch):
    """20 images to train on and 10 to test with, in the shape and dtype of MNIST's."""
    images = random.randint(random.key(3), (30, 28, 28), 0, 256).astype(np.uint8)
    images[0, 0, :2] = 0, 255
    labels = random.randint(random.key(4), 30, 0, 10)
    mnist = data.MNIST(images[:20], labels[:20], images[20:], labels[20:])
    monkeypatch.setattr(data, "load_mnist", lambda: mnist)
    return mnist


def test_program_1_prints_its_numbers(capsys, monkeypatch):
    out = printed(engine, capsys, monkeypatch, "--quick")
    assert "f = 2.0, gradient (3.0, 2.0, 1.0)" in out
    assert "1.0, gradient [0.0, 2.0, 0.0]" in out
    assert debug.tape(engine.neuron)(*neuron_arguments()) in out
    assert out.count("epoch 2/2") == 2


# 2. The tape by hand.


def test_product_then_square():
    assert by_hand.product_then_square_by_pullbacks(3.0, 2.0) == (36.0, (24.0, 36.0))
    assert value_and_grad(by_hand.product_then_square, (0, 1))(3.0, 2.0) == (36.0, (24.0, 36.0))


def test_the_intricate_chain_rule():
    value, gradient = value_and_grad(by_hand.intricate, argnums=(0, 1))(3.0, -4.0)
    np.testing.assert_allclose(gradient, [2.0595697955721652, 1.5922327514838093], rtol=4 * EPS)
    value_by_hand, gradient_by_hand = by_hand.intricate_by_hand(3.0, -4.0)
    np.testing.assert_allclose(value, value_by_hand, rtol=4 * EPS)
    np.testing.assert_allclose(gradient, gradient_by_hand, rtol=4 * EPS)


def test_two_linear_layers():
    y = by_hand.two_layers(by_hand.LAYERS, by_hand.X)
    np.testing.assert_allclose(y, [[0.43], [3.216], [-0.22], [0.643]], rtol=16 * EPS)
    expected = {
        "x": [[-0.1, 0.06, 1.33]] * 4,
        "A1": [[5.98, -0.39, -3.51], [-7.36, 0.48, 4.32]],
        "b1": [-5.2, 6.4],
        "A2": [[1.03, 3.38]],
        "b2": [4.0],
    }
    gradient = by_hand.two_layers_gradient(by_hand.LAYERS, by_hand.X)
    written_out = by_hand.two_layers_gradient_by_hand(by_hand.LAYERS, by_hand.X)
    assert gradient.keys() == written_out.keys() == expected.keys()
    for name, numbers in expected.items():
        # Sums of a few products of numbers up to 3.
        np.testing.assert_allclose(gradient[name], numbers, rtol=16 * EPS, atol=16 * EPS)
        np.testing.assert_allclose(written_out[name], numbers, rtol=16 * EPS, atol=16 * EPS)


def test_two_layers_of_the_library_are_the_same():
    layers = by_hand.LAYERS
    model = nn.serial(nn.linear(3, 2), nn.linear(2, 1))
    params = (
        {"w": layers["A1"].T, "b": layers["b1"]},
        {"w": layers["A2"].T, "b": layers["b2"]},
    )
    first, second = grad(lambda params: np.sum(model.apply(params, by_hand.X)))(params)
    expected = by_hand.two_layers_gradient(layers, by_hand.X)
    np.testing.assert_allclose(first["w"].T, expected["A1"], rtol=16 * EPS, atol=16 * EPS)
    np.testing.assert_allclose(first["b"], expected["b1"], rtol=16 * EPS)
    np.testing.assert_allclose(second["w"].T, expected["A2"], rtol=16 * EPS)
    np.testing.assert_allclose(second["b"], expected["b2"], rtol=16 * EPS)


def test_a_classifier_of_normalised_digits_trains():
    train, test = by_hand.normalised_digits(random.key(0))
    assert train[0].dtype == np.float32
    assert train[0].mean() == pytest.approx(0.0, abs=1e-5)
    assert train[0].std() == pytest.approx(1.0, abs=1e-5)
    history = list(by_hand.train_classifier(train, test, epochs=5))
    assert history == list(by_hand.train_classifier(train, test, epochs=5))
    losses, accuracies = zip(*history)
    assert losses[-1] < 0.25 < 1.0 < losses[0]
    assert accuracies[-1] > 0.9


def test_mnist_is_normalised_by_its_mean_and_deviation(tiny_mnist):
    (train_x, train_y), (test_x, test_y) = by_hand.normalised_mnist()
    assert (train_x.shape, test_x.shape, train_x.dtype) == ((20, 784), (10, 784), np.float32)
    np.testing.assert_allclose(
        train_x[0, :2], [-0.1307 / 0.3081, (1 - 0.1307) / 0.3081], rtol=4 * EPS32
    )
    assert (train_y.shape, test_y.shape) == ((20,), (10,))


def test_program_2_prints_its_numbers(capsys, monkeypatch):
    out = printed(by_hand, capsys, monkeypatch, "--quick")
    assert out.count("g = 36.0, gradient (24.0, 36.0)") == 2
    assert out.count("gradient (2.05956979557216") == out.count(", 1.592232751483") == 2
    assert "y = [0.43, 3.216, -0.22, 0.643]" in out
    assert "[[5.98, -0.39, -3.51], [-7.36, 0.48, 4.32]]" in out
    assert "[-5.2, 6.4]" in out
    assert out.count("[-0.1, 0.06, 1.33]") == 4
    assert out.count("  epoch ") == 2


# 3. One operation at a time, and what is built from them.


def test_every_operation_of_the_list_is_checked():
    names = "add mul pow div exp log relu sigmoid tanh W@x sum mean max broadcast".split()
    names += ["reshape+transpose", "slice"]
    assert [name.replace(" ", "") for name in op_checks.OPERATIONS] == names


@pytest.mark.parametrize("name", op_checks.OPERATIONS)
def test_an_operation_has_the_gradient_of_its_formula(name):
    f, args, formula = op_checks.OPERATIONS[name]
    gradient = grad(f, argnums=tuple(range(len(args))))(*args)
    for g, x, expected in zip(gradient, args, formula(*args), strict=True):
        assert g.shape == x.shape
        np.testing.assert_allclose(g, expected, rtol=4 * EPS)
    off_formula, off_differences = op_checks.operation_errors(name)
    assert off_formula < 16 * EPS
    assert off_differences < math.sqrt(EPS)


def test_squared_error_of_a_linear_model():
    value, (dx, dw, db) = value_and_grad(op_checks.squared_error, argnums=(0, 1, 2))(
        op_checks.SAMPLE, op_checks.WEIGHTS, op_checks.BIAS
    )
    assert value == 2.0
    assert dx.tolist() == [0.0, 2.0]
    assert dw.tolist() == [[2.0, 4.0], [-2.0, -4.0]]
    assert db.tolist() == [2.0, -2.0]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("SGD", [1.0, 1.8, 2.44, 2.952]),
        ("momentum 0.9", [1.0, 2.7, 4.69, 6.543]),
        ("Adam", [0.1 * 10.0 / (10.0 + 1e-8)]),
    ],
)
def test_an_optimizer_follows_its_formula(name, first):
    optimizer, formula = op_checks.OPTIMIZERS[name]
    path = op_checks.descend(optimizer, 100)
    np.testing.assert_allclose(path[: len(first)], first, rtol=16 * EPS)
    # The rounding errors of up to 100 steps.
    np.testing.assert_allclose(path, formula(100), rtol=100 * EPS)


def log_sum_exp(row):
    return math.log(sum(map(math.exp, row)))


def test_cross_entropy_of_a_sample_and_of_a_batch():
    first, second = op_checks.LOGITS.tolist()
    one = log_sum_exp(first) - first[0]
    both = (one + log_sum_exp(second) - second[2]) / 2
    for name, expected in [("one sample", one), ("a batch", both)]:
        value, gradient = op_checks.loss_and_gradient(f"cross-entropy of {name}")
        assert value == pytest.approx(expected, rel=8 * EPS)
        np.testing.assert_allclose(gradient.sum(axis=-1), 0.0, atol=8 * EPS)
    np.testing.assert_allclose(
        gradient[0], (nn.softmax(op_checks.LOGITS[0]) - [1, 0, 0]) / 2, rtol=8 * EPS
    )


def test_squared_error_of_a_sample_and_of_a_batch():
    value, gradient = op_checks.loss_and_gradient("squared error of one sample")
    assert (value, gradient.tolist()) == (0.5, [1.0, 0.0])
    value, gradient = op_checks.loss_and_gradient("squared error of a batch")
    assert (value, gradient.tolist()) == (5.25, [[0.5, 0.0], [1.0, 2.0]])


@pytest.mark.parametrize("name", ["ReLU", "tanh", "sigmoid"])
def test_a_network_with_each_activation_trains(name):
    history = op_checks.train_network(op_checks.ACTIVATIONS[name], epochs=30)
    assert history == op_checks.train_network(op_checks.ACTIVATIONS[name], epochs=30)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["accuracy"] > (0.9 if name == "sigmoid" else 0.97)


def test_program_3_prints_its_numbers(capsys, monkeypatch):
    out = printed(op_checks, capsys, monkeypatch, "--quick")
    assert "loss 2.0, by x [0.0, 2.0], by W [[2.0, 4.0], [-2.0, -4.0]], by b [2.0, -2.0]" in out
    assert "1.000000 1.800000 2.440000 2.952000" in out
    assert "1.000000 2.700000 4.690000 6.543000" in out


# 4. Gradient checking, and models of toy data.

MODELS = toy_models.checked_models(random.key(0))


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_of_a_model_is_checked(name):
    loss, args = MODELS[name]
    check_grads(loss, args, order=2)
    assert toy_models.largest_difference(loss, args) < math.sqrt(EPS)


def test_a_wrong_gradient_is_found():
    with pytest.raises(GradientCheckError, match=r"vjp of half_a_square .* at x"):
        check_grads(toy_models.half_a_square, (np.array([1.0, 2.0]),))


def test_descent_arrives_at_the_least_squares_solution():
    descended, least_squares = toy_models.fit_plane(random.key(0), steps=300)
    np.testing.assert_allclose(descended, least_squares, rtol=64 * EPS)
    # 200 points with noise 0.1 fix each number to about 0.1 / sqrt(200).
    np.testing.assert_allclose(least_squares, [2.0, -3.0, 1.0], atol=5 * 0.1 / math.sqrt(200))


@pytest.mark.parametrize(
    ("name", "at_least", "at_most"),
    [
        ("XOR, linear", 0.0, 0.75),
        ("XOR, network", 0.97, 1.0),
        ("moons, linear", 0.8, 0.95),
        ("moons, network", 0.97, 1.0),
        ("spirals, linear", 0.0, 0.75),
        ("spirals, network", 0.95, 1.0),
    ],
)
def test_what_a_model_can_learn(name, at_least, at_most):
    first, last, accuracy = toy_models.classify(
        random.key(0), *toy_models.CLASSIFIERS[name], steps=300
    )
    assert last < first
    assert at_least <= accuracy <= at_most


def test_program_4_prints_its_numbers(capsys, monkeypatch):
    out = printed(toy_models, capsys, monkeypatch, "--quick")
    plane = out.split("gradient descent", 1)[1].splitlines()
    assert plane[0].strip() == plane[1].removeprefix("  least squares").strip()
    assert "the vjp of half_a_square disagrees" in out
    assert out.count(", network ") == out.count(", linear ") == 3


# 5. Step by step.


def test_a_chain_of_functions():
    assert grad(step_by_step.chain)(0.5) == 3.297442541400256
    numerical = step_by_step.numerical_derivative(step_by_step.chain, 0.5)
    assert numerical == pytest.approx(3.297442541400256, abs=1e-6)  # a multiple of 1e-4 squared


def test_a_variable_used_twice_and_nothing_to_clear():
    assert step_by_step.same_variable_twice(3.0) == (2.0, 3.0)
    assert step_by_step.same_variable_twice(3.0) == (2.0, 3.0)


def test_a_diamond_is_walked_once():
    assert value_and_grad(step_by_step.diamond)(2.0) == (32.0, 64.0)
    lines = debug.tape(step_by_step.diamond)(2.0).splitlines()
    walk = next(i for i, line in enumerate(lines) if line.startswith("cotangents"))
    assert [edge.split(" =")[0] for edge, _ in columns(lines[2:walk])] == [
        "x → a",
        "a → left",
        "a → right",
        "left → y",
        "right → y",
    ]
    visits = [(node.split(" =")[0], g) for node, g in columns(lines[walk + 1 :])]
    assert visits == [
        ("y", "1.0"),
        ("right", "1.0"),
        ("left", "1.0"),
        ("a", "16.0"),
        ("x", "64.0"),
    ]


def test_a_sum_of_squares():
    assert value_and_grad(step_by_step.sum_of_squares, (0, 1))(2.0, 3.0) == (13.0, (4.0, 6.0))


def test_a_value_computed_without_recording_costs_no_tape():
    point = np.array([3.0, 4.0])
    assert step_by_step.tape_edges(step_by_step.share_of_length, point) == 6
    assert step_by_step.tape_edges(step_by_step.share_of_fixed_length, point) == 2
    gradient = grad(step_by_step.share_of_fixed_length)(point)
    np.testing.assert_allclose(gradient, [0.2, 0.2], rtol=4 * EPS)
    gradient = grad(step_by_step.share_of_length)(point)
    np.testing.assert_allclose(gradient, [4 / 125, -3 / 125], rtol=16 * EPS)


@pytest.mark.parametrize("name", step_by_step.OPERATORS)
def test_an_operator_with_numbers_and_arrays_on_either_side(name):
    f = step_by_step.OPERATORS[name]
    gradient = step_by_step.operator_gradients()[name]
    numerical = numerical_grad(lambda t: np.sum(f(t)))(step_by_step.T)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-8, atol=1e-8)


def test_program_5_prints_its_numbers(capsys, monkeypatch):
    out = printed(step_by_step, capsys, monkeypatch)
    assert "3.297442541400256" in out
    assert "d(x + x)/dx = 2.0, then d((x + x) + x)/dx = 3.0" in out
    assert "y = 32.0, dy/dx = 64.0" in out
    assert "dz/dx = 4.0, dz/dy = 6.0" in out
    assert {"left", "right"} < set(out.split())
