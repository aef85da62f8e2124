"""The layers of a rod, found from how heat spread in it: an equation of 500 steps, fitted to data.

    python examples/heat_equation.py [--quick]

The rod is made of layers that conduct heat unequally. Every other one is hot at the start, no heat
leaves, and all cells are measured five times while the temperatures even out. The finite
differences that compute this are an ordinary NumPy loop. `jacfwd` takes the derivative of every
measurement by every layer through all its steps, and Gauss and Newton's method finds the layers and
how sure they are; one `grad` of the sum of squares says the same about its slope.
"""

import argparse

import numpy as np

from funcgrad import grad, jacfwd, random

TRUTH = np.log([1.0, 0.3, 0.6, 0.2])
ERROR = 0.002


def temperatures(logarithms, initial, steps=500, looks=5):
    """The cells' temperatures after each fifth of the steps, in a rod whose ends are insulated.

    A layer's flux is its conductivity times the difference of neighbours; a cell gains what flows
    in and loses what flows out.
    """
    walls = np.repeat(np.exp(logarithms), len(initial) // len(logarithms))[1:]
    u, seen = initial, []
    for step in range(1, steps + 1):
        u = u + 0.4 * np.diff(walls * np.diff(u), prepend=0.0, append=0.0)
        if step % (steps // looks) == 0:
            seen.append(u)
    return np.stack(seen)


def sum_of_squares(logarithms, initial, measured):
    return 0.5 * np.sum((temperatures(logarithms, initial) - measured) ** 2)


def fit(guess, initial, measured, tolerance=1e-9, steps=30):
    """The best logarithms, their standard errors, and the sum of squares before each step."""
    path = []
    for _ in range(steps):
        residuals = (temperatures(guess, initial) - measured).ravel()
        jacobian = jacfwd(temperatures)(guess, initial).reshape(len(residuals), -1)
        path.append(0.5 * float(residuals @ residuals))
        move = -np.linalg.lstsq(jacobian, residuals)[0]
        guess = guess + np.clip(move, -1.0, 1.0)
        if np.linalg.norm(move) < tolerance:
            deviations = ERROR * np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
            return guess, deviations, path
    raise RuntimeError(f"no fit within {steps} steps")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 cells, not 64")
    cells = 16 if parser.parse_args(argv).quick else 64

    initial = np.repeat([1.0, 0.0, 1.0, 0.0], cells // 4)
    exact = temperatures(TRUTH, initial)
    measured = exact + ERROR * random.normal(random.key(0), exact.shape)
    found, deviations, path = fit(np.full_like(TRUTH, np.log(0.5)), initial, measured)

    for step, value in enumerate(path):
        print(f"step {step}: sum of squares {value:.6e}")
    for layer, (true, log, deviation) in enumerate(zip(TRUTH, found, deviations)):
        value = np.exp(log)
        print(f"layer {layer}: {np.exp(true):.3f}, found {value:.3f} ± {value * deviation:.3f}")
    slope = np.linalg.norm(grad(sum_of_squares)(found, initial, measured))
    print(f"the slope of the sum of squares is less than 1e-6 there: {slope < 1e-6}")
    assert slope < 1e-6
    assert np.all(np.abs(found - TRUTH) < 3.0 * deviations)
    return found, path


if __name__ == "__main__":
    main()
