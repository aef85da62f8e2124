"""A rule around a routine that cannot be traced: the quantile of a gamma distribution.

    python examples/custom_rule.py [--quick]

The distribution function P(a, x) comes from a series of plain Python numbers, as it might from C or
SciPy, and its quantile from bisection; neither can be traced. Both get the derivatives that
calculus gives. ∂P/∂x is the density, a formula; ∂P/∂a has none, and is taken by a difference that
errs by about 1e-9. The quantile x with P(a, x) = p follows by the implicit function theorem,

    dx = (dp − ∂P/∂a da) / (∂P/∂x).

With that the shape and scale of a distribution are found whose quartiles are as given, by Newton's
method on the Jacobian that `jacrev` makes of the rule. (Series: Abramowitz and Stegun, "Handbook of
Mathematical Functions", 1964, 6.5.29.)
"""

import argparse
import math

import numpy as np

from funcgrad import custom_vjp, jacrev

LEVELS = (0.25, 0.75)


def gamma_cdf(a, x):
    """P(a, x) = xᵃ e⁻ˣ Σ xⁿ / Γ(a + n + 1), on Python floats."""
    term = total = 1.0 / a
    n = 0
    while term > 1e-17 * total:
        n += 1
        term *= x / (a + n)
        total += term
    return total * math.exp(a * math.log(x) - x - math.lgamma(a)) if x > 0.0 else 0.0


@custom_vjp
def gamma_quantile(p, a):
    """The x with P(a, x) = p, by bisection."""
    low, high = 0.0, 1.0
    while gamma_cdf(a, high) < p:
        high *= 2.0
    while high - low > 1e-15 * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if gamma_cdf(a, middle) < p else (low, middle)
    return 0.5 * (low + high)


def forward(p, a):
    x = gamma_quantile(p, a)
    return x, (float(a), float(x))


def backward(residuals, g):
    a, x = residuals
    density = math.exp((a - 1.0) * math.log(x) - x - math.lgamma(a))
    step = 1e-5 * a
    by_shape = (gamma_cdf(a + step, x) - gamma_cdf(a - step, x)) / (2.0 * step)
    return g / density, -g * by_shape / density


gamma_quantile.defvjp(forward, backward)


def quartiles(log_parameters):
    """The quartiles of the gamma distribution with shape and scale exp(log_parameters)."""
    shape, scale = np.exp(log_parameters)
    return scale * np.stack([gamma_quantile(p, shape) for p in LEVELS])


def fit(wanted, steps):
    """Parameters with the quartiles ``wanted``, and how far off each of Newton's steps was."""
    x, errors = np.array([0.0, np.log(wanted[1])]), []
    for _ in range(steps):
        off = quartiles(x) - wanted
        errors.append(float(np.max(np.abs(off))))
        x = x - np.clip(np.linalg.solve(jacrev(quartiles)(x), off), -1.0, 1.0)
    return np.exp(x), errors


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="eight steps, not twelve")
    quick = parser.parse_args(argv).quick

    wanted = np.array([1.5, 4.0])
    (shape, scale), errors = fit(wanted, 8 if quick else 12)
    for step, error in enumerate(errors):
        print(f"step {step:2d}   quartiles off by {error:.1e}")
    print(f"shape {shape:.6f}, scale {scale:.6f}")
    assert errors[-1] < 1e-12
    return shape, scale


if __name__ == "__main__":
    main()
