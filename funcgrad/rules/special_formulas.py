"""Derivatives of SciPy's ufuncs that take more than a line, for the rows of ``special``.

Formulas are those of Abramowitz & Stegun (A&S) and the Digital Library of Mathematical Functions
(DLMF). Where differences would cancel another form is taken, and where two forms are chosen from,
the one that is not chosen gets an operand at which it is finite, so that it may be differentiated.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..pull import Rule
from .elementwise import unit

ROOT_PI = math.sqrt(math.pi)
ROOT_2 = math.sqrt(2.0)
ROOT_2PI = math.sqrt(2.0 * math.pi)
DEGREE = math.pi / 180.0


class _SciPy:
    """scipy.special as the caller has imported it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules.get("scipy.special"), name)


sp = _SciPy()


def _series(s: Any) -> Any:
    """Σ (2k − 1)!! sᵏ from k = 1, the asymptotic series of erfc and of Dawson's integral."""
    ans = 1.0
    for k in range(23, 1, -2):
        ans = 1.0 + k * s * ans
    return s * ans


def erfcx_dx(x: Any) -> Any:
    near = 2.0 * x * sp.erfcx(x) - 2.0 / ROOT_PI
    if x.dtype.kind == "c":
        return near
    far = np.where(x > 10.0, x, 10.0)
    return np.where(x > 10.0, (2.0 / ROOT_PI) * _series(-0.5 / far / far), near)  # A&S 7.1.23


def dawsn_dx(x: Any) -> Any:
    near = 1.0 - 2.0 * x * sp.dawsn(x)
    if x.dtype.kind == "c":
        return near
    far = np.where(np.abs(x) > 10.0, x, 10.0)
    return np.where(np.abs(x) > 10.0, -_series(0.5 / far / far), near)  # DLMF 7.12.1


def bell(x: Any) -> Any:
    """The density of the normal distribution."""
    return np.exp(-0.5 * x * x) / ROOT_2PI


def hazard(x: Any) -> Any:
    """The derivative of log_ndtr."""
    low = np.where(np.real(x) < 0, x, 0.0)
    high = np.where(np.real(x) < 0, 0.0, x)
    of_low = (2.0 / ROOT_2PI) / sp.erfcx(low / -ROOT_2)
    return np.where(np.real(x) < 0, of_low, bell(high) / sp.ndtr(high))


def psi_dx(x: Any) -> Any:
    """ζ(2, x), reflected where x is negative (A&S 6.4.7)."""
    if x.dtype.kind == "c":
        raise UnsupportedError(
            "scipy.special.psi of a complex number has no derivative rule, since SciPy's zeta "
            "takes real numbers. Take value(z) where no gradient is wanted."
        )
    high, low = np.where(x > 0, x, 1.0), np.where(x > 0, 0.5, x)
    cosecant = math.pi / np.sin(math.pi * (low - np.round(low)))
    return np.where(x > 0, sp.zeta(2.0, high), cosecant * cosecant - sp.zeta(2.0, 1.0 - low))


def rgamma_dx(x: Any, ans: Any) -> Any:
    """−ψ(x)/Γ(x), reflected (A&S 6.1.17) where ψ has its poles."""
    if x.dtype.kind == "c":
        return -ans * sp.psi(x)
    high, low = np.where(x > 0.5, x, 1.0), np.where(x > 0.5, 0.5, x)
    reflected = sp.gamma(1.0 - low) * np.cos(math.pi * low) - ans * sp.psi(1.0 - low)
    return np.where(x > 0.5, -ans * sp.psi(high), reflected)


def psi_drop(a: Any, b: Any) -> Any:
    """ψ(a) − ψ(a + b), for large a from the asymptotic series (A&S 6.3.18)."""
    large = (a > 16.0) & (b > 0)
    far, step = np.where(large, a, 16.0), np.where(large, b, 1.0)
    by_series = _psi_tail(far + step) - _psi_tail(far) - 0.5 / far * (step / (far + step))
    return np.where(large, by_series - np.log1p(step / far), sp.psi(a) - sp.psi(a + b))


def _psi_tail(x: Any) -> Any:
    s = 1.0 / x / x
    return s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s / 132))))


