"""One operation at a time: the gradient of each against its formula, and what is built from them.

    python examples/seed_3_op_checks.py [--quick]

First a row for every basic operation, with the gradient that calculus gives and the one that finite
differences give. Then the gradients of a linear model with a squared error, three optimizers on
(w − 5)² against their formulas, two losses on one sample and on a batch, and networks with three
activations, trained by the library's training function.
"""

import argparse

import numpy as np

from funcgrad import grad, nn, optim, random, toy, training, value_and_grad
from funcgrad.check import numerical_grad

# One operation at a time.

U = np.array([0.5, -1.5, 2.0])
V = np.array([1.5, 0.25, -2.0])
POSITIVE = np.array([0.5, 1.5, 3.0])
W = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]])
ONES = np.ones(3)


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


# name: (function, arguments, the gradient by each argument from the formula)
OPERATIONS = {
    "add": (lambda x, y: np.sum(x + y), (U, V), lambda x, y: (ONES, ONES)),
    "mul": (lambda x, y: np.sum(x * y), (U, V), lambda x, y: (y, x)),
    "pow": (
        lambda x, y: np.sum(x**y),
        (POSITIVE, V),
        lambda x, y: (y * x ** (y - 1.0), x**y * np.log(x)),
    ),
    "div": (lambda x, y: np.sum(x / y), (U, V), lambda x, y: (1.0 / y, -x / y**2)),
    "exp": (lambda x: np.sum(np.exp(x)), (U,), lambda x: (np.exp(x),)),
    "log": (lambda x: np.sum(np.log(x)), (POSITIVE,), lambda x: (1.0 / x,)),
    "relu": (lambda x: np.sum(nn.relu(x)), (U,), lambda x: (np.array([1.0, 0.0, 1.0]),)),
    "sigmoid": (
        lambda x: np.sum(nn.sigmoid(x)),
        (U,),
        lambda x: (_sigmoid(x) * _sigmoid(-x),),
    ),
    "tanh": (lambda x: np.sum(np.tanh(x)), (U,), lambda x: (1.0 / np.cosh(x) ** 2,)),
    "W @ x": (
        lambda w, x: np.sum(w @ x),
        (W, U),
        lambda w, x: (np.outer(np.ones(2), x), w.T @ np.ones(2)),
    ),
    "sum": (lambda w: np.sum(np.sum(w, axis=0) ** 2), (W,), lambda w: (2.0 * (w + w[::-1]),)),
    "mean": (lambda w: np.mean(w), (W,), lambda w: (np.full((2, 3), 1.0 / 6.0),)),
    "max": (
        lambda w: np.sum(np.max(w, axis=1)),
        (W,),
        lambda w: (np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),),
    ),
    "broadcast": (
        lambda w, x: np.sum(w * x),
        (W, U),
        lambda w, x: (np.stack([x, x]), w.sum(axis=0)),
    ),
    "reshape + transpose": (
        lambda w, x: np.sum(np.transpose(np.reshape(w, (3, 2)))[0] * x),
        (W, U),
        lambda w, x: (
            np.array([[x[0], 0.0, x[1]], [0.0, x[2], 0.0]]),
            np.array([w[0, 0], w[0, 2], w[1, 1]]),
        ),
    ),
    "slice": (
        lambda w: np.sum(w[:, 1:] ** 2),
        (W,),
        lambda w: (np.stack([np.zeros(2), 2.0 * w[:, 1], 2.0 * w[:, 2]], axis=1),),
    ),
}


def operation_errors(name):
    """How far the gradient of an operation is from its formula, and from finite differences."""
    f, args, formula = OPERATIONS[name]
    everything = tuple(range(len(args)))
    gradient = grad(f, everything)(*args)
    return (
        largest_difference(gradient, formula(*args)),
        largest_difference(gradient, numerical_grad(f, everything)(*args)),
    )


def largest_difference(some, others):
    return max(float(np.max(np.abs(a - b))) for a, b in zip(some, others, strict=True))


# A linear model and its squared error.

SAMPLE = np.array([1.0, 2.0])
WEIGHTS = np.array([[1.0, 2.0], [1.0, 1.0]])
BIAS = np.array([1.0, 1.0])
LABEL = np.array([5.0, 5.0])


def squared_error(x, w, b):
    return np.sum((w @ x + b - LABEL) ** 2)


# Optimizers on (w - 5)² from w = 0, whose gradient is 2 (w - 5), and what their formulas give.


def descend(optimizer, steps):
    """The values of w, one for each step."""
    w, path = 0.0, []
    state = optimizer.init(w)
    for _ in range(steps):
        gradient = grad(lambda w: (w - 5.0) ** 2)(w)
        updates, state = optimizer.update(gradient, state, w)
        w = optim.apply_updates(w, updates)
        path.append(float(w))
    return path


