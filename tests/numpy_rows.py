"""Calls of NumPy's functions that are put together from primitives, one or more a function.

``EXAMPLES`` maps the name of a function to calls with float64 arguments. Each is differentiated in
both modes and twice, run in float32 and batched, like the rows of ``table.py``; what those call
needs no example here. ``NO_VMAP`` are calls whose result has a size that depends on the values.
"""

import numpy as np
from table import MASK, A, B, C, V, W, draw  # noqa: F401

POS = draw((3, 4), 0.5, 3.0, seed=8)
HOLES = np.where(MASK, A, np.nan)
Q = np.array([0.1, 0.5, 0.83])

EXAMPLES = {
    "sort": [(lambda x: np.sort(x, axis=0), C), (lambda x: np.sort(x, axis=None), A)],
    "partition": [(lambda x: np.partition(x, 2, axis=0), A)],
    "median": [
        (np.median, A),
        (lambda x: np.median(x, axis=1, keepdims=True), C),
        (lambda x: np.median(x, (0, -1)), C),
    ],
    "quantile": [
        (lambda x: np.quantile(x, 0.3, axis=-1), A),
        (lambda x: np.quantile(x, Q, axis=0, keepdims=True), A),
        (lambda x, q: np.quantile(x, q, axis=1), A, Q),
        *[
            (lambda x, m=m: np.quantile(x, Q[:2], axis=(0, 2), method=m), C)
            for m in """inverted_cdf averaged_inverted_cdf closest_observation hazen weibull linear
            interpolated_inverted_cdf median_unbiased normal_unbiased lower higher midpoint
            nearest""".split()
        ],
    ],
    "percentile": [(lambda x: np.percentile(x, [10, 33.0], axis=0), A)],
}


def listed(examples):
    return [(name, *row) for name, rows in examples.items() for row in rows]