def log_ratio(x: Any, y: Any) -> Any:
    close = np.abs(x - y) < 0.5 * y
    d, of = np.where(close, x - y, 0.0), np.where(close, y, 1.0)
    far = 2.0 * np.log(np.sqrt(x) / np.sqrt(y))  # roots, whose quotient does not overflow
    return np.where(close, np.log1p(d / of), far)


def quotient(x: Any, y: Any) -> Any:
    """x / y, and 0 for 0 / 0: the derivative of x·log y, which is 0 for x = 0, in y."""
    return np.where((x == 0) & (y == 0), 0.0, x / y)


def kl_div_dy(x: Any, y: Any) -> Any:
    """1 − x/y."""
    close = np.abs(x - y) < 0.5 * y
    return np.where(close, (y - x) / np.where(close, y, 1.0), 1.0 - quotient(x, y))


def exprel_dx(x: Any) -> Any:
    """(1 + eˣ(x − 1))/x², and where that cancels a hypergeometric series, which is slow far out."""
    small = np.abs(x) < 1.0
    near, far = np.where(small, x, 0.0), np.where(small, 1.0, x)
    series = 0.5 * sp.hyp1f1(2.0, 3.0, near)
    return np.where(small, series, (1.0 + np.exp(far) * (far - 1.0)) / far / far)


def boxcox_dy(log_x: Any, y: Any) -> Any:
    """∂/∂y of (xʸ − 1)/y = log x · exprel(y·log x), which is −1/y for x = 0."""
    finite = np.where(log_x == -np.inf, 0.0, log_x)
    at_zero = np.where(y > 0, 1.0 / (y * y), np.inf)
    return np.where(log_x == -np.inf, at_zero, finite * finite * exprel_dx(y * finite))


# Bessel functions. The orders and parameters of these are real, but a Python number that met a
# complex one arrives as complex.


def next_orders(name: str, lower: float, upper: float) -> Rule:
    """The rule of a Bessel function whose derivative is a sum of the orders below and above."""

    def rule(g: Any, x: Any, y: Any) -> Any:
        bessel, order = getattr(sp, name), np.real(x)
        return g * (lower * bessel(order - 1.0, y) + upper * bessel(order + 1.0, y))

    return rule


def next_whole_orders(name: str, lower: float, upper: float) -> Rule:
    """The same of a function that takes whole orders: of others SciPy cuts off the fraction."""
    rule = next_orders(name, lower, upper)
    return lambda g, x, y: rule(g, np.trunc(x), y)


def hyp2f1_dz(g: Any, x: Any, ys: Any) -> Any:
    a, b, c = np.real(x), np.real(ys[0]), np.real(ys[1])
    return g * (a * b / c * sp.hyp2f1(a + 1.0, b + 1.0, c + 1.0, ys[2]))


def _gaps(count: int) -> list[float]:
    """How the terms of the series of the orders 1 and 0 in A&S 9.7.1 and 9.7.2 differ."""
    gaps, first, zeroth = [], 1.0, 1.0
    for k in range(1, count + 1):
        odd = (2 * k - 1) ** 2
        first, zeroth = first * (4 - odd) / (8 * k), -zeroth * odd / (8 * k)
        gaps.append(first - zeroth)
    return gaps


_GAPS = _gaps(20)


def _gap(s: Any) -> Any:
    ans = 0.0
    for term in reversed(_GAPS):
        ans = (ans + term) * s
    return ans


def i0e_dx(x: Any) -> Any:
    """sign(x)·(|i1e| − i0e)."""
    far = np.where(np.abs(x) > 30.0, np.abs(x), 30.0)
    near = sp.i1e(x) - np.sign(x) * sp.i0e(x)
    by_series = np.sign(x) * _gap(-1.0 / far) / np.sqrt((2.0 * math.pi) * far)
    return np.where(np.abs(x) > 30.0, by_series, near)


def i1e_dx(x: Any) -> Any:
    small = np.abs(x) < 1.0
    far, near = np.where(small, 1.0, x), np.where(small, x, 0.0)
    at_far = -np.sign(far) * i0e_dx(far) - sp.i1e(far) / far
    at_near = 0.5 * (sp.i0e(near) + sp.ive(2.0, near)) - np.sign(near) * sp.i1e(near)
    return np.where(small, at_near, at_far)