def sgd_formula(steps, rate=0.1):
    """Every step takes 2 · rate of the way that is left."""
    return [5.0 - 5.0 * (1.0 - 2.0 * rate) ** k for k in range(1, steps + 1)]


def momentum_formula(steps, rate=0.1, decay=0.9):
    w, velocity, path = 0.0, 0.0, []
    for _ in range(steps):
        velocity = decay * velocity + 2.0 * (w - 5.0)
        w -= rate * velocity
        path.append(w)
    return path


def adam_formula(steps, rate=0.1, b1=0.9, b2=0.999, eps=1e-8):
    w, mean, square, path = 0.0, 0.0, 0.0, []
    for k in range(1, steps + 1):
        gradient = 2.0 * (w - 5.0)
        mean = b1 * mean + (1.0 - b1) * gradient
        square = b2 * square + (1.0 - b2) * gradient**2
        w -= rate * (mean / (1.0 - b1**k)) / ((square / (1.0 - b2**k)) ** 0.5 + eps)
        path.append(w)
    return path


OPTIMIZERS = {
    "SGD": (optim.sgd(0.1), sgd_formula),
    "momentum 0.9": (optim.sgd(0.1, momentum=0.9), momentum_formula),
    "Adam": (optim.adam(0.1), adam_formula),
}


# Losses, on one sample or on a batch of them.

LOGITS = np.array([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0]])
CLASSES = np.array([0, 2])
PREDICTIONS = np.array([[1.0, 2.0], [3.0, 5.0]])
TARGETS = np.array([[0.0, 2.0], [1.0, 1.0]])
LOSSES = {
    "cross-entropy of one sample": (nn.cross_entropy, LOGITS[0], CLASSES[0]),
    "cross-entropy of a batch": (nn.cross_entropy, LOGITS, CLASSES),
    "squared error of one sample": (nn.mse_loss, PREDICTIONS[0], TARGETS[0]),
    "squared error of a batch": (nn.mse_loss, PREDICTIONS, TARGETS),
}


def loss_and_gradient(name):
    loss, outputs, wanted = LOSSES[name]
    return value_and_grad(loss)(outputs, wanted)


# Networks with three activations, trained by the library's training function on two moons.

ACTIVATIONS = {"ReLU": nn.relu, "tanh": nn.tanh, "sigmoid": nn.sigmoid}


def train_network(activation, epochs, seed=0):
    """The history of a network of 16 hidden units; its accuracy is that on other points."""
    train_key, test_key, init_key, shuffle_key = random.split(random.key(seed), 4)
    test_x, test_y = toy.moons(test_key, 500)
    model = nn.mlp(2, 16, 2, activation=activation)
    _, history = training.fit(
        shuffle_key,
        model.init(init_key),
        lambda params, x, y: nn.cross_entropy(model.apply(params, x), y),
        optim.adam(0.03),
        toy.moons(train_key, 500),
        epochs=epochs,
        batch_size=50,
        evaluate=lambda params: {
            "accuracy": training.accuracy(model.apply(params, test_x), test_y)
        },
        progress=False,
    )
    return history


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="train for five epochs only")
    options = parser.parse_args()

    print("The gradient of each operation: distance to its formula, to finite differences")
    for name in OPERATIONS:
        print("  {:20} {:.1e}  {:.1e}".format(name, *operation_errors(name)))

    loss, (dx, dw, db) = value_and_grad(squared_error, argnums=(0, 1, 2))(SAMPLE, WEIGHTS, BIAS)
    print("loss = sum((W @ x + b - label)**2)")
    print(f"  loss {loss}, by x {dx.tolist()}, by W {dw.tolist()}, by b {db.tolist()}")

    print("(w - 5)**2 from w = 0 with rate 0.1: the first five w, and the distance to the formula")
    for name, (optimizer, formula) in OPTIMIZERS.items():
        path = descend(optimizer, 100)
        first = " ".join(f"{w:.6f}" for w in path[:5])
        print(f"  {name:12} {first}  {largest_difference(path, formula(100)):.1e}")

    for name in LOSSES:
        value, gradient = loss_and_gradient(name)
        print(f"{name}: {value:.6f}, gradient {gradient.round(4).tolist()}")

    epochs = 5 if options.quick else 30
    print(
        f"Two moons, {epochs} epochs: mean loss of the first and the last, accuracy on new points"
    )
    for name, activation in ACTIVATIONS.items():
        history = train_network(activation, epochs)
        first, last = history[0], history[-1]
        print(f"  {name:8} {first['loss']:.4f}  {last['loss']:.4f}  {last['accuracy']:.1%}")


if __name__ == "__main__":
    main()
