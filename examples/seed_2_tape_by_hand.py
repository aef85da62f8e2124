"""The tape by hand: the chain rule written out step by step, and beside it what `grad` gives.

    python examples/seed_2_tape_by_hand.py [--mnist] [--quick]

Backpropagation is a walk: every step of a program is undone in reverse order, each turning the
derivative by its result into derivatives by its inputs. This program does the walk by hand three
times, on a product, on an intricate formula and on a network of two layers, and asks the library
for the same numbers. Then it leaves the walking to the library and trains a digit classifier.
"""

import argparse

import numpy as np

from funcgrad import data, grad, nn, optim, random, value_and_grad, vjp

# g = f², f = x·y: two steps, each with its pullback.


def product_then_square(x, y):
    return (x * y) ** 2


def product_then_square_by_pullbacks(x, y):
    f, pull_product = vjp(np.multiply, x, y)
    g, pull_square = vjp(np.square, f)
    (dg_df,) = pull_square(1.0)
    return g, pull_product(dg_df)


# (x + σ(y)) / (σ(x) + (x + y)²): every line of the walk undoes one line of the program.


def intricate(x, y):
    return (x + nn.sigmoid(y)) / (nn.sigmoid(x) + (x + y) ** 2)


def intricate_by_hand(x, y):
    sigmoid_y = 1.0 / (1.0 + np.exp(-y))
    numerator = x + sigmoid_y
    sigmoid_x = 1.0 / (1.0 + np.exp(-x))
    total = x + y
    denominator = sigmoid_x + total**2
    result = numerator / denominator

    d_numerator = 1.0 / denominator
    d_denominator = -numerator / denominator**2
    d_total = d_denominator * 2.0 * total
    dx = d_total
    dy = d_total
    dx += d_denominator * sigmoid_x * (1.0 - sigmoid_x)
    dx += d_numerator
    dy += d_numerator * sigmoid_y * (1.0 - sigmoid_y)
    return result, (dx, dy)


# Two linear layers, x @ A1ᵀ + b1 and then @ A2ᵀ + b2, and the sum of what comes out.

X = np.array([[0.6, -0.7, 0.4], [-2.9, 0.0, 2.2], [-0.4, 0.1, -0.2], [-1.9, 0.9, 0.3]])
LAYERS = {
    "A1": np.array([[0.2, 0.2, 0.7], [0.1, 0.2, 1.4]]),
    "b1": np.zeros(2),
    "A2": np.array([[-1.3, 1.6]]),
    "b2": np.zeros(1),
}


def two_layers(layers, x):
    return (x @ layers["A1"].T + layers["b1"]) @ layers["A2"].T + layers["b2"]


def two_layers_gradient(layers, x):
    """The gradient of the sum of the result by every parameter and by x."""
    d_layers, dx = grad(lambda layers, x: np.sum(two_layers(layers, x)), argnums=(0, 1))(layers, x)
    return {**d_layers, "x": dx}


def two_layers_gradient_by_hand(layers, x):
    """The same: a layer y = x @ Aᵀ + b turns dy into dA = dyᵀ @ x, db = Σ dy and dx = dy @ A."""
    hidden = x @ layers["A1"].T + layers["b1"]
    dy = np.ones((len(x), 1))
    d_hidden = dy @ layers["A2"]
    return {
        "A2": dy.T @ hidden,
        "b2": dy.sum(0),
        "A1": d_hidden.T @ x,
        "b1": d_hidden.sum(0),
        "x": d_hidden @ layers["A1"],
    }


# A fully connected classifier of normalised digits.

MNIST_MEAN, MNIST_STD = 0.1307, 0.3081  # of the training pixels, on the scale from 0 to 1


def normalised_mnist():
    """(training images and labels), (test images and labels); images as rows of float32."""
    train_x, train_y, test_x, test_y = data.load_mnist()

    def normalise(images):
        rows = images.reshape(len(images), -1).astype(np.float32) / 255.0
        return (rows - MNIST_MEAN) / MNIST_STD

    return (normalise(train_x), train_y), (normalise(test_x), test_y)


def normalised_digits(key):
    """The same of the 8 × 8 digits: 1,500 to train on, 297 to test with."""
    images, labels = random_rows(key, data.load_digits())
    rows = images.reshape(len(images), -1).astype(np.float32) / 16.0
    train, test = rows[:1500], rows[1500:]
    mean, std = train.mean(), train.std()
    return ((train - mean) / std, labels[:1500]), ((test - mean) / std, labels[1500:])


def random_rows(key, arrays):
    order = random.permutation(key, len(arrays[0]))
    return [array[order] for array in arrays]


def train_classifier(train, test, epochs, seed=0):
    """Yields the mean training loss and the test accuracy of each epoch."""
    init_key, shuffle_key = random.split(random.key(seed))
    model = nn.mlp(train[0].shape[1], [128, 64], 10)
    optimizer = optim.sgd(0.1)

    def loss_fn(params, x, y):
        return nn.cross_entropy(model.apply(params, x), y)

    params = model.init(init_key)
    state = optimizer.init(params)
    for epoch in range(epochs):
        losses = []
        for x, y in data.batches(random.fold_in(shuffle_key, epoch), train, 100):
            loss, grads = value_and_grad(loss_fn)(params, x, y)
            updates, state = optimizer.update(grads, state, params)
            params = optim.apply_updates(params, updates)
            losses.append(loss)
        guesses = np.argmax(model.apply(params, test[0]), axis=1)
        yield float(np.mean(losses)), float(np.mean(guesses == test[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", action="store_true", help="train on MNIST, not on 8x8 digits")
    parser.add_argument("--quick", action="store_true", help="train for two epochs only")
    options = parser.parse_args()

    g, (dx, dy) = product_then_square_by_pullbacks(3.0, 2.0)
    print("g = f**2, f = x * y at (3, 2)")
    print(f"  one pullback after the other: g = {g}, gradient ({dx}, {dy})")
    g, (dx, dy) = value_and_grad(product_then_square, argnums=(0, 1))(3.0, 2.0)
    print(f"  value_and_grad:               g = {g}, gradient ({dx}, {dy})")

    f, (dx, dy) = intricate_by_hand(3.0, -4.0)
    print("f = (x + sigmoid(y)) / (sigmoid(x) + (x + y)**2) at (3, -4)")
    print(f"  by hand:        f = {f}, gradient ({dx}, {dy})")
    f, (dx, dy) = value_and_grad(intricate, argnums=(0, 1))(3.0, -4.0)
    print(f"  value_and_grad: f = {f}, gradient ({dx}, {dy})")

    print("y = (x @ A1.T + b1) @ A2.T + b2 on four samples")
    print(f"  y = {two_layers(LAYERS, X).ravel().round(6).tolist()}, and the gradient of sum(y)")
    gradient, by_hand = two_layers_gradient(LAYERS, X), two_layers_gradient_by_hand(LAYERS, X)
    for name, leaf in gradient.items():
        print(f"  by {name:2}", leaf.round(6).tolist())
    difference = max(np.max(np.abs(gradient[name] - by_hand[name])) for name in by_hand)
    print(f"  largest difference from the gradient by hand: {difference:.1e}")

    train, test = normalised_mnist() if options.mnist else normalised_digits(random.key(0))
    epochs = train_classifier(train, test, epochs=2 if options.quick else 10)
    print(f"A fully connected classifier, trained on {len(train[0])} normalised digits")
    for epoch, (loss, accuracy) in enumerate(epochs, 1):
        print(f"  epoch {epoch:2}: mean loss {loss:.4f}, {accuracy:.1%} of new digits right")


if __name__ == "__main__":
    main()
