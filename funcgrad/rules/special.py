"""The ufuncs of scipy.special, where the caller has SciPy. funcgrad itself never imports it.

They are NumPy ufuncs, so that a call on a traced value arrives like any other. One that no rule is
known for is looked up in ``scipy.special``, if that is among ``sys.modules`` by then, and found
there by identity; its row of ``RULES`` becomes its primitive. What has no row is refused by name.

A row has an entry for each operand: a rule, ``None`` where the derivative is zero, or a word for an
operand in which there is no formula, whose derivative raises. Formulas are those of Abramowitz &
Stegun (A&S) and the Digital Library of Mathematical Functions (DLMF); those that take more than a
line have names in ``special_formulas``. Rule bodies call SciPy's ufuncs through ``sp``.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import numpy as np

from ..batching import aligned
from ..core import FUNCTIONS, LIBRARIES, UFUNCS, Primitive, without_rule
from ..errors import UnsupportedError
from ..pull import Pull, Rule
from .elementwise import LN2, LN10, power_dx, power_dy, unit
from .special_formulas import (
    DEGREE,
    ROOT_2,
    ROOT_2PI,
    ROOT_PI,
    bell,
    beta_density,
    binomial_slope,
    boxcox_dy,
    dawsn_dx,
    ellipe_dx,
    ellipk_dx,
    erfcx_dx,
    expn_dx,
    exprel_dx,
    f_density,
    gamma_density,
    hazard,
    hyp2f1_dz,
    i0e_dx,
    i1e_dx,
    ive_dx,
    k0e_dx,
    k1e_dx,
    kl_div_dy,
    log_ratio,
    next_orders,
    next_whole_orders,
    poisson,
    pseudo_huber_dx,
    psi_drop,
    psi_dx,
    quotient,
    rgamma_dx,
    sp,
    struve_term,
    t_density,
)

#: Name in scipy.special -> one entry for each operand.
RULES: dict[str, list[Rule | str | None]] = {
    # The error function and its kin: A&S 7.1.19, 7.1.20.
    "erf": [lambda g, x: g * ((2.0 / ROOT_PI) * np.exp(-x * x))],
    "erfc": [lambda g, x: -g * ((2.0 / ROOT_PI) * np.exp(-x * x))],
    "erfi": [lambda g, x: g * ((2.0 / ROOT_PI) * np.exp(x * x))],
    "erfcx": [lambda g, x: g * erfcx_dx(x)],
    "wofz": [lambda g, ans, x: g * (2j / ROOT_PI - 2.0 * x * ans)],
    "dawsn": [lambda g, x: g * dawsn_dx(x)],
    "erfinv": [lambda g, x: g * ((0.5 * ROOT_PI) * np.exp(sp.erfinv(x) ** 2))],
    "erfcinv": [lambda g, x: -g * ((0.5 * ROOT_PI) * np.exp(sp.erfcinv(x) ** 2))],
    "ndtr": [lambda g, x: g * bell(x)],
    "log_ndtr": [lambda g, x: g * hazard(x)],
    "ndtri": [lambda g, x: g * (ROOT_2PI * np.exp(0.5 * sp.ndtri(x) ** 2))],
    "ndtri_exp": [lambda g, x: g / hazard(sp.ndtri_exp(x))],
    "owens_t": [
        lambda g, x, y: g * (-0.5 * bell(x) * sp.erf(x * y / ROOT_2)),
        lambda g, x, y: g * (bell(x) * bell(x * y) / (1.0 + y * y)),
    ],
    # The logistic function.
    "expit": [lambda g, ans, x: g * (ans * sp.expit(-x))],
    "logit": [lambda g, x: g * (1.0 / x + 1.0 / (1.0 - x))],
    "log_expit": [lambda g, x: g * sp.expit(-x)],
    # The gamma function and its kin: A&S 6.3.1, 6.4.10, DLMF 25.11.17.
    "gamma": [lambda g, ans, x: g * (ans * sp.psi(x))],
    "gammaln": [lambda g, x: g * sp.psi(x)],
    "loggamma": [lambda g, x: g * sp.psi(x)],
    "rgamma": [lambda g, ans, x: g * rgamma_dx(x, ans)],
    "gammasgn": [None],
    "psi": [lambda g, x: g * psi_dx(x)],
    "_zeta": ["first operand", lambda g, x, y: -g * (x * sp.zeta(x + 1.0, y))],
    "beta": [
        lambda g, ans, x, y: g * (ans * psi_drop(x, y)),
        lambda g, ans, x, y: g * (ans * psi_drop(y, x)),
    ],
    "betaln": [lambda g, x, y: g * psi_drop(x, y), lambda g, x, y: g * psi_drop(y, x)],
    "binom": [
        lambda g, ans, x, y: g * (ans * (sp.psi(x + 1.0) - sp.psi(x - y + 1.0))),
        lambda g, ans, x, y: g * (ans * (sp.psi(x - y + 1.0) - sp.psi(y + 1.0))),
    ],
    "poch": [
        lambda g, ans, x, y: g * (ans * -psi_drop(x, y)),
        lambda g, ans, x, y: g * (ans * sp.psi(x + y)),
    ],
    # Distributions, by their densities: A&S 26.4 to 26.7. Inverses have the reciprocal
    # derivative, at a value that is computed again, in double precision.
    "gammainc": ["shape", lambda g, x, y: g * gamma_density(x, y)],
    "gammaincc": ["shape", lambda g, x, y: -g * gamma_density(x, y)],
    "gammaincinv": ["shape", lambda g, x, y: g / gamma_density(x, sp.gammaincinv(x, y))],
    "gammainccinv": ["shape", lambda g, x, y: -g / gamma_density(x, sp.gammainccinv(x, y))],
    "betainc": ["first shape", "second shape", lambda g, x, y, z: g * beta_density(x, y, z)],
    "betaincc": ["first shape", "second shape", lambda g, x, y, z: -g * beta_density(x, y, z)],
    "betaincinv": [
        "first shape", "second shape",
        lambda g, x, y, z: g / beta_density(x, y, sp.betaincinv(x, y, z)),
    ],
    "betainccinv": [
        "first shape", "second shape",
        lambda g, x, y, z: -g / beta_density(x, y, sp.betainccinv(x, y, z)),
    ],
    "chdtr": ["degree of freedom", lambda g, x, y: g * (0.5 * gamma_density(0.5 * x, 0.5 * y))],
    "chdtrc": ["degree of freedom", lambda g, x, y: -g * (0.5 * gamma_density(0.5 * x, 0.5 * y))],
    "chdtri": [
        "degree of freedom",
        lambda g, x, y: -2.0 * g / gamma_density(0.5 * x, 0.5 * sp.chdtri(x, y)),
    ],
    "stdtr": ["degree of freedom", lambda g, x, y: g * t_density(x, y)],
    "stdtrit": ["degree of freedom", lambda g, x, y: g / t_density(x, sp.stdtrit(x, y))],
    "fdtr": ["first degree", "second degree", lambda g, x, y, z: g * f_density(x, y, z)],
    "fdtrc": ["first degree", "second degree", lambda g, x, y, z: -g * f_density(x, y, z)],
    "fdtri": [
        "first degree", "second degree",
        lambda g, x, y, z: g / f_density(x, y, sp.fdtri(x, y, z)),
    ],
    "gdtr": [
        lambda g, x, y, z: g * (z * gamma_density(y, x * z)),
        "shape",
        lambda g, x, y, z: g * (x * gamma_density(y, x * z)),
    ],
    "gdtrc": [
        lambda g, x, y, z: -g * (z * gamma_density(y, x * z)),
        "shape",
        lambda g, x, y, z: -g * (x * gamma_density(y, x * z)),
    ],
    "pdtr": [None, lambda g, x, y: -g * poisson(x, y)],
    "pdtrc": [None, lambda g, x, y: g * poisson(x, y)],
    "bdtr": [None, "number of trials", lambda g, x, y, z: -g * binomial_slope(x, y, z)],
    "bdtrc": [None, "number of trials", lambda g, x, y, z: g * binomial_slope(x, y, z)],
    # Entropies and logarithms.
    "entr": [lambda g, x: g * (-1.0 - np.log(x))],
    "rel_entr": [
        lambda g, x, y: g * (1.0 + log_ratio(x, y)),
        lambda g, x, y: -g * quotient(x, y),
    ],
    "kl_div": [
        lambda g, x, y: g * log_ratio(x, y),
        lambda g, x, y: g * kl_div_dy(x, y),
    ],
    "xlogy": [lambda g, y: g * np.log(y), lambda g, x, y: g * quotient(x, y)],
    "xlog1py": [lambda g, y: g * np.log1p(y), lambda g, x, y: g * quotient(x, 1.0 + y)],
    # For huber and pseudo_huber the operands are the width and the residual.
    "huber": [
        lambda g, x, y: np.where(np.abs(y) <= x, 0.0, g * (np.abs(y) - x)),
        lambda g, x, y: g * np.where(np.abs(y) <= x, y, x * np.sign(y)),
    ],
    "pseudo_huber": [
        lambda g, x, y: g * pseudo_huber_dx(x, y),
        lambda g, x, y: g * (x * unit(y, np.hypot(x, y))),
    ],
    "boxcox": [
        lambda g, x, y: g * x ** (y - 1.0),
        lambda g, x, y: g * boxcox_dy(np.log(x), y),
    ],
    "boxcox1p": [
        lambda g, x, y: g * np.exp((y - 1.0) * np.log1p(x)),
        lambda g, x, y: g * boxcox_dy(np.log1p(x), y),
    ],
    "inv_boxcox": [
        lambda g, ans, y: g * ans ** (1.0 - y),
        lambda g, ans, y: -g * (ans ** (1.0 - y) * boxcox_dy(np.log(ans), y)),
    ],
    "inv_boxcox1p": [
        lambda g, ans, y: g * np.exp((1.0 - y) * np.log1p(ans)),
        lambda g, ans, y: -g * (np.exp((1.0 - y) * np.log1p(ans)) * boxcox_dy(np.log1p(ans), y)),
    ],
    # Elementary functions.
    "cbrt": [lambda g, ans: g / ans / (3.0 * ans)],
    "exp2": [lambda g, ans: g * (ans * LN2)],
    "exp10": [lambda g, ans: g * (ans * LN10)],
    "expm1": [lambda g, x: g * np.exp(x)],
    "exprel": [lambda g, x: g * exprel_dx(x)],
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
    "expn": ["order", expn_dx],
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
    "i0e": [lambda g, x: g * i0e_dx(x)],
    "i1e": [lambda g, x: g * i1e_dx(x)],
    "k0e": [lambda g, x: g * k0e_dx(x)],
    "k1e": [lambda g, ans, x: g * k1e_dx(x, ans)],
    "jv": ["order", next_orders("jv", 0.5, -0.5)],
    "yn": ["order", next_whole_orders("yv", 0.5, -0.5)],
    "yv": ["order", next_orders("yv", 0.5, -0.5)],
    "iv": ["order", next_orders("iv", 0.5, 0.5)],
    "ive": ["order", ive_dx],
    "kn": ["order", next_whole_orders("kv", -0.5, -0.5)],
    "kv": ["order", next_orders("kv", -0.5, -0.5)],
    "hankel1": ["order", next_orders("hankel1", 0.5, -0.5)],
    "hankel2": ["order", next_orders("hankel2", 0.5, -0.5)],
    "struve": [
        "order",
        lambda g, x, y: g * (
            0.5 * (sp.struve(x - 1.0, y) - sp.struve(x + 1.0, y) + struve_term(x, y))
        ),
    ],
    "modstruve": [
        "order",
        lambda g, x, y: g * (
            0.5 * (sp.modstruve(x - 1.0, y) + sp.modstruve(x + 1.0, y) + struve_term(x, y))
        ),
    ],
    # Elliptic integrals: A&S 17.2 and 17.3.9, 17.3.10 with 15.2.1.
    "ellipk": [lambda g, x: g * ellipk_dx(1.0 - x)],
    "ellipkm1": [lambda g, x: -g * ellipk_dx(x)],
    "ellipe": [lambda g, x: g * ellipe_dx(x)],
    "ellipkinc": [lambda g, x, y: g / np.sqrt(1.0 - y * np.sin(x) ** 2), "parameter"],
    "ellipeinc": [lambda g, x, y: g * np.sqrt(1.0 - y * np.sin(x) ** 2), "parameter"],
    # Hypergeometric functions: A&S 13.4.8, 13.4.21, 15.2.1, DLMF 16.3.1.
    "hyp0f1": ["parameter", lambda g, x, y: g * (sp.hyp0f1(np.real(x) + 1.0, y) / x)],
    "hyp1f1": [
        "first parameter", "second parameter",
        lambda g, x, y, z: g * (x / y * sp.hyp1f1(np.real(x) + 1.0, np.real(y) + 1.0, z)),
    ],
    "hyp2f1": [
        "first parameter", "second parameter", "third parameter",
        hyp2f1_dz,
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
    pulls = [rule and _in_double(rule) for rule in rules] if any(rules) else None
    # Of two threads that declare the same ufunc the second finds the primitive of the first.
    UFUNCS.setdefault(ufunc, Primitive(called, ufunc, pulls, pulls, aligned, dispatches=True))


def _in_double(rule: Rule) -> Pull:
    """The rule on double precision; what it gives gets the cotangent's precision again. SciPy's
    ufuncs compute so too, and the formulas have differences and large powers in them."""
    pull = Pull(rule, "elementwise")
    if pull.sources:
        call = pull.call
        pull.call = lambda g, residuals: call(g, _double(residuals))
    return pull


def _double(x: Any) -> Any:
    if type(x) is tuple:
        return tuple(map(_double, x))
    return x.astype(np.result_type(x.dtype, np.float64)) if x.dtype.char in "efF" else x


def _refusing(called: str) -> Any:
    def refused(*args: Any, **kwargs: Any) -> NoReturn:
        raise without_rule(called)

    return refused


def _unknown(called: str, operand: str) -> Rule:
    def refused(g: Any) -> NoReturn:
        raise UnsupportedError(
            f"{called} has no derivative rule in its {operand}. Take value(t) of it where no "
            f"gradient is wanted, or give the function a rule with funcgrad.custom_vjp."
        )

    return refused


LIBRARIES.append(declare)
