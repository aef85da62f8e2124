"""Ufuncs of scipy.special: found by identity, differentiated by their rows, refused by name.

Neither the library nor its tests need SciPy. How a ufunc is found is tested on a stand-in for
``scipy.special``, made of ufuncs of NumPy that funcgrad has been made to forget. Where SciPy is
installed, every row of ``RULES`` is held against finite differences as well.
"""

import importlib
import importlib.util
import math
import sys
import threading
import types

import numpy as np
import pytest
from table import draw
from test_primitives import check_derivatives, check_single_precision, check_vmap

import funcgrad as fg
from funcgrad import grad
from funcgrad.core import FUNCTIONS, UFUNCS
from funcgrad.rules.special import RULES

sp = importlib.import_module("scipy.special") if importlib.util.find_spec("scipy") else None

# How a ufunc is found.


@pytest.fixture
def imports(monkeypatch):
    """Plays ``import scipy.special``: its keywords are the module's members."""
    forgotten = [np.tanh, np.cbrt, np.exp2]
    for ufunc in forgotten:
        monkeypatch.delitem(UFUNCS, ufunc)
    for module in ("scipy.special", "scipy.special._ufuncs"):
        monkeypatch.delitem(sys.modules, module, raising=False)

    def play(module="scipy.special", **members):
        monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**members))

    yield play
    for ufunc in forgotten:
        FUNCTIONS.pop(ufunc, None)


def bell(x):
    return 2.0 / math.sqrt(math.pi) * np.exp(-x * x)


def test_a_ufunc_is_found_by_identity(imports):
    imports(erf=np.tanh)  # whatever it is called
    x = np.array([-0.5, 0.25, 2.0])
    np.testing.assert_allclose(grad(lambda x: np.sum(np.tanh(x)))(x), bell(x), rtol=1e-15)
    np.testing.assert_allclose(fg.jvp(np.tanh, (x,), (x,))[1], x * bell(x), rtol=1e-15)
    np.testing.assert_allclose(fg.vmap(grad(grad(np.tanh)))(x), -2.0 * x * bell(x), rtol=1e-15)


def test_rules_reach_other_members_of_the_module(imports):
    imports(i0=np.cbrt, i1=np.exp2)
    assert grad(np.cbrt)(3.0) == np.exp2(3.0)


def test_members_of_the_private_module_are_found(imports):
    imports("scipy.special._ufuncs", exp2=np.exp2)
    assert grad(np.exp2)(3.0) == pytest.approx(8.0 * math.log(2.0), rel=1e-15)


def test_the_import_may_come_after_a_first_attempt(imports):
    with pytest.raises(fg.UnsupportedError, match=r"np\.cbrt"):
        grad(np.cbrt)(8.0)
    imports(cbrt=np.cbrt)
    assert grad(np.cbrt)(8.0) == pytest.approx(1 / 12, rel=1e-15)


def test_two_threads_find_one_primitive(imports):
    imports(cbrt=np.cbrt)
    barrier, found = threading.Barrier(2), []

    def run():
        barrier.wait()
        slope = grad(np.cbrt)(8.0)
        found.append((UFUNCS[np.cbrt], slope))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]


def test_what_has_no_rule_is_refused_by_name(imports):
    imports(kolmogorov=np.cbrt, round=np.exp2, erf=np.tanh)
    with pytest.raises(fg.UnsupportedError, match=r"scipy\.special\.kolmogorov has no derivative"):
        grad(np.cbrt)(8.0)
    assert grad(lambda x: x + np.exp2(x))(0.2) == 1.0  # its derivative is zero
    with pytest.raises(fg.UnsupportedError, match=r"scipy\.special\.round: its keyword 'where'"):
        grad(lambda x: np.exp2(x, where=False))(0.2)
    with pytest.raises(fg.DerivativeLostError, match=r"scipy\.special\.erf with out="):
        grad(lambda x: np.tanh(x, out=np.zeros(())))(0.2)


