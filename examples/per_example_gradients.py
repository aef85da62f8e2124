"""The gradient of every example of a batch, clipped: training that no single example can sway.

    python examples/per_example_gradients.py [--quick]

`vmap(grad(loss), (None, 0, 0))` gives one gradient an example, all in one pass of matrix products.
Each is shortened to a given length before they are averaged, and noise in proportion to that length
hides what any one of them brought: the step of differentially private training (Abadi et al., "Deep
learning with differential privacy", 2016, algorithm 1). The network learns the shipped digits.
"""

import argparse

import numpy as np

from funcgrad import data, grad, nn, optim, random, training, tree, vmap

MODEL = nn.mlp(64, [64], 10)
CLIP, NOISE = 1.0, 0.5  # a length, and the noise as a part of it


def loss_fn(params, x, label):
    """The loss of one example or, as a mean, of a batch."""
    return nn.cross_entropy(MODEL.apply(params, x), label)


per_example_gradients = vmap(grad(loss_fn), (None, 0, 0))


def lengths(gradients):
    """The length of each example's gradient over all parameters."""
    squares = [np.sum(g.reshape(len(g), -1) ** 2, axis=1) for g in tree.leaves(gradients)]
    return np.sqrt(np.sum(squares, axis=0))


def clipped(gradients):
    """The same gradients, each no longer than CLIP."""
    factor = np.minimum(1.0, CLIP / np.maximum(lengths(gradients), 1e-12))
    return tree.map(lambda g: g * factor.reshape(-1, *[1] * (g.ndim - 1)), gradients)


def private_gradient(key, params, x, labels):
    """The mean of the clipped gradients, with noise on every element."""
    leaves, structure = tree.flatten(clipped(per_example_gradients(params, x, labels)))
    noisy = [
        (np.sum(g, axis=0) + NOISE * CLIP * random.normal(k, g.shape[1:], g.dtype)) / len(x)
        for k, g in zip(random.split(key, len(leaves)), leaves)
    ]
    return tree.unflatten(structure, noisy)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="train for two epochs, not for ten")
    epochs = 2 if parser.parse_args(argv).quick else 10

    order_key, init_key, train_key = random.split(random.key(0), 3)
    images, labels = data.load_digits()
    order = random.permutation(order_key, len(labels))
    x, labels = images.reshape(-1, 64)[order].astype(np.float32) / 16.0, labels[order]
    params = MODEL.init(init_key)

    gradients = per_example_gradients(params, x[:100], labels[:100])
    mean = tree.map(lambda g: np.mean(g, axis=0), gradients)
    together = grad(loss_fn)(params, x[:100], labels[:100])
    for one, other in zip(tree.leaves(mean), tree.leaves(together)):
        assert np.allclose(one, other, rtol=1e-4, atol=1e-6)
    before, after = lengths(gradients), lengths(clipped(gradients))
    assert np.all(after <= CLIP * (1.0 + 1e-5))
    print("the mean of 100 examples' gradients is the gradient of their mean loss")
    print(f"their lengths: {before.min():.2f} to {before.max():.2f}, clipped to {after.max():.2f}")

    optimizer = optim.sgd(0.5)
    state = optimizer.init(params)
    for epoch, epoch_key in enumerate(random.split(train_key, epochs), 1):
        keys = random.split(epoch_key, 15)
        for key, batch in zip(keys[1:], random.permutation(keys[0], 1400).reshape(14, 100)):
            gradient = private_gradient(key, params, x[batch], labels[batch])
            updates, state = optimizer.update(gradient, state, params)
            params = optim.apply_updates(params, updates)
        accuracy = training.accuracy(MODEL.apply(params, x[1400:]), labels[1400:])
        print(f"epoch {epoch:2}: test accuracy {accuracy:.1%}")
    assert accuracy > (0.6 if epochs == 2 else 0.85)
    return accuracy


if __name__ == "__main__":
    main()
