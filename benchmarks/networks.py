"""The networks that training steps are measured on, two small and a wide one, and their batches."""

from typing import NamedTuple

import numpy as np


class Network(NamedTuple):
    widths: tuple[int, ...]
    batch: int
    optimizer: str

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.widths))}, batch {self.batch}, {self.optimizer}, float32"

    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights of He initialisation and zero biases, the same for every contestant."""
        rng = np.random.default_rng(0)
        return [
            (
                rng.normal(0.0, np.sqrt(2.0 / rows), (rows, columns)).astype(np.float32),
                np.zeros(columns, np.float32),
            )
            for rows, columns in zip(self.widths, self.widths[1:])
        ]

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(1)
        x = rng.random((self.batch, self.widths[0]), np.float32)
        return x, rng.integers(0, self.widths[-1], self.batch)


NETWORKS = (
    Network((784, 128, 64, 10), 100, "sgd"),
    Network((784, 256, 128, 10, 10), 32, "adam"),
    Network((784, 1024, 1024, 10), 100, "sgd"),
)
