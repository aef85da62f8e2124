"""The ufuncs of scipy.special, where the caller has SciPy. funcgrad itself never imports it.

They are NumPy ufuncs, so that a call on a traced value arrives like any other. One that no rule is
known for is looked up in ``scipy.special``, if that is among ``sys.modules`` by then, and found
there by identity; its row of ``RULES`` becomes its primitive. What has no row is refused by name.

A row has an entry for each operand: a rule, ``None`` where the derivative is zero, or a word for an
operand in which there is no formula, whose derivative raises. Formulas are those of Abramowitz &
Stegun (A&S) and the Digital Library of Mathematical Functions (DLMF), in forms that hold where
differences would cancel. Rule bodies call SciPy's ufuncs through ``sp``.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NoReturn

import numpy as np

from ..batching import aligned
from ..core import FUNCTIONS, LIBRARIES, UFUNCS, Primitive
from ..errors import UnsupportedError
from ..pull import Pull, Rule
from .elementwise import LN2, LN10, power_dx, power_dy, unit

ROOT_PI = math.sqrt(math.pi)
ROOT_2 = math.sqrt(2.0)
ROOT_2PI = math.sqrt(2.0 * math.pi)
DEGREE = math.pi / 180.0


class _SciPy:
    """scipy.special as the caller has imported it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules["scipy.special"], name)


sp = _SciPy()

# Derivatives that take more than a line. Where they choose between two forms, the form that is not
# chosen gets an operand at which it is finite.


def _series(s: Any) -> Any:
    """Σ (2k − 1)!! sᵏ from k = 1, the asymptotic series of erfc and of Dawson's integral."""
    ans = 1.0
    for k in range(23, 1, -2):
        ans = 1.0 + k * s * ans
    return s * ans


def _erfcx_dx(x: Any) -> Any:
    near = 2.0 * x * sp.erfcx(x) - 2.0 / ROOT_PI
    if x.dtype.kind == "c":
        return near
    far = np.where(x > 10.0, x, 10.0)
    return np.where(x > 10.0, (2.0 / ROOT_PI) * _series(-0.5 / far / far), near)  # A&S 7.1.23


def _dawsn_dx(x: Any) -> Any:
    near = 1.0 - 2.0 * x * sp.dawsn(x)
    if x.dtype.kind == "c":
        return near
    far = np.where(np.abs(x) > 10.0, x, 10.0)
    return np.where(np.abs(x) > 10.0, -_series(0.5 / far / far), near)  # DLMF 7.12.1


def _bell(x: Any) -> Any:
    """The density of the normal distribution."""
    return np.exp(-0.5 * x * x) / ROOT_2PI


def _hazard(x: Any) -> Any:
    """The derivative of log_ndtr."""
    low = np.where(np.real(x) < 0, x, 0.0)
    high = np.where(np.real(x) < 0, 0.0, x)
    of_low = (2.0 / ROOT_2PI) / sp.erfcx(low / -ROOT_2)
    return np.where(np.real(x) < 0, of_low, _bell(high) / sp.ndtr(high))


def _psi_dx(x: Any) -> Any:
    """ζ(2, x), reflected where x is negative (A&S 6.4.7)."""
    if x.dtype.kind == "c":
        return sp.zeta(2.0, x)
    high, low = np.where(x > 0, x, 1.0), np.where(x > 0, 0.5, x)
    cosecant = math.pi / np.sin(math.pi * (low - np.round(low)))
    return np.where(x > 0, sp.zeta(2.0, high), cosecant * cosecant - sp.zeta(2.0, 1.0 - low))


def _rgamma_dx(x: Any, ans: Any) -> Any:
    """−ψ(x)/Γ(x), reflected (A&S 6.1.17) where ψ has its poles."""
    if x.dtype.kind == "c":
        return -ans * sp.psi(x)
    high, low = np.where(x > 0.5, x, 1.0), np.where(x > 0.5, 0.5, x)
    reflected = sp.gamma(1.0 - low) * np.cos(math.pi * low) - ans * sp.psi(1.0 - low)
    return np.where(x > 0.5, -ans * sp.psi(high), reflected)


def _psi_drop(a: Any, b: Any) -> Any:
    """ψ(a) − ψ(a + b), for large a from the asymptotic series (A&S 6.3.18)."""
    large = (a > 16.0) & (b > 0)
    far, step = np.where(large, a, 16.0), np.where(large, b, 1.0)
    by_series = _psi_tail(far + step) - _psi_tail(far) - 0.5 / far * (step / (far + step))
    return np.where(large, by_series - np.log1p(step / far), sp.psi(a) - sp.psi(a + b))