def k0e_dx(x: Any) -> Any:
    """k0e − k1e."""
    far, near = np.where(x > 30.0, x, 30.0), np.where(x > 30.0, 30.0, x)
    by_series = -math.sqrt(math.pi / 2) * _gap(1.0 / far) / np.sqrt(far)
    at_near = np.where(x == 0, -np.inf, sp.k0e(near) - sp.k1e(near))
    return np.where(x > 30.0, by_series, at_near)


def k1e_dx(x: Any, ans: Any) -> Any:
    small = x < 1.0
    far = np.where(small, 1.0, x)
    near = sp.k0e(x) + ans * ((1.0 - x) / x)  # in which nothing cancels
    return -np.where(small, near, k0e_dx(far) + ans / far)


def ive_dx(g: Any, x: Any, y: Any) -> Any:
    if y.dtype.kind == "c":
        raise UnsupportedError(
            "scipy.special.ive of a complex number has no derivative rule, since it is not "
            "holomorphic. Write np.exp(-np.abs(np.real(z))) * scipy.special.iv(v, z)."
        )
    return g * (0.5 * (sp.ive(x - 1.0, y) + sp.ive(x + 1.0, y)) - np.sign(y) * sp.ive(x, y))


def expn_dx(g: Any, ans: Any, x: Any, y: Any) -> Any:
    """−E₋₁ from the recurrence (A&S 5.1.14) where n = 0, for which there is no expn(−1, y)."""
    x = np.trunc(x)  # as SciPy does
    first = x < 1.0
    lower = sp.expn(np.where(first, 0.0, x - 1.0), y)
    return -g * np.where(first, (np.exp(-y) - (x - 1.0) * ans) / y, lower)


def struve_term(x: Any, y: Any) -> Any:
    return (0.5 * y) ** x * (sp.rgamma(x + 1.5) / ROOT_PI)


def pseudo_huber_dx(x: Any, y: Any) -> Any:
    length = np.hypot(x, y)
    q = unit(y, length + x)  # length − x = y·q
    return y * q * q * unit(y, length)


# Elliptic integrals: where the parameter m is small the usual forms (A&S 17.3) would cancel.


def ellipk_dx(p: Any) -> Any:
    """dK/dm at m = 1 − p, B(m)/(2p) with B = (E − p·K)/m."""
    small = (p > 0.0) & (p < 0.5)
    low, high = np.where(small, p, 0.5), np.where(small, 1.0, p)
    b = (sp.ellipe(1.0 - low) - low * sp.ellipkm1(low)) / (1.0 - low)
    series = (math.pi / 4) * sp.hyp2f1(0.5, 0.5, 2.0, 1.0 - high)
    return np.where(small, b, series) / (2.0 * p)


def ellipe_dx(x: Any) -> Any:
    """(E − K)/(2m)."""
    large = x > 0.5
    high, low = np.where(large, x, 0.5), np.where(large, 0.0, x)
    series = (-math.pi / 8) * sp.hyp2f1(0.5, 1.5, 2.0, low)
    return np.where(large, (sp.ellipe(high) - sp.ellipk(high)) / (2.0 * high), series)


# Densities of distributions.


def gamma_density(a: Any, x: Any) -> Any:
    return np.exp(sp.xlogy(a - 1.0, x) - x - sp.gammaln(a))


def beta_density(a: Any, b: Any, x: Any) -> Any:
    return np.exp(sp.xlogy(a - 1.0, x) + sp.xlog1py(b - 1.0, -x) - sp.betaln(a, b))


def t_density(n: Any, t: Any) -> Any:
    m = np.where(np.isinf(n), 1.0, n)
    log = 0.5 * (m + 1.0) * np.log1p(t * t / m) + 0.5 * np.log(m) + sp.betaln(0.5, 0.5 * m)
    return np.where(np.isinf(n), bell(t), np.exp(-log))


def f_density(m: Any, n: Any, x: Any) -> Any:
    s = m * x + n
    return beta_density(0.5 * m, 0.5 * n, m * x / s) * (m / s) * (n / s)


def poisson(k: Any, mean: Any) -> Any:
    return gamma_density(np.floor(k) + 1.0, mean)


def binomial_slope(k: Any, n: Any, p: Any) -> Any:
    k, n = np.floor(k), np.trunc(n)  # as SciPy does
    return beta_density(k + 1.0, n - k, p)
