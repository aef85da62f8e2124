"""One row a ufunc of scipy.special: operands to hold its derivatives against differences at."""

import numpy as np

# The rows: a number stands for an operand that is not differentiated, a pair for a domain. Slopes
# of functions on the unit interval change so fast that differences need smaller steps: UNIT stands
# for 0.5 + 0.1 x of an x in the pair.

ANY, POSITIVE, UNIT = (-2.0, 2.3), (0.3, 4.0), (-3.0, 3.1)
EXAMPLES = {
    "erf": [ANY], "erfc": [ANY], "erfi": [ANY], "erfcx": [ANY], "dawsn": [ANY],
    "erfinv": [UNIT], "erfcinv": [UNIT], "wofz": [],
    "ndtr": [ANY], "log_ndtr": [ANY], "ndtri": [UNIT], "ndtri_exp": [(-3.0, -0.5)],
    "owens_t": [ANY, ANY],
    "expit": [ANY], "logit": [UNIT], "log_expit": [ANY],
    "gamma": [POSITIVE], "gammaln": [POSITIVE], "loggamma": [POSITIVE], "gammasgn": [POSITIVE],
    "rgamma": [(-2.7, 2.7)], "psi": [POSITIVE], "_zeta": [2.5, POSITIVE],
    "beta": [POSITIVE, POSITIVE], "betaln": [POSITIVE, POSITIVE],
    "binom": [(4.2, 6.0), (1.1, 3.0)], "poch": [POSITIVE, POSITIVE],
    "gammainc": [1.5, POSITIVE], "gammaincc": [2.5, POSITIVE],
    "gammaincinv": [2.5, UNIT], "gammainccinv": [2.5, UNIT],
    "betainc": [1.5, 2.5, UNIT], "betaincc": [1.5, 2.5, UNIT],
    "betaincinv": [1.5, 2.5, UNIT], "betainccinv": [1.5, 2.5, UNIT],
    "chdtr": [3.0, POSITIVE], "chdtrc": [3.0, POSITIVE], "chdtri": [3.0, UNIT],
    "stdtr": [3.5, ANY], "stdtrit": [3.5, UNIT],
    "fdtr": [3.0, 5.0, POSITIVE], "fdtrc": [3.0, 5.0, POSITIVE], "fdtri": [3.0, 5.0, UNIT],
    "gdtr": [POSITIVE, 2.5, POSITIVE], "gdtrc": [POSITIVE, 2.5, POSITIVE],
    "pdtr": [2.0, POSITIVE], "pdtrc": [2.0, POSITIVE],
    "bdtr": [2.0, np.int64(5), UNIT], "bdtrc": [2.0, np.int64(5), UNIT],
    "entr": [POSITIVE], "rel_entr": [POSITIVE, POSITIVE], "kl_div": [POSITIVE, POSITIVE],
    "xlogy": [ANY, POSITIVE], "xlog1py": [ANY, POSITIVE],
    "huber": [(1.0, 1.2), ANY], "pseudo_huber": [POSITIVE, ANY],
    "boxcox": [POSITIVE, ANY], "boxcox1p": [POSITIVE, ANY],
    "inv_boxcox": [POSITIVE, (0.2, 1.5)], "inv_boxcox1p": [POSITIVE, (0.2, 1.5)],
    "cbrt": [POSITIVE], "exp2": [ANY], "exp10": [ANY], "expm1": [ANY], "exprel": [ANY],
    "log1p": [POSITIVE], "powm1": [POSITIVE, ANY], "cosm1": [ANY], "round": [(0.6, 1.4)],
    "sindg": [ANY], "cosdg": [ANY], "tandg": [ANY], "cotdg": [(20.0, 70.0)],
    "_lambertw": [], "wrightomega": [ANY],
    "expi": [POSITIVE], "exp1": [POSITIVE], "expn": [2, POSITIVE], "spence": [POSITIVE],
    "j0": [ANY], "j1": [ANY], "y0": [POSITIVE], "y1": [POSITIVE],
    "i0": [ANY], "i1": [ANY], "k0": [POSITIVE], "k1": [POSITIVE],
    "i0e": [POSITIVE], "i1e": [ANY], "k0e": [POSITIVE], "k1e": [POSITIVE],
    "jv": [1.5, POSITIVE], "yn": [2, POSITIVE], "yv": [1.5, POSITIVE], "iv": [1.5, POSITIVE],
    "ive": [1.5, POSITIVE], "kn": [2, POSITIVE], "kv": [1.5, POSITIVE],
    "hankel1": [], "hankel2": [],
    "struve": [1.5, POSITIVE], "modstruve": [1.5, POSITIVE],
    "ellipk": [(-2.0, 0.6)], "ellipkm1": [POSITIVE], "ellipe": [(-2.0, 0.9)],
    "ellipkinc": [ANY, 0.5], "ellipeinc": [ANY, 0.5],
    "hyp0f1": [1.5, ANY], "hyp1f1": [1.5, 2.5, ANY], "hyp2f1": [0.5, 1.5, 2.5, (-2.0, 0.8)],
    "hyperu": [1.5, 2.5, POSITIVE],
}  # fmt: skip