def _psi_tail(x: Any) -> Any:
    s = 1.0 / x / x
    return s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s / 132))))


def _log_ratio(x: Any, y: Any) -> Any:
    close = np.abs(x - y) < 0.5 * y
    d, of = np.where(close, x - y, 0.0), np.where(close, y, 1.0)
    far = 2.0 * np.log(np.sqrt(x) / np.sqrt(y))  # roots, whose quotient does not overflow
    return np.where(close, np.log1p(d / of), far)


def _quotient(x: Any, y: Any) -> Any:
    """x / y, and 0 for 0 / 0: the derivative of x·log y, which is 0 for x = 0, in y."""
    return np.where((x == 0) & (y == 0), 0.0, x / y)


def _exprel_dx(x: Any) -> Any:
    return 0.5 * sp.hyp1f1(2.0, 3.0, x)


def _boxcox_dy(log_x: Any, y: Any) -> Any:
    """∂/∂y of (xʸ − 1)/y = log x · exprel(y·log x)."""
    return log_x * log_x * _exprel_dx(y * log_x)


# Bessel functions. In A&S 9.7.1 and 9.7.2 the terms of the series of the orders 1 and 0 differ by:
_GAPS = []
_terms = [1.0, 1.0]
for _k in range(1, 21):
    _terms = [t * (4 * n - (2 * _k - 1) ** 2) / (8 * _k) for t, n in zip(_terms, (0, 1))]
    _GAPS.append(_terms[1] - _terms[0])


def _gap(s: Any) -> Any:
    ans = 0.0
    for term in reversed(_GAPS):
        ans = (ans + term) * s
    return ans


def _i0e_dx(x: Any) -> Any:
    """sign(x)·(|i1e| − i0e)."""
    far = np.where(np.abs(x) > 30.0, np.abs(x), 30.0)
    near = sp.i1e(x) - np.sign(x) * sp.i0e(x)
    by_series = np.sign(x) * _gap(-1.0 / far) / np.sqrt((2.0 * math.pi) * far)
    return np.where(np.abs(x) > 30.0, by_series, near)


def _i1e_dx(x: Any) -> Any:
    small = np.abs(x) < 1.0
    far, near = np.where(small, 1.0, x), np.where(small, x, 0.0)
    at_far = -np.sign(far) * _i0e_dx(far) - sp.i1e(far) / far
    at_near = 0.5 * (sp.i0e(near) + sp.ive(2.0, near)) - np.sign(near) * sp.i1e(near)
    return np.where(small, at_near, at_far)


def _k0e_dx(x: Any) -> Any:
    """k0e − k1e."""
    far, near = np.where(x > 30.0, x, 30.0), np.where(x > 30.0, 30.0, x)
    by_series = -math.sqrt(math.pi / 2) * _gap(1.0 / far) / np.sqrt(far)
    return np.where(x > 30.0, by_series, sp.k0e(near) - sp.k1e(near))


