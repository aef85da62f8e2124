"""The Greeks of an option: derivatives of its price, to third order, without a formula for any.

    python examples/black_scholes.py [--quick]

The price of a European call is Black and Scholes's formula, written as NumPy code. `grad` gives
delta, vega, rho and theta at once, gradients of those gamma, vanna and speed, `vmap` those of a
whole chain of strikes. Each is compared with the closed form of the textbooks. From prices in the
market Newton's method finds the volatilities that they imply, by the same derivatives.

NumPy has no normal distribution function. With t = x·u its integral becomes one of a smooth
function over 0 ≤ u ≤ 1, which Gauss's rule gives to all digits, and so for its derivatives. (Black
and Scholes, "The pricing of options and corporate liabilities", Journal of Political Economy 81,
1973.)
"""

import argparse
import math

import numpy as np

from funcgrad import grad, value_and_grad, vmap

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
NODES, WEIGHTS = 0.5 * (NODES + 1.0), 0.5 * WEIGHTS


def normal_pdf(x):
    return np.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)


def normal_cdf(x):
    """Φ(x) = ½ + x ∫ φ(x u) du over 0 ≤ u ≤ 1, to 1e-14 for |x| < 10."""
    x = np.clip(x, -10.0, 10.0)
    return 0.5 + x * np.sum(WEIGHTS * normal_pdf(x[..., None] * NODES), axis=-1)


def d1_d2(spot, strike, volatility, rate, years):
    spread = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / spread
    return d1, d1 - spread


def call_price(spot, strike, volatility, rate, years):
    d1, d2 = d1_d2(spot, strike, volatility, rate, years)
    return spot * normal_cdf(d1) - strike * np.exp(-rate * years) * normal_cdf(d2)


def greeks(spot, strike, volatility, rate, years):
    at = (spot, strike, volatility, rate, years)
    delta, vega, rho, decay = grad(call_price, argnums=(0, 2, 3, 4))(*at)
    gamma, vanna = grad(grad(call_price), argnums=(0, 2))(*at)
    speed = grad(grad(grad(call_price)))(*at)
    return {
        "delta": delta,
        "vega": vega,
        "rho": rho,
        "theta": -decay,
        "gamma": gamma,
        "vanna": vanna,
        "speed": speed,
    }


def closed_forms(spot, strike, volatility, rate, years):
    d1, d2 = d1_d2(spot, strike, volatility, rate, years)
    paid, spread = strike * np.exp(-rate * years), volatility * np.sqrt(years)
    gamma = normal_pdf(d1) / (spot * spread)
    vega = spot * normal_pdf(d1) * np.sqrt(years)
    return {
        "delta": normal_cdf(d1),
        "vega": vega,
        "rho": years * paid * normal_cdf(d2),
        "theta": -vega * volatility / (2.0 * years) - rate * paid * normal_cdf(d2),
        "gamma": gamma,
        "vanna": -normal_pdf(d1) * d2 / volatility,
        "speed": -gamma / spot * (d1 / spread + 1.0),
    }


def implied_volatility(prices, spot, strikes, rate, years, guess=0.3, steps=8):
    """The volatilities at which the formula gives ``prices``, by Newton's method."""
    volatility = np.full_like(prices, guess)
    price_and_vega = vmap(value_and_grad(call_price, argnums=2), in_axes=(None, 0, 0, None, None))
    for _ in range(steps):
        found, vega = price_and_vega(spot, strikes, volatility, rate, years)
        volatility = volatility - (found - prices) / vega
    return volatility


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 strikes, not 200")
    count = 5 if parser.parse_args(argv).quick else 200

    spot, rate, years = 100.0, 0.03, 0.75
    strikes = np.linspace(80.0, 120.0, count)
    smile = 0.2 + 0.4 * np.log(strikes / spot) ** 2
    chain = vmap(greeks, in_axes=(None, 0, 0, None, None))(spot, strikes, smile, rate, years)
    expected = closed_forms(spot, strikes, smile, rate, years)
    errors = {}
    print("          lowest strike    highest    error")
    for name, values in chain.items():
        errors[name] = float(np.max(np.abs(values - expected[name])))
        print(f"{name:6} {values[0]:16.8f} {values[-1]:10.8f}    {errors[name]:.0e}")

    prices = call_price(spot, strikes, smile, rate, years)
    implied = implied_volatility(prices, spot, strikes, rate, years)
    errors["implied volatility"] = float(np.max(np.abs(implied - smile)))
    print(f"implied volatilities are off by {errors['implied volatility']:.0e}")
    assert all(error < 1e-10 for error in errors.values())
    return chain, errors


if __name__ == "__main__":
    main()
