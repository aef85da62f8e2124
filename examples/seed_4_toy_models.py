"""Gradients checked against finite differences, and simple models of toy data sets.

    python examples/seed_4_toy_models.py [--quick]

A gradient is checked by moving the parameters a little in random directions and watching the loss,
which also finds a derivative that is wrong. Then come a plane through noisy points, where gradient
descent must arrive at the least-squares solution, XOR, which no linear model can learn and a small
network can, two moons and two spirals. All data sets are functions of a key.
"""

import argparse

import numpy as np

from funcgrad import grad, nn, optim, random, stop_gradient, toy, training, tree
from funcgrad.check import GradientCheckError, check_grads, numerical_grad

# Every model here is a pair (init, apply) in float64, and its loss a function of the parameters.

LINEAR_MODEL = nn.linear(2, 1, dtype=np.float64)
LINEAR_CLASSIFIER = nn.linear(2, 2, dtype=np.float64)
NETWORK = nn.mlp(2, [16, 16], 2, activation=nn.tanh, weight_init=nn.glorot, dtype=np.float64)


def regression_loss(params, x, y):
    return nn.mse_loss(LINEAR_MODEL.apply(params, x)[:, 0], y)


def linear_loss(params, x, y):
    return nn.cross_entropy(LINEAR_CLASSIFIER.apply(params, x), y)


def network_loss(params, x, y):
    return nn.cross_entropy(NETWORK.apply(params, x), y)


def checked_models(key):
    """Name: (loss, its arguments), for a few points each."""
    data_key, init_key = random.split(key)
    return {
        "regression": (
            regression_loss,
            (LINEAR_MODEL.init(init_key), *toy.regression(data_key, 10)),
        ),
        "linear classifier": (
            linear_loss,
            (LINEAR_CLASSIFIER.init(init_key), *toy.moons(data_key, 10)),
        ),
        "network": (network_loss, (NETWORK.init(init_key), *toy.spirals(data_key, 10))),
    }


def largest_difference(loss, args):
    """Between the gradient by the parameters and the one by finite differences."""
    analytic, numerical = grad(loss)(*args), numerical_grad(loss)(*args)
    return max(
        float(np.max(np.abs(a - b)))
        for a, b in zip(tree.leaves(analytic), tree.leaves(numerical), strict=True)
    )


def half_a_square(x):
    """The sum of x², of whose derivative stop_gradient takes a half away."""
    return np.sum(x * stop_gradient(x))


# Training: every step sees the whole data set.


def train(loss_fn, params, optimizer, dataset, steps):
    """The trained parameters, and the loss before each step."""
    step, state, losses = training.make_step(loss_fn, optimizer), optimizer.init(params), []
    for _ in range(steps):
        params, state, loss = step(params, state, *dataset)
        losses.append(float(loss))
    return params, losses


def fit_plane(key, steps):
    """Weights and bias by gradient descent, and by least squares."""
    data_key, init_key = random.split(key)
    x, y = toy.regression(data_key, 200, weights=(2.0, -3.0), bias=1.0)
    params, _ = train(regression_loss, LINEAR_MODEL.init(init_key), optim.sgd(0.1), (x, y), steps)
    descended = np.concatenate([params["w"].ravel(), params["b"]])
    columns = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    return descended, np.linalg.lstsq(columns, y)[0]


def classify(key, make, model, loss_fn, steps):
    """The first and last loss, and the accuracy on new points."""
    train_key, test_key, init_key = random.split(key, 3)
    params, losses = train(
        loss_fn, model.init(init_key), optim.adam(0.03), make(train_key, 400), steps
    )
    x, y = make(test_key, 400)
    return losses[0], losses[-1], training.accuracy(model.apply(params, x), y)


# name: (data set, model, loss)
CLASSIFIERS = {
    "XOR, linear": (toy.xor, LINEAR_CLASSIFIER, linear_loss),
    "XOR, network": (toy.xor, NETWORK, network_loss),
    "moons, linear": (toy.moons, LINEAR_CLASSIFIER, linear_loss),
    "moons, network": (toy.moons, NETWORK, network_loss),
    "spirals, linear": (toy.spirals, LINEAR_CLASSIFIER, linear_loss),
    "spirals, network": (toy.spirals, NETWORK, network_loss),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="take 100 steps only")
    options = parser.parse_args()
    steps = 100 if options.quick else 500
    check_key, plane_key, classifier_key = random.split(random.key(0), 3)

    print("Gradients against finite differences: the largest difference of any parameter")
    for name, (loss, args) in checked_models(check_key).items():
        print(f"  {name:18} {largest_difference(loss, args):.1e}")
        check_grads(loss, args)
    print("check_grads finds nothing wrong with them, at first and second order, and says of a")
    print("function with half of its derivative missing:")
    try:
        check_grads(half_a_square, (np.array([1.0, 2.0]),))
    except GradientCheckError as error:
        print(f"  {error}")

    descended, least_squares = fit_plane(plane_key, steps)
    print("The plane 2 * x[0] - 3 * x[1] + 1 from noisy points: two weights and a bias")
    print(f"  gradient descent  {descended.round(6).tolist()}")
    print(f"  least squares     {least_squares.round(6).tolist()}")

    print(f"Classifiers after {steps} steps: first and last loss, accuracy on new points")
    for name, task in CLASSIFIERS.items():
        first, last, accuracy = classify(classifier_key, *task, steps)
        print(f"  {name:17} {first:.4f}  {last:.4f}  {accuracy:.1%}")


if __name__ == "__main__":
    main()
