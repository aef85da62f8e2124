"""An engine's operations in float32, a neuron, its graph, and digits learnt through two losses.

    python examples/seed_1_engine.py [--mnist] [--quick]

Every operation is plain NumPy or a function of `funcgrad.nn`, and `value_and_grad` asks for its
value and the gradient by each argument. Nothing in it is wider than float32. Then a single neuron,
relu(x·w + b), is drawn as the tape sees it, and a network learns handwritten digits twice: with the
cross-entropy of its logits, and by the longer way of softmax, logarithm and negative
log-likelihood.
"""

import argparse

import numpy as np

from funcgrad import data, debug, nn, optim, random, training, value_and_grad


def f32(x):
    return np.array(x, np.float32)[()]


A, B = f32([1.0, 2.0]), f32([3.0, 4.0])
LOGITS = f32([0.0, np.log(3.0)])  # softmax makes probabilities 1/4 and 3/4 of them
LABEL = 1

# What every operation is called, a scalar function that uses it, and its arguments.
OPERATIONS = {
    "Add": (lambda a, b: np.sum(a + b), (A, B)),
    "Mul": (lambda a, b: np.sum(a * b), (A, B)),
    "MatMul": (lambda m, v: np.sum(m @ v), (f32([[1.0, 2.0], [3.0, 4.0]]), f32([5.0, 6.0]))),
    "Pow": (lambda a, b: np.sum(a**b), (A, B)),
    "Sum": (np.sum, (B,)),
    "ReLU": (lambda a: np.sum(nn.relu(a)), (f32([-1.0, 0.0, 2.0]),)),
    "Log": (lambda a: np.sum(np.log(a)), (A,)),
    "Softmax": (lambda a: nn.softmax(a)[1], (LOGITS,)),
    "NLLLoss": (lambda a: nn.nll_loss(a, LABEL), (np.log(f32([0.25, 0.75])),)),
    "CrossEntropyLoss": (lambda a: nn.cross_entropy(a, LABEL), (LOGITS,)),
}


def operation(name):
    """The value of an operation, and the gradient by each of its arguments."""
    f, args = OPERATIONS[name]
    return value_and_grad(f, argnums=tuple(range(len(args))))(*args)


def neuron(x, w, b):
    return nn.relu(x * w + b)


def sum_of_relu(a):
    return np.sum(nn.relu(2.0 * a - 1.0))


# A network that learns digits, by nn.cross_entropy or by the longer way to the same number.


def softmax_log_nll(logits, labels):
    return nn.nll_loss(np.log(nn.softmax(logits)), labels)


def mnist():
    """Training images and labels, test images and labels; images as rows of float32."""
    train_x, train_y, test_x, test_y = data.load_mnist()
    train_x, test_x = (x.reshape(len(x), -1).astype(np.float32) / 255.0 for x in (train_x, test_x))
    return train_x, train_y, test_x, test_y


def digits(key):
    """The same of the 8 × 8 digits, shuffled: 1,500 to train on, 297 to test with."""
    images, labels = data.load_digits()
    order = random.permutation(key, len(labels))
    x, y = images[order].reshape(len(images), -1).astype(np.float32) / 16.0, labels[order]
    return x[:1500], y[:1500], x[1500:], y[1500:]


def train(loss, dataset, epochs, seed=0, progress=True):
    """The history of 128 and 64 hidden units under SGD with rate 0.1 on batches of 100."""
    train_x, train_y, test_x, test_y = dataset
    init_key, shuffle_key = random.split(random.key(seed))
    model = nn.mlp(train_x.shape[1], [128, 64], 10)
    _, history = training.fit(
        shuffle_key,
        model.init(init_key),
        lambda params, x, y: loss(model.apply(params, x), y),
        optim.sgd(0.1),
        (train_x, train_y),
        epochs=epochs,
        batch_size=100,
        evaluate=lambda params: {
            "test accuracy": training.accuracy(model.apply(params, test_x), test_y)
        },
        progress=progress,
    )
    return history


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", action="store_true", help="train on MNIST, not on 8x8 digits")
    parser.add_argument("--quick", action="store_true", help="train for two epochs only")
    options = parser.parse_args()

    print("Operations in float32: value, and gradient by each argument")
    for name in OPERATIONS:
        value, gradients = operation(name)
        print(f"  {name:16} {value:9.6f}   ", *(g.round(6).tolist() for g in gradients))

    arguments = f32(2.0), f32(3.0), f32(-4.0)
    value, gradients = value_and_grad(neuron, argnums=(0, 1, 2))(*arguments)
    print("f = relu(x * w + b) at (2, 3, -4)")
    print(f"  f = {value}, gradient ({', '.join(map(str, gradients))})")
    print(debug.tape(neuron)(*arguments))

    value, gradient = value_and_grad(sum_of_relu)(f32([0.4, 1.0, -2.0]))
    print("sum(relu(2 * a - 1)) at (0.4, 1, -2)")
    print(f"  {value}, gradient {gradient.tolist()}")

    dataset = mnist() if options.mnist else digits(random.key(0))
    epochs = 2 if options.quick else 10
    for loss in (nn.cross_entropy, softmax_log_nll):
        print(f"A network trained on {len(dataset[0])} digits by {loss.__name__}")
        train(loss, dataset, epochs)


if __name__ == "__main__":
    main()
