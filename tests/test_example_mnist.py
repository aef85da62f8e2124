"""The main job as a person runs it: examples/mnist_mlp.py with its options."""

import numpy as np
import pytest
from loading import load

from funcgrad import data


@pytest.fixture
def example():
    return load("mnist_mlp")


@pytest.fixture
def small_mnist(monkeypatch):
    """The shipped digits in MNIST's clothes: 28 × 28 pixels, 255 for ink."""
    images, labels = data.load_digits()
    images = np.pad(np.repeat(np.repeat(images, 3, 1), 3, 2), ((0, 0), (2, 2), (2, 2)))
    images = (images * 15.9375).astype(np.uint8)
    mnist = data.MNIST(images[:200], labels[:200], images[200:300], labels[200:300])
    monkeypatch.setattr(data, "load_mnist", lambda path: mnist)


def missing(path):
    raise data.MissingDataError("MNIST is nowhere")


def corrupted(path):
    raise data.DataError("train-images-idx3-ubyte: truncated")


def test_the_shipped_digits_are_learnt(example, capsys):
    history = example.main(["--dataset", "digits"])
    assert history[-1]["test accuracy"] >= 0.95
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "64-64-32-10 on digits: sgd 0.1, batches of 20, seed 0"
    assert len(lines) == 1 + len(history) + 1
    assert lines[-1].startswith(f"test accuracy {history[-1]['test accuracy']:.2%} after 30 epochs")


def test_the_same_seed_gives_the_same_numbers(example):
    once, again, other = (example.main(["--quick", "--seed", seed]) for seed in "112")
    assert once == again != other
    assert len(once) == 5


def test_softmax_log_and_likelihood_train_as_cross_entropy_does(example):
    one_step = example.main(["--quick", "--epochs", "1"])
    by_parts = example.main(["--quick", "--epochs", "1", "--loss", "nll"])
    np.testing.assert_allclose(by_parts[0]["loss"], one_step[0]["loss"], rtol=1e-4)


def test_mnist_is_the_default_where_it_can_be_had(example, small_mnist, capsys):
    history = example.main([])
    assert "784-128-64-10 on mnist: sgd 0.1, batches of 100, seed 0\n" in capsys.readouterr().out
    assert len(history) == 10
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_options_choose_another_network_and_adam(example, small_mnist, capsys):
    options = "--hidden 256 128 10 --optimizer adam --batch-size 32 --epochs 2"
    history = example.main(options.split())
    title = "784-256-128-10-10 on mnist: adam 0.001, batches of 32, seed 0\n"
    assert title in capsys.readouterr().out
    assert len(history) == 2


def test_without_mnist_the_digits_are_taken_and_one_line_says_so(example, monkeypatch, capsys):
    monkeypatch.setattr(data, "load_mnist", missing)
    example.main(["--epochs", "1"])
    said, title, *_ = capsys.readouterr().out.splitlines()
    assert said.startswith("MNIST is neither on disk nor reachable")
    assert "on digits" in title


@pytest.mark.parametrize("options", [["--dataset", "mnist"], ["--data", "nowhere"]])
def test_mnist_that_was_asked_for_is_not_replaced(example, monkeypatch, options):
    monkeypatch.setattr(data, "load_mnist", missing)
    with pytest.raises(SystemExit, match="MNIST is nowhere"):
        example.main(options)


def test_a_broken_file_is_not_taken_for_a_missing_one(example, monkeypatch):
    monkeypatch.setattr(data, "load_mnist", corrupted)
    with pytest.raises(data.DataError, match="truncated"):
        example.main([])


@pytest.mark.parametrize(
    "option", ["--epochs 0", "--batch-size 0", "--hidden 8 0", "--seed -1", "--plot nowhere/a.png"]
)
def test_an_option_that_makes_no_sense_is_refused_before_it_trains(
    example, monkeypatch, capsys, option
):
    monkeypatch.setattr(example, "Figure", object)
    with pytest.raises(SystemExit):
        example.main(["--dataset", "digits", *option.split()])
    out, err = capsys.readouterr()
    assert not out and option.split()[0] in err.splitlines()[-1]


def test_a_plot_needs_matplotlib_and_says_how_to_get_it(example, monkeypatch, capsys):
    monkeypatch.setattr(example, "Figure", None)
    with pytest.raises(SystemExit):
        example.main(["--quick", "--plot", "curves.png"])
    assert "pip install 'funcgrad[plot]'" in capsys.readouterr().err


def test_a_plot_has_the_curves_of_loss_and_accuracy(example, monkeypatch):
    drawn = {}

    class Axes:
        def plot(self, x, y):
            self.points = x, y

        def set(self, xlabel, ylabel):
            drawn[ylabel] = self.points

        def grid(self, alpha):
            pass

    class Figure:
        def __init__(self, **options):
            pass

        def suptitle(self, title):
            drawn["title"] = title

        def subplots(self, rows, columns):
            return [Axes() for _ in range(rows * columns)]

        def savefig(self, file):
            drawn["file"] = file

    monkeypatch.setattr(example, "Figure", Figure)
    history = example.main(["--quick", "--epochs", "2", "--plot", "curves.png"])
    assert drawn == {
        "title": "64-64-32-10 on digits",
        "loss": ([1, 2], [entry["loss"] for entry in history]),
        "test accuracy": ([1, 2], [entry["test accuracy"] for entry in history]),
        "file": "curves.png",
    }