def test_an_operand_without_a_formula_is_refused_by_name(imports, monkeypatch):
    monkeypatch.delitem(UFUNCS, np.logaddexp)
    imports(chdtr=np.logaddexp, gammaln=np.sqrt, xlogy=np.multiply)
    assert grad(lambda x: np.logaddexp(1.0, x))(2.0) > 0
    for transform in (grad, lambda f: lambda v: fg.jvp(f, (v,), (1.0,))):
        with pytest.raises(fg.UnsupportedError, match=r"chdtr .* in its degree of freedom"):
            transform(lambda v: np.logaddexp(v, 2.0))(1.0)


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


def test_every_row_has_an_example():
    assert EXAMPLES.keys() == RULES.keys()


# What SciPy's functions are held against; without SciPy there is nothing to collect.


def call(name, row):
    """The function of a row, of its differentiated operands, and what to draw those from."""
    domains = [x for x in row if isinstance(x, tuple)]

    def f(*xs):
        given = (0.5 + 0.1 * x if d is UNIT else x for x, d in zip(xs, domains))
        operands = [next(given) if isinstance(x, tuple) else x for x in row]
        return getattr(sp, name.lstrip("_"))(*operands)

    return f, domains


# Derivatives where formulas that subtract, divide or overflow would miss them.
EXACT = {
    "erfcx tail": ("erfcx", [1e8], -1e-16 / math.sqrt(math.pi)),
    "dawsn tail": ("dawsn", [-1e8], -0.5e-16),
    "log_ndtr tail": ("log_ndtr", [-1e8], 1e8),
    "expit tail": ("expit", [50.0], math.exp(-50.0)),
    "i0e tail": ("i0e", [1e8], -0.5e-12 / math.sqrt(2 * math.pi)),
    "k0e tail": ("k0e", [1e8], -0.5e-12 * math.sqrt(math.pi / 2)),
    "k1e at 0": ("k1e", [0.0], -math.inf),
    "betaln of large": ("betaln", [1e12, 1.0], -1e-12),
    "rgamma at a pole of gamma": ("rgamma", [-3.0], -6.0),
    "psi reflected": ("psi", [-0.5], math.pi**2 / 2 + 4.0),
    "exprel at 0": ("exprel", [0.0], 0.5),
    "exprel far out": ("exprel", [-1e20], 1e-40),
    "j1 at 0": ("j1", [0.0], 0.5),
    "ellipk at 0": ("ellipk", [0.0], math.pi / 8),
    "ellipe at 0": ("ellipe", [0.0], -math.pi / 8),
    "ellipkm1 near 0": ("ellipkm1", [1e-14], -0.5e14),
    "spence at 1": ("spence", [1.0], -1.0),
    "xlogy at 0": ("xlogy", [3.0, 0.0], math.inf),
    "kl_div of equals": ("kl_div", [1.0, 1.0 + 1e-8], math.log1p(-1e-8 / (1 + 1e-8))),
    "rel_entr of a small ratio": ("rel_entr", [1e-200, 1e200], 1.0 - 400.0 * math.log(10.0)),
    "gammainc at 0": ("gammainc", [1.0, 0.0], 1.0),
    "expn of order 0": ("expn", [0, 2.0], -0.75 * math.exp(-2.0)),
    "stdtr of many": ("stdtr", [math.inf, 0.0], 1.0 / math.sqrt(2 * math.pi)),
}

COMPLEX = {
    "erf": [], "erfc": [], "erfcx": [], "erfi": [], "dawsn": [], "wofz": [], "ndtr": [],
    "log_ndtr": [], "gamma": [], "loggamma": [], "rgamma": [], "expi": [], "exp1": [],
    "expm1": [], "log1p": [], "xlogy": [0.7], "_lambertw": [], "wrightomega": [],
    "jv": [1.5], "yv": [1.5], "iv": [1.5], "kv": [1.5], "hankel1": [1.5], "hankel2": [1.5],
    "hyp0f1": [1.5], "hyp1f1": [1.5, 2.5], "hyp2f1": [0.5, 1.5, 2.5],
}  # fmt: skip

