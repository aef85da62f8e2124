"""The training loop: what a step does, what a history holds, what is printed where."""

import io
import itertools

import numpy as np
import pytest

from funcgrad import nn, optim, random, tree
from funcgrad.training import accuracy, fit, make_step

KEY = random.key(0)
X = np.linspace(-1.0, 1.0, 25)
Y = 2.0 * X + 1.0
START = {"slope": 0.0, "shift": 0.0}


def loss_fn(w, x, y):
    return nn.mse_loss(w["slope"] * x + w["shift"], y)


def train(key=KEY, epochs=3, optimizer=None, **options):
    optimizer = optimizer or optim.sgd(0.1)
    return fit(key, START, loss_fn, optimizer, (X, Y), epochs, batch_size=10, **options)


def test_a_step_is_one_update_by_the_gradient():
    optimizer = optim.sgd(0.5)
    step = make_step(lambda w, target: (w - target) ** 2, optimizer)
    w, state, loss = step(1.0, optimizer.init(1.0), 3.0)
    assert (w, loss) == (1.0 - 0.5 * 2 * (1.0 - 3.0), 4.0)
    assert state == optimizer.init(1.0)


def test_fit_is_that_step_on_every_batch():
    seen = []

    def recording(w, x, y):
        seen.append(x)
        return loss_fn(w, x, y)

    fit(KEY, START, recording, optim.sgd(0.1), (X, Y), 2, batch_size=10, progress=False)
    assert [len(x) for x in seen] == [10, 10, 5] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert np.array_equal(np.sort(first), X) and np.array_equal(np.sort(second), X)
    assert not np.array_equal(first, second)


def test_the_same_key_gives_the_same_numbers():
    once, again, other = train(), train(), train(key=random.key(1))
    assert once[1] == again[1] != other[1]
    assert tree.all(tree.map(np.array_equal, once[0], again[0]))


def test_the_history_has_the_mean_loss_over_rows_and_what_was_evaluated():
    still = optim.sgd(0.0)  # the parameters stay, so the mean over batches is the loss on all
    _, history = train(optimizer=still, evaluate=lambda w: {"slope": float(w["slope"])})
    assert [set(entry) for entry in history] == [{"epoch", "loss", "slope"}] * 3
    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    np.testing.assert_allclose([entry["loss"] for entry in history], loss_fn(START, X, Y))


def test_momentum_lives_through_the_epochs():
    """One step an epoch from a fresh state each time would be plain sgd."""
    options = {"epochs": 4, "batch_size": 25, "progress": False}
    plain, heavy = (
        fit(KEY, START, loss_fn, optim.sgd(0.1, momentum), (X, Y), **options)[0]
        for momentum in (0.0, 0.5)
    )
    assert heavy["shift"] > plain["shift"]


def test_it_learns_to_tell_classes_apart():
    x = random.normal(KEY, (200, 2), np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    model = nn.mlp(2, 16, 2)

    def classify(params, x, y):
        return nn.cross_entropy(model.apply(params, x), y)

    def evaluate(params):
        return {"accuracy": accuracy(model.apply(params, x), y)}

    params, history = fit(
        KEY, model.init(KEY), classify, optim.adam(0.02), (x, y), 30, 20, evaluate, progress=False
    )
    assert history[-1]["accuracy"] > 0.95
    assert {leaf.dtype for leaf in tree.leaves(params)} == {np.dtype(np.float32)}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_plain_line_an_epoch_where_there_is_no_terminal(capsys):
    train(epochs=2, evaluate=lambda w: {"share": 0.5})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2  loss ") and "  share 0.5000  " in lines[0]


def test_a_line_that_keeps_up_on_a_terminal(monkeypatch):
    terminal, seconds = Terminal(), itertools.count()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    train(epochs=1)
    written = terminal.getvalue()
    assert written.count("\r") == 4 and written.count("\n") == 1
    assert "step 2/3" in written


def test_silence_on_request(capsys):
    train(progress=False)
    assert capsys.readouterr().out == ""


def test_accuracy_counts_the_rows_whose_largest_logit_is_right():
    logits = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    assert accuracy(logits, [1, 0, 0, 1]) == 0.75
    assert accuracy(logits[0], 1) == 1.0
    with pytest.raises(ValueError, match=r"got \(4, 2\) and \(4, 1\)"):
        accuracy(logits, np.ones((4, 1), int))


def test_arrays_that_would_be_unpacked_into_rows_or_names_are_refused():
    for arrays in (X, {"x": X, "y": Y}):
        with pytest.raises(TypeError, match=r"Write \(x, y\), or \(x,\) for one"):
            fit(KEY, START, loss_fn, optim.sgd(0.1), arrays, 1, 10)


def test_an_optimizer_that_was_not_made_and_a_number_without_a_name_are_refused():
    with pytest.raises(TypeError, match=r"got function\. Write optim\.sgd\(0\.1\)"):
        train(optimizer=optim.adam)
    with pytest.raises(TypeError, match="names its numbers, and returned a float"):
        train(epochs=1, evaluate=lambda w: w["slope"] * 1.0, progress=False)
