"""Train a multilayer perceptron on handwritten digits, with nothing but pure functions.

    python examples/mnist_mlp.py
    python examples/mnist_mlp.py --hidden 256 128 10 --optimizer adam --batch-size 32 --epochs 20

The first line trains 784-128-64-10 on MNIST, which is looked for on disk and else downloaded; where
it cannot be had, the small digits that ship with funcgrad take its place. The same seed gives the
same numbers.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from funcgrad import data, nn, optim, random, training

try:
    from matplotlib.figure import Figure
except ImportError:
    Figure = None

DEFAULTS = {
    "mnist": {"hidden": [128, 64], "epochs": 10, "batch_size": 100},
    "digits": {"hidden": [64, 32], "epochs": 30, "batch_size": 20},
}
OPTIMIZERS = {"sgd": (optim.sgd, 0.1), "adam": (optim.adam, 1e-3)}  # with their learning rates


class Dataset(NamedTuple):
    name: str
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def load_mnist(path):
    mnist = data.load_mnist(path)
    train = pixels(mnist.train_images, 255), mnist.train_labels
    return Dataset("mnist", train, (pixels(mnist.test_images, 255), mnist.test_labels))


def load_digits():
    images, labels = data.load_digits()
    order = random.permutation(random.key(0), len(labels))
    x, y = pixels(images, 16)[order], labels[order]
    return Dataset("digits", (x[:1437], y[:1437]), (x[1437:], y[1437:]))


def pixels(images, ink):
    """Images as rows of float32 from 0 (background) to 1 (ink)."""
    return images.reshape(len(images), -1).astype(np.float32) / ink


def load(name, path):
    """The data set asked for, or without a name MNIST where it can be had and else the digits."""
    if name == "digits":
        return load_digits()
    try:
        return load_mnist(path)
    except data.MissingDataError as error:
        if name == "mnist" or path:
            raise SystemExit(str(error)) from None
        print("MNIST is neither on disk nor reachable: training on the shipped digits instead.")
        return load_digits()


def loss_of(model, kind):
    """The loss, in one step or (the same, less stably) by softmax, logarithm and likelihood."""

    def cross_entropy(params, x, y):
        return nn.cross_entropy(model.apply(params, x), y)

    def nll(params, x, y):
        return nn.nll_loss(np.log(nn.softmax(model.apply(params, x))), y)

    return {"cross-entropy": cross_entropy, "nll": nll}[kind]


def plot(history, title, file):
    """Write the curves of loss and accuracy to an image file."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    figure.suptitle(title)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "test accuracy")):
        axes.plot([entry["epoch"] for entry in history], [entry[name] for entry in history])
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(alpha=0.3)
    figure.savefig(file)


def at_least(least):
    """The type of an option: an integer from ``least`` on."""

    def integer(text):
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is less than {least}")
        return number

    return integer


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=DEFAULTS, help="default: mnist if it can be had")
    parser.add_argument("--data", metavar="PATH", help="the folder with MNIST's four files")
    parser.add_argument(
        "--hidden", type=at_least(1), nargs="+", metavar="WIDTH", help="hidden layers"
    )
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd")
    parser.add_argument("--lr", type=float, help="learning rate (sgd: 0.1, adam: 0.001)")
    parser.add_argument("--loss", choices=["cross-entropy", "nll"], default="cross-entropy")
    parser.add_argument("--epochs", type=at_least(1))
    parser.add_argument("--batch-size", type=at_least(1))
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--plot", metavar="FILE", help="write the curves, for example curves.png")
    parser.add_argument("--quick", action="store_true", help="a few epochs on the shipped digits")
    args = parser.parse_args(argv)
    if args.plot and Figure is None:
        parser.error("--plot draws with matplotlib: pip install 'funcgrad[plot]'")
    if args.plot and not Path(args.plot).parent.is_dir():
        parser.error(f"--plot {args.plot}: there is no folder {Path(args.plot).parent}")
    if args.quick:
        args.dataset, args.epochs = args.dataset or "digits", args.epochs or 5
    return args


def main(argv=None):
    args = arguments(argv)
    dataset = load(args.dataset, args.data)
    for name, default in DEFAULTS[dataset.name].items():
        if getattr(args, name) is None:
            setattr(args, name, default)
    make_optimizer, rate = OPTIMIZERS[args.optimizer]
    rate = rate if args.lr is None else args.lr
    images, labels = dataset.test

    widths = [images.shape[1], *args.hidden, 10]
    title = f"{'-'.join(map(str, widths))} on {dataset.name}"
    print(f"{title}: {args.optimizer} {rate}, batches of {args.batch_size}, seed {args.seed}")

    init_key, fit_key = random.split(random.key(args.seed))
    model = nn.mlp(widths[0], args.hidden, widths[-1])

    def evaluate(params):
        return {"test accuracy": training.accuracy(model.apply(params, images), labels)}

    _, history = training.fit(
        fit_key,
        model.init(init_key),
        loss_of(model, args.loss),
        make_optimizer(rate),
        dataset.train,
        args.epochs,
        args.batch_size,
        evaluate,
    )
    best = max(history, key=lambda entry: entry["test accuracy"])
    print(
        f"test accuracy {history[-1]['test accuracy']:.2%} after {args.epochs} epochs, "
        f"at best {best['test accuracy']:.2%} after {best['epoch']}"
    )
    if args.plot:
        plot(history, title, args.plot)
    return history


if __name__ == "__main__":
    main()