if sp is not None:

    @pytest.mark.parametrize("name, row", EXAMPLES.items(), ids=EXAMPLES)
    def test_row_against_differences(name, row):
        f, domains = call(name, row)
        args = [draw(s, *d, seed=i) for i, (s, d) in enumerate(zip([(3, 4), (4,)], domains))]
        if args:
            check_derivatives(f, args)
            check_derivatives(f, [np.float64(x.flat[0]) for x in args])
            check_single_precision(f, args)
            check_vmap(f, args)
        else:
            assert name in COMPLEX

    @pytest.mark.parametrize("name, args, slope", EXACT.values(), ids=EXACT)
    def test_exact_derivative(name, args, slope):
        # In the first operand that has a derivative.
        i = next(i for i, row in enumerate(RULES[name]) if callable(row))
        found = grad(getattr(sp, name), i)(*args) if name != "xlogy" else grad(sp.xlogy, 1)(*args)
        np.testing.assert_allclose(found, slope, rtol=1e-7)

    @pytest.mark.parametrize(
        "name, x",
        [
            ("erf", 6.28),
            ("dawsn", 10.0),
            ("ndtr", -13.1),
            ("ndtri", 1e-30),
            ("expit", 89.0),
            ("rgamma", -20.6),
        ],
    )
    def test_float32_is_as_good_as_float64(name, x):
        x = np.float32(x)
        slopes = [grad(getattr(sp, name))(kind(x)) for kind in (np.float32, np.float64)]
        assert slopes[0] == np.float32(slopes[1])

    @pytest.mark.parametrize("name, first", COMPLEX.items(), ids=COMPLEX)
    def test_holomorphic_row(name, first):
        z, direction = 0.8 + 0.3j, 0.6 - 0.8j
        step = np.finfo(float).eps ** (1 / 5)
        function = getattr(sp, name.lstrip("_"))

        def f(z):
            return function(*first, z)

        def difference(f):
            at = [f(z + k * step * direction) for k in (-2, -1, 1, 2)]
            return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)

        def push(z):
            return fg.jvp(f, (z,), (direction,))[1]

        assert push(z) == pytest.approx(difference(f), rel=1e-9)
        assert fg.vjp(f, z)[1](direction)[0] == pytest.approx(push(z), rel=1e-13)
        if name in ("gamma", "rgamma", "loggamma"):
            with pytest.raises(fg.UnsupportedError, match=r"scipy\.special\.psi of a complex"):
                fg.jvp(push, (z,), (direction,))
        else:
            assert fg.jvp(push, (z,), (direction,))[1] == pytest.approx(difference(push), rel=1e-9)

    def test_a_real_number_with_a_complex_result():
        slope = grad(lambda x: np.real(sp.lambertw(x)))(math.e)
        assert slope == pytest.approx(1.0 / (2.0 * math.e), rel=1e-14)
        want = grad(lambda x: sp.jv(1.0, x))(0.7)
        assert grad(lambda x: np.real(sp.hankel1(1.0, x)))(0.7) == pytest.approx(want, rel=1e-14)

    def test_scaled_bessel_functions_of_complex_numbers_are_refused():
        with pytest.raises(fg.UnsupportedError, match=r"scipy\.special\.ive .* holomorphic"):
            fg.jvp(lambda z: sp.ive(1.5, z), (1j,), (1.0 + 0j,))

    @pytest.mark.parametrize("name", ["kolmogorov", "airy", "zetac", "agm", "fresnel"])
    def test_refused_by_name(name):
        count = getattr(sp, name).nin
        for transform in (grad, fg.vmap):
            with pytest.raises(fg.UnsupportedError, match=rf"scipy\.special\.{name} has no"):
                transform(lambda x: np.sum(getattr(sp, name)(*[x] * count)))(np.full(3, 0.5))