def _ive_dx(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if y.dtype.kind == "c":
        raise UnsupportedError(
            "scipy.special.ive of a complex number has no derivative rule, since it is not "
            "holomorphic. Write np.exp(-np.abs(np.real(z))) * scipy.special.iv(v, z)."
        )
    return g * (0.5 * (sp.ive(x - 1.0, y) + sp.ive(x + 1.0, y)) - np.sign(y) * ans)


def _expn_dx(g: Any, ans: Any, x: Any, y: Any) -> Any:
    """−E₋₁ from the recurrence (A&S 5.1.14) where n = 0, for which there is no expn(−1, y)."""
    first = x < 1.0
    lower = sp.expn(np.where(first, 0.0, x - 1.0), y)
    return -g * np.where(first, (np.exp(-y) - (x - 1.0) * ans) / y, lower)


def _struve_term(x: Any, y: Any) -> Any:
    return (0.5 * y) ** x * (sp.rgamma(x + 1.5) / ROOT_PI)


def _pseudo_huber_dx(x: Any, y: Any) -> Any:
    length = np.hypot(x, y)
    q = unit(y, length + x)  # length − x = y·q
    return y * q * q * unit(y, length)


# Densities of distributions.


def _gamma_density(a: Any, x: Any) -> Any:
    return np.exp(sp.xlogy(a - 1.0, x) - x - sp.gammaln(a))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    return np.exp(sp.xlogy(a - 1.0, x) + sp.xlog1py(b - 1.0, -x) - sp.betaln(a, b))


def _t_density(n: Any, t: Any) -> Any:
    log = 0.5 * (n + 1.0) * np.log1p(t * t / n) + 0.5 * np.log(n) + sp.betaln(0.5, 0.5 * n)
    return np.exp(-log)


def _f_density(m: Any, n: Any, x: Any) -> Any:
    s = m * x + n
    return _beta_density(0.5 * m, 0.5 * n, m * x / s) * (m / s) * (n / s)


def _poisson(k: Any, mean: Any) -> Any:
    return _gamma_density(np.floor(k) + 1.0, mean)


def _binomial_slope(k: Any, n: Any, p: Any) -> Any:
    return _beta_density(np.floor(k) + 1.0, n - np.floor(k), p)


#: Name in scipy.special -> one entry for each operand.
RULES: dict[str, list[Rule | str | None]] = {
    # The error function and its kin: A&S 7.1.19, 7.1.20.
    "erf": [lambda g, x: g * ((2.0 / ROOT_PI) * np.exp(-x * x))],
    "erfc": [lambda g, x: -g * ((2.0 / ROOT_PI) * np.exp(-x * x))],
    "erfi": [lambda g, x: g * ((2.0 / ROOT_PI) * np.exp(x * x))],
    "erfcx": [lambda g, x: g * _erfcx_dx(x)],
    "wofz": [lambda g, ans, x: g * (2j / ROOT_PI - 2.0 * x * ans)],
    "dawsn": [lambda g, x: g * _dawsn_dx(x)],
    "erfinv": [lambda g, ans: g * ((0.5 * ROOT_PI) * np.exp(ans * ans))],
    "erfcinv": [lambda g, ans: -g * ((0.5 * ROOT_PI) * np.exp(ans * ans))],
    "ndtr": [lambda g, x: g * _bell(x)],
    "log_ndtr": [lambda g, x: g * _hazard(x)],
    "ndtri": [lambda g, ans: g * (ROOT_2PI * np.exp(0.5 * ans * ans))],
    "ndtri_exp": [lambda g, ans: g / _hazard(ans)],
    "owens_t": [
        lambda g, x, y: g * (-0.5 * _bell(x) * sp.erf(x * y / ROOT_2)),
        lambda g, x, y: g * (_bell(x) * _bell(x * y) / (1.0 + y * y)),
    ],
    # The logistic function.
    "expit": [lambda g, ans, x: g * (ans * sp.expit(-x))],
    "logit": [lambda g, x: g / (x * (1.0 - x))],
    "log_expit": [lambda g, x: g * sp.expit(-x)],
    # The gamma function and its kin: A&S 6.3.1, 6.4.10, DLMF 25.11.17.
    "gamma": [lambda g, ans, x: g * (ans * sp.psi(x))],
    "gammaln": [lambda g, x: g * sp.psi(x)],
    "loggamma": [lambda g, x: g * sp.psi(x)],
    "rgamma": [lambda g, ans, x: g * _rgamma_dx(x, ans)],
    "gammasgn": [None],
    "psi": [lambda g, x: g * _psi_dx(x)],
    "_zeta": ["first operand", lambda g, x, y: -g * (x * sp.zeta(x + 1.0, y))],
    "beta": [
        lambda g, ans, x, y: g * (ans * _psi_drop(x, y)),
        lambda g, ans, x, y: g * (ans * _psi_drop(y, x)),
    ],
    "betaln": [lambda g, x, y: g * _psi_drop(x, y), lambda g, x, y: g * _psi_drop(y, x)],
    "binom": [
        lambda g, ans, x, y: g * (ans * (sp.psi(x + 1.0) - sp.psi(x - y + 1.0))),
        lambda g, ans, x, y: g * (ans * (sp.psi(x - y + 1.0) - sp.psi(y + 1.0))),
    ],
    "poch": [
        lambda g, ans, x, y: g * (ans * -_psi_drop(x, y)),
        lambda g, ans, x, y: g * (ans * sp.psi(x + y)),
    ],
    # Distributions, by their densities: A&S 26.4 to 26.7. Inverses have the reciprocal derivative.
    "gammainc": ["shape", lambda g, x, y: g * _gamma_density(x, y)],
    "gammaincc": ["shape", lambda g, x, y: -g * _gamma_density(x, y)],
    "gammaincinv": ["shape", lambda g, ans, x: g / _gamma_density(x, ans)],
    "gammainccinv": ["shape", lambda g, ans, x: -g / _gamma_density(x, ans)],
    "betainc": ["first shape", "second shape", lambda g, x, y, z: g * _beta_density(x, y, z)],
    "betaincc": ["first shape", "second shape", lambda g, x, y, z: -g * _beta_density(x, y, z)],
    "betaincinv": ["first shape", "second shape", lambda g, ans, x, y: g / _beta_density(x, y, ans)],
    "betainccinv": [
        "first shape", "second shape", lambda g, ans, x, y: -g / _beta_density(x, y, ans)
    ],
    "chdtr": ["degree of freedom", lambda g, x, y: g * (0.5 * _gamma_density(0.5 * x, 0.5 * y))],
    "chdtrc": ["degree of freedom", lambda g, x, y: -g * (0.5 * _gamma_density(0.5 * x, 0.5 * y))],
    "chdtri": [
        "degree of freedom", lambda g, ans, x: -2.0 * g / _gamma_density(0.5 * x, 0.5 * ans)
    ],
    "stdtr": ["degree of freedom", lambda g, x, y: g * _t_density(x, y)],
    "stdtrit": ["degree of freedom", lambda g, ans, x: g / _t_density(x, ans)],
    "fdtr": ["first degree", "second degree", lambda g, x, y, z: g * _f_density(x, y, z)],
    "fdtrc": ["first degree", "second degree", lambda g, x, y, z: -g * _f_density(x, y, z)],
    "fdtri": ["first degree", "second degree", lambda g, ans, x, y: g / _f_density(x, y, ans)],
    "gdtr": [
        lambda g, x, y, z: g * (z * _gamma_density(y, x * z)),
        "shape",
        lambda g, x, y, z: g * (x * _gamma_density(y, x * z)),
    ],
    "gdtrc": [
        lambda g, x, y, z: -g * (z * _gamma_density(y, x * z)),
        "shape",
        lambda g, x, y, z: -g * (x * _gamma_density(y, x * z)),
    ],
    "pdtr": [None, lambda g, x, y: -g * _poisson(x, y)],
    "pdtrc": [None, lambda g, x, y: g * _poisson(x, y)],
    "bdtr": [None, "number of trials", lambda g, x, y, z: -g * _binomial_slope(x, y, z)],
    "bdtrc": [None, "number of trials", lambda g, x, y, z: g * _binomial_slope(x, y, z)],
    # Entropies and logarithms.
    "entr": [lambda g, x: g * (-1.0 - np.log(x))],
    "rel_entr": [
        lambda g, x, y: g * (1.0 + _log_ratio(x, y)),
        lambda g, x, y: -g * _quotient(x, y),
    ],
    "kl_div": [
        lambda g, x, y: g * _log_ratio(x, y),
        lambda g, x, y: -g * _quotient(x - y, y),
    ],
    "xlogy": [lambda g, y: g * np.log(y), lambda g, x, y: g * _quotient(x, y)],
    "xlog1py": [lambda g, y: g * np.log1p(y), lambda g, x, y: g * _quotient(x, 1.0 + y)],
    # For huber and pseudo_huber the operands are the width and the residual.
    "huber": [
        lambda g, x, y: np.where(np.abs(y) <= x, 0.0, g * (np.abs(y) - x)),
        lambda g, x, y: g * np.where(np.abs(y) <= x, y, x * np.sign(y)),
    ],
    "pseudo_huber": [
        lambda g, x, y: g * _pseudo_huber_dx(x, y),
        lambda g, x, y: g * (x * unit(y, np.hypot(x, y))),
    ],
    "boxcox": [
        lambda g, x, y: g * x ** (y - 1.0),
        lambda g, x, y: g * _boxcox_dy(np.log(x), y),
    ],
    "boxcox1p": [
        lambda g, x, y: g * np.exp((y - 1.0) * np.log1p(x)),
        lambda g, x, y: g * _boxcox_dy(np.log1p(x), y),
    ],
    "inv_boxcox": [
        lambda g, ans, y: g * ans ** (1.0 - y),
        lambda g, ans, y: -g * (ans ** (1.0 - y) * _boxcox_dy(np.log(ans), y)),
    ],
    "inv_boxcox1p": [
        lambda g, ans, y: g * np.exp((1.0 - y) * np.log1p(ans)),
        lambda g, ans, y: -g * (np.exp((1.0 - y) * np.log1p(ans)) * _boxcox_dy(np.log1p(ans), y)),
    ],
    # Elementary functions.
    "cbrt": [lambda g, ans: g / (3.0 * (ans * ans))],
    "exp2": [lambda g, ans: g * (ans * LN2)],
    "exp10": [lambda g, ans: g * (ans * LN10)],
    "expm1": [lambda g, x: g * np.exp(x)],
    "exprel": [lambda g, x: g * _exprel_dx(x)],
    "log1p": [lambda g, x: g / (1.0 + x)],
    "powm1": [lambda g, x, y: g * power_dx(x, y), lambda g, x, y: g * power_dy(x, y)],
    "cosm1": [lambda g, x: -g * np.sin(x)],
    "sindg": [lambda g, x: g * (DEGREE * sp.cosdg(x))],
    "cosdg": [lambda g, x: -g * (DEGREE * sp.sindg(x))],
    "tandg": [lambda g, ans: g * (DEGREE * (1.0 + ans * ans))],
    "cotdg": [lambda g, ans: -g * (DEGREE * (1.0 + ans * ans))],
    "round": [None],
    # Corless et al. 1996, "On the Lambert W function", eq. 3.2; ω(z) = W(eᶻ).
    "_lambertw": [lambda g, ans: g * np.exp(-ans) / (1.0 + ans), None, None],
    "wrightomega": [lambda g, ans: g * (ans / (1.0 + ans))],
    # Exponential integrals: A&S 5.1.1, 5.1.2, 5.1.26; the dilogarithm, 27.7.1.
    "expi": [lambda g, x: g * (np.exp(x) / x)],
    "exp1": [lambda g, x: -g * (np.exp(-x) / x)],
    "expn": ["order", _expn_dx],
    "spence": [lambda g, x: -g / sp.exprel(np.log(x))],
    # Bessel functions: A&S 9.1.27, 9.1.28, 9.6.26, 9.6.27; Struve functions, 12.1.11, 12.2.4.
    "j0": [lambda g, x: -g * sp.j1(x)],
    "j1": [lambda g, x: g * (0.5 * (sp.j0(x) - sp.jv(2.0, x)))],
    "y0": [lambda g, x: -g * sp.y1(x)],
    "y1": [lambda g, x: g * (0.5 * (sp.y0(x) - sp.yv(2.0, x)))],
    "i0": [lambda g, x: g * sp.i1(x)],
    "i1": [lambda g, x: g * (0.5 * (sp.i0(x) + sp.iv(2.0, x)))],
    "k0": [lambda g, x: -g * sp.k1(x)],
    "k1": [lambda g, x: -g * (0.5 * (sp.k0(x) + sp.kv(2.0, x)))],
    "i0e": [lambda g, x: g * _i0e_dx(x)],
    "i1e": [lambda g, x: g * _i1e_dx(x)],
    "k0e": [lambda g, x: g * _k0e_dx(x)],
    "k1e": [lambda g, ans, x: -g * (_k0e_dx(x) + ans / x)],
    "jv": ["order", lambda g, x, y: g * (0.5 * (sp.jv(x - 1.0, y) - sp.jv(x + 1.0, y)))],
    "yn": ["order", lambda g, x, y: g * (0.5 * (sp.yv(x - 1.0, y) - sp.yv(x + 1.0, y)))],
    "yv": ["order", lambda g, x, y: g * (0.5 * (sp.yv(x - 1.0, y) - sp.yv(x + 1.0, y)))],
    "iv": ["order", lambda g, x, y: g * (0.5 * (sp.iv(x - 1.0, y) + sp.iv(x + 1.0, y)))],
    "ive": ["order", _ive_dx],
    "kn": ["order", lambda g, x, y: -g * (0.5 * (sp.kv(x - 1.0, y) + sp.kv(x + 1.0, y)))],
    "kv": ["order", lambda g, x, y: -g * (0.5 * (sp.kv(x - 1.0, y) + sp.kv(x + 1.0, y)))],
    "hankel1": [
        "order", lambda g, x, y: g * (0.5 * (sp.hankel1(x - 1.0, y) - sp.hankel1(x + 1.0, y)))
    ],
    "hankel2": [
        "order", lambda g, x, y: g * (0.5 * (sp.hankel2(x - 1.0, y) - sp.hankel2(x + 1.0, y)))
    ],
    "struve": [
        "order",
        lambda g, x, y: g * (
            0.5 * (sp.struve(x - 1.0, y) - sp.struve(x + 1.0, y) + _struve_term(x, y))
        ),
    ],
    "modstruve": [
        "order",
        lambda g, x, y: g * (
            0.5 * (sp.modstruve(x - 1.0, y) + sp.modstruve(x + 1.0, y) + _struve_term(x, y))
        ),
    ],
    # Elliptic integrals: A&S 17.2 and 17.3.9, 17.3.10 with 15.2.1.
    "ellipk": [lambda g, x: g * ((math.pi / 8) * sp.hyp2f1(0.5, 0.5, 2.0, x) / (1.0 - x))],
    "ellipkm1": [lambda g, x: -g * ((math.pi / 8) * sp.hyp2f1(0.5, 0.5, 2.0, 1.0 - x) / x)],
    "ellipe": [lambda g, x: -g * ((math.pi / 8) * sp.hyp2f1(0.5, 1.5, 2.0, x))],
    "ellipkinc": [lambda g, x, y: g / np.sqrt(1.0 - y * np.sin(x) ** 2), "parameter"],
    "ellipeinc": [lambda g, x, y: g * np.sqrt(1.0 - y * np.sin(x) ** 2), "parameter"],
    # Hypergeometric functions: A&S 13.4.8, 13.4.21, 15.2.1, DLMF 16.3.1.
    "hyp0f1": ["parameter", lambda g, x, y: g * (sp.hyp0f1(x + 1.0, y) / x)],
    "hyp1f1": [
        "first parameter", "second parameter",
        lambda g, x, y, z: g * (x / y * sp.hyp1f1(x + 1.0, y + 1.0, z)),
    ],
    "hyp2f1": [
        "first parameter", "second parameter", "third parameter",
        lambda g, x, ys: g * (
            x * ys[0] / ys[1] * sp.hyp2f1(x + 1.0, ys[0] + 1.0, ys[1] + 1.0, ys[2])
        ),
    ],
    "hyperu": [
        "first parameter", "second parameter",
        lambda g, x, y, z: -g * (x * sp.hyperu(x + 1.0, y + 1.0, z)),
    ],
}  # fmt: skip


def declare(ufunc: Any) -> bool:
    """Declare ``ufunc`` with its row of ``RULES``, if it is one of SciPy's; tell whether it is."""
    for module in ("scipy.special", "scipy.special._ufuncs"):
        # A copy, since another thread may just be importing the module.
        members = dict(vars(sys.modules[module])) if module in sys.modules else {}
        names = [name for name, member in members.items() if member is ufunc]
        if names:
            _declare(ufunc, next((name for name in names if name in RULES), names[0]))
            return True
    return False


def _declare(ufunc: Any, name: str) -> None:
    called = f"scipy.special.{name.lstrip('_')}"
    if name not in RULES:
        FUNCTIONS.setdefault(ufunc, _refusing(called))
        return
    rules = [_unknown(called, row) if isinstance(row, str) else row for row in RULES[name]]
    pulls = [rule and Pull(rule, elementwise=True) for rule in rules] if any(rules) else None
    # Of two threads that declare the same ufunc the second finds the primitive of the first.
    UFUNCS.setdefault(ufunc, Primitive(called, ufunc, pulls, pulls, aligned, dispatches=True))


def _refusing(called: str) -> Any:
    def refused(*args: Any, **kwargs: Any) -> NoReturn:
        raise UnsupportedError(
            f"{called} has no derivative rule, and calling it on the plain values would lose the "
            f"gradient. Write it in terms of other functions, give it a rule with "
            f"funcgrad.custom_vjp, or take value(t) of its arguments where no gradient is wanted."
        )

    return refused


def _unknown(called: str, operand: str) -> Rule:
    def refused(g: Any) -> NoReturn:
        raise UnsupportedError(
            f"{called} has no derivative rule in its {operand}. Take value(t) of it where no "
            f"gradient is wanted, or give the function a rule with funcgrad.custom_vjp."
        )

    return refused


LIBRARIES.append(declare)
