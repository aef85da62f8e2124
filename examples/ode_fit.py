"""An ordinary differential equation fitted to data: hares and lynxes from noisy counts.

    python examples/ode_fit.py [--quick]

Lotka and Volterra's equations describe two populations, of which one eats the other. Their four
rates and the two populations at the start are found from counts with an error of 5 %, by the method
of Gauss and Newton: `jacfwd` through `odeint` says how every count moves with every unknown, and
linear least squares which step serves best. The unknowns are logarithms, so that all stay positive.
"""

import argparse

import numpy as np

from funcgrad import jacfwd, odeint, random

NAMES = ("birth", "hunt", "feed", "death", "hares", "lynxes")
TRUTH = np.array([0.9, 0.5, 0.4, 0.7, 2.0, 1.0])
ERROR = 0.05


def derivative(state, t, rates):
    hares, lynxes = state[0], state[1]
    birth, hunt, feed, death = rates
    return np.stack([(birth - hunt * lynxes) * hares, (feed * hares - death) * lynxes])


def logarithms(unknowns, times):
    """The logarithms of both populations at all times."""
    unknowns = np.exp(unknowns)
    return np.log(odeint(derivative, unknowns[4:], times, unknowns[:4], rtol=1e-6, atol=1e-6))


def fit(guess, times, counts, tolerance=1e-6, steps=30):
    """The best unknowns, their standard errors, and the sum of squares before each step."""

    def residuals(unknowns):
        found = ((logarithms(unknowns, times) - np.log(counts)) / ERROR).ravel()
        return found, found

    errors = []
    for _ in range(steps):
        jacobian, found = jacfwd(residuals, has_aux=True)(guess)
        errors.append(float(np.sum(found**2)))
        move = -np.linalg.lstsq(jacobian, found)[0]
        rate = 1.0
        while np.sum(residuals(guess + rate * move)[0] ** 2) > errors[-1] + tolerance:
            rate /= 2.0
        guess = guess + rate * move
        if np.linalg.norm(move) < tolerance:
            covariance = np.linalg.inv(jacobian.T @ jacobian)
            return guess, np.sqrt(np.diag(covariance)), errors
    raise RuntimeError(f"no fit within {steps} steps")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="count for half as long")
    end = 10 if parser.parse_args(argv).quick else 20
    times = np.linspace(0.0, end, 3 * end)

    truth = np.log(TRUTH)
    noise = ERROR * random.normal(random.key(0), (len(times), 2))
    counts = np.exp(logarithms(truth, times) + noise)
    found, deviations, errors = fit(np.log([1.0, 0.6, 0.6, 1.0, *counts[0]]), times, counts)

    for i, error in enumerate(errors):
        print(f"step {i}: sum of squares {error:.4f}")
    print("           true    found")
    for name, true, log, deviation in zip(NAMES, TRUTH, found, deviations):
        value = np.exp(log)
        print(f"{name:8} {true:6.3f}   {value:6.3f} ± {value * deviation:.3f}")
    assert np.all(np.abs(found - truth) < 3.0 * deviations)
    # What is left is noise: each of the counts brings 1, but for one an unknown.
    freedom = 2 * len(times) - len(NAMES)
    assert abs(errors[-1] - freedom) < 4.0 * np.sqrt(2 * freedom)
    return found, errors


if __name__ == "__main__":
    main()
