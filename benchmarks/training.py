"""A training step of a few networks, beside the same algorithm by hand in NumPy and in each peer.

A step is loss, gradients and update. All contestants start from the same parameters and must agree
on the loss after a few steps before anything is timed.
"""

import sys
from functools import partial

import numpy as np

from benchmarks import peers
from benchmarks.networks import NETWORKS, Network
from benchmarks.peers import by_hand, funcgrad
from benchmarks.timing import medians, table, target

LIMIT = 1.1


def report(quick: bool) -> None:
    trainers = {
        name: trainer
        for library in (by_hand, funcgrad, *peers.load()[0])
        for name, trainer in library.TRAINERS.items()
    }
    for network in NETWORKS:
        x, labels = network.data()
        steps = {
            name: partial(trainer(network.layers(), network.optimizer), x, labels)
            for name, trainer in trainers.items()
        }
        _check_agreement(
            network, {name: float([step() for _ in range(5)][-1]) for name, step in steps.items()}
        )
        times = medians(steps, rounds=5 if quick else 41)
        ours = times["funcgrad"]
        rows = []
        for name, theirs in times.items():
            limit = target(ours / theirs, LIMIT) if name == "NumPy by hand" else ""
            rows.append([name, f"{1e3 * theirs:.2f}", f"{ours / theirs:.2f}", limit])
        table(
            f"A training step of {network}: milliseconds, and funcgrad's over each",
            ["", "step", "ratio", "target"],
            rows,
        )


def _check_agreement(network: Network, losses: dict[str, float]) -> None:
    expected = losses["NumPy by hand"]
    for name, loss in losses.items():
        # Five steps of float32 arithmetic, in an order of its own in every library.
        if not np.isclose(loss, expected, rtol=1e-3):
            raise RuntimeError(
                f"{name} does not compute the same thing: after 5 steps of {network} its loss is "
                f"{loss}, by hand {expected}"
            )


if __name__ == "__main__":
    report("--quick" in sys.argv)
