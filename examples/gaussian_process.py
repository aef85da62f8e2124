"""The hyperparameters of a Gaussian process, found by its marginal likelihood.

    python examples/gaussian_process.py [--quick]

Values y at points x are drawn from a process with a smooth covariance, plus noise. How wide, how
tall and how noisy it is says the likelihood of y, which a Cholesky factor gives:

    −log p(y) = ½ yᵀ K⁻¹ y + Σ log Lᵢᵢ + (n / 2) log 2π,    K = L Lᵀ.

`negative_log_likelihood` is what one writes in NumPy to compute that. Newton's method finds its
minimum by `grad` and `hessian`, and the gradient is compared with the trace formula that one would
derive by hand. (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithm
2.1 and equation 5.9.)
"""

import argparse
import math

import numpy as np

from funcgrad import grad, hessian, random

NAMES = ("width", "height", "noise")
TRUTH = np.array([0.5, 1.5, 0.2])


def covariance(logarithms, x):
    width, height, noise = np.exp(logarithms)
    squares = (x[:, None] - x[None, :]) ** 2
    smooth = height**2 * np.exp(-0.5 * squares / width**2)
    return smooth + noise**2 * np.eye(len(x), dtype=x.dtype)


def negative_log_likelihood(logarithms, x, y):
    factor = np.linalg.cholesky(covariance(logarithms, x))
    alpha = np.linalg.solve(factor.T, np.linalg.solve(factor, y))
    return 0.5 * y @ alpha + np.log(np.diag(factor)).sum() + 0.5 * len(y) * math.log(2.0 * math.pi)


def gradient_by_hand(logarithms, x, y):
    """½ tr((K⁻¹ − α αᵀ) ∂K), with α = K⁻¹ y and the ∂K of the three logarithms."""
    width, height, noise = np.exp(logarithms)
    squares = (x[:, None] - x[None, :]) ** 2
    smooth = height**2 * np.exp(-0.5 * squares / width**2)
    inverse = np.linalg.inv(covariance(logarithms, x))
    alpha = inverse @ y
    changes = np.stack([smooth * squares / width**2, 2 * smooth, 2 * noise**2 * np.eye(len(x))])
    return 0.5 * np.sum((inverse - np.outer(alpha, alpha)) * changes, axis=(1, 2))


def minimise(f, x, tolerance=1e-8, steps=50):
    """The minimum of f and the path to it, by Newton's method made to go downhill."""
    path = []
    for _ in range(steps):
        value, gradient = f(x), grad(f)(x)
        path.append((float(value), float(np.linalg.norm(gradient))))
        if path[-1][1] < tolerance:
            return x, path
        curvatures, axes = np.linalg.eigh(hessian(f)(x))
        move = -axes @ (axes.T @ gradient / np.maximum(np.abs(curvatures), 1.0))
        rate = 1.0
        while f(x + rate * move) > value + 1e-4 * rate * gradient @ move + 1e-12 * abs(value):
            rate /= 2.0
        x = x + rate * move
    raise RuntimeError(f"no minimum within {steps} steps")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="40 points, not 200")
    count = 40 if parser.parse_args(argv).quick else 200

    x = np.linspace(0.0, count / 10, count)
    factor = np.linalg.cholesky(covariance(np.log(TRUTH), x))
    y = factor @ random.normal(random.key(0), (count,))

    def loss(logarithms):
        return negative_log_likelihood(logarithms, x, y)

    start = np.zeros(3)
    apart = np.max(np.abs(grad(loss)(start) - gradient_by_hand(start, x, y)))
    print(f"the gradient and the formula differ by less than 1e-9: {apart < 1e-9}")

    found, path = minimise(loss, start)
    for step, (value, size) in enumerate(path):
        print(f"step {step:2}: {value:.6f}, gradient {size:.1e}")
    deviations = np.sqrt(np.diag(np.linalg.inv(hessian(loss)(found))))
    for name, true, log, deviation in zip(NAMES, TRUTH, found, deviations):
        print(f"{name:6} {true:.2f}, found {np.exp(log):.3f} ± {np.exp(log) * deviation:.3f}")
    assert apart < 1e-9
    assert np.all(np.abs(found - np.log(TRUTH)) < 3.0 * deviations)
    return found, path


if __name__ == "__main__":
    main()
