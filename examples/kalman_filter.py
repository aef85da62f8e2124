"""How noisy a radar is and how restless its target, by the likelihood of a Kalman filter.

    python examples/kalman_filter.py [--quick]

A target moves in the plane; its velocity wanders, and its position is measured with an error. The
filter follows it, and on the way it adds up how probable each measurement was, given those before:
the likelihood of the two sizes of noise. `value_and_grad` goes back through all steps of the
filter, and `hessian` of the same code gives Newton's steps and the standard errors. (Kalman, "A new
approach to linear filtering and prediction problems", Journal of Basic Engineering 82, 1960.)
"""

import argparse
import math

import numpy as np

from funcgrad import grad, hessian, random, value_and_grad

NAMES = ("restlessness", "error")
TRUTH = np.array([0.3, 1.0])

# The state is position and velocity, (x, y, vx, vy); the position is measured.
MOVE = np.eye(4) + np.eye(4, k=2)
LOOK = np.eye(2, 4)
# What a random acceleration of size 1 does to the state in a unit of time.
STIR = np.kron(np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]]), np.eye(2))


def negative_log_likelihood(logarithms, measured):
    """−log p of the rows of ``measured``, for the logarithms of the two sizes of noise."""
    restlessness, error = np.exp(logarithms)
    q = restlessness**2 * STIR
    r = error**2 * np.eye(2)
    state, covariance = np.zeros(4), 10.0 * np.eye(4)
    total = 0.0
    for seen in measured:
        state = MOVE @ state
        covariance = MOVE @ covariance @ MOVE.T + q

        surprise = seen - LOOK @ state
        spread = LOOK @ covariance @ LOOK.T + r
        _, logdet = np.linalg.slogdet(2.0 * math.pi * spread)
        total += 0.5 * (surprise @ np.linalg.solve(spread, surprise) + logdet)

        gain = covariance @ LOOK.T @ np.linalg.inv(spread)
        state = state + gain @ surprise
        covariance = (np.eye(4) - gain @ LOOK) @ covariance
    return total


def simulate(key, steps):
    """Measurements of a target that starts somewhere near the origin."""
    start_key, stir_key, error_key = random.split(key, 3)
    state = math.sqrt(10.0) * random.normal(start_key, (4,))
    stirs = TRUTH[0] * random.normal(stir_key, (steps, 4)) @ np.linalg.cholesky(STIR).T
    states = []
    for stir in stirs:
        state = MOVE @ state + stir
        states.append(state)
    return np.stack(states) @ LOOK.T + TRUTH[1] * random.normal(error_key, (steps, 2))


def minimise(f, x, tolerance=1e-6, steps=30):
    """The minimum of f near x by Newton's method with steps of at most 1, and the path."""
    path = []
    for _ in range(steps):
        value, gradient = value_and_grad(f)(x)
        path.append((float(value), float(np.linalg.norm(gradient))))
        if path[-1][1] < tolerance:
            return x, path
        curvatures, axes = np.linalg.eigh(hessian(f)(x))
        x = x - np.clip(axes @ (axes.T @ gradient / np.abs(curvatures)), -1.0, 1.0)
    raise RuntimeError(f"no minimum within {steps} steps")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="50 measurements, not 300")
    steps = 50 if parser.parse_args(argv).quick else 300
    measured = simulate(random.key(0), steps)

    def loss(logarithms):
        return negative_log_likelihood(logarithms, measured)

    found, path = minimise(loss, np.zeros(2))
    for step, (value, size) in enumerate(path):
        print(f"step {step}: {value:.6f}, gradient {size:.1e}")
    deviations = np.sqrt(np.diag(np.linalg.inv(hessian(loss)(found))))
    for name, true, log, deviation in zip(NAMES, TRUTH, found, deviations):
        print(f"{name:12} {true:.2f}, found {np.exp(log):.3f} ± {np.exp(log) * deviation:.3f}")
    assert np.linalg.norm(grad(loss)(found)) < 1e-6
    assert np.all(np.abs(found - np.log(TRUTH)) < 3.0 * deviations)
    return found, path


if __name__ == "__main__":
    main()
