"""A layer that is the solution of an equation: a network as deep as its input needs.

    python examples/implicit_layer.py [--quick]

The hidden state z of this network solves z = tanh(z V + x U + b). It is found by repeating the
layer until nothing changes, and differentiated through the equation, so that no step of the search
is kept. The network learns the shipped handwritten digits. (Bai, Kolter and Koltun, "Deep
equilibrium models", 2019.)
"""

import argparse

import numpy as np

from funcgrad import data, fixed_point, fori_loop, grad, make_graph, nn, optim, random, training

WIDTH = 32


def init(key):
    hidden, inputs, outputs = random.split(key, 3)
    return {
        "v": random.normal(hidden, (WIDTH, WIDTH)),
        "u": random.normal(inputs, (64, WIDTH)) / 8.0,
        "b": np.zeros(WIDTH),
        "w": random.normal(outputs, (WIDTH, 10)) / np.sqrt(WIDTH),
    }


def layer(z, params, x):
    """One step. It brings any two states nearer, since the norm of the matrix is less than 1."""
    v = params["v"] / (1.0 + np.sqrt(np.sum(params["v"] ** 2)))
    return np.tanh(z @ v + x @ params["u"] + params["b"])


def at_rest(params, x):
    return fixed_point(layer, np.zeros((len(x), WIDTH)), params, x)


def unrolled(params, x):
    """The same state by a fixed number of steps, all of which a gradient goes back through."""
    return fori_loop(0, 40, lambda _, z: layer(z, params, x), np.zeros((len(x), WIDTH)))


def loss_fn(params, x, labels, states=at_rest):
    return nn.cross_entropy(states(params, x) @ params["w"], labels)


def compare(params, x, labels):
    """The gradient through the equation beside that through forty steps."""

    def operations(states):
        gradient = grad(lambda params: loss_fn(params, x, labels, states))
        return len(make_graph(gradient)(params).equations)

    once = grad(loss_fn)(params, x, labels)
    steps = grad(loss_fn)(params, x, labels, unrolled)
    apart = max(np.max(np.abs(once[name] - steps[name])) for name in params)
    print(f"the two gradients differ by less than 1e-9: {apart < 1e-9}")
    print(f"operations: {operations(at_rest)} by the equation, {operations(unrolled)} by its steps")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="train for one epoch only")
    options = parser.parse_args(argv)

    order_key, init_key, fit_key = random.split(random.key(0), 3)
    images, labels = data.load_digits()
    order = random.permutation(order_key, len(labels))
    x, labels = images.reshape(len(images), -1)[order] / 16.0, labels[order]
    params = init(init_key)
    compare(params, x[:50], labels[:50])

    def evaluate(params):
        logits = at_rest(params, x[1437:]) @ params["w"]
        return {"test accuracy": training.accuracy(logits, labels[1437:])}

    _, history = training.fit(
        fit_key,
        params,
        loss_fn,
        optim.adam(0.01),
        (x[:1437], labels[:1437]),
        1 if options.quick else 10,
        50,
        evaluate,
    )
    return history


if __name__ == "__main__":
    main()
