"""The rules of scipy.special against finite differences, where SciPy is installed."""

import math

import numpy as np
import pytest
from special_rows import EXAMPLES, UNIT
from table import draw
from test_primitives import check_derivatives, check_single_precision, check_vmap

import funcgrad as fg
from funcgrad import grad
from funcgrad.rules.special import RULES

sp = pytest.importorskip("scipy.special", reason="waits for SciPy, which .ci/run installs")


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


WHOLE = [("kn", (0.75,)), ("yn", (1.25,)), ("expn", (1.25,)), ("bdtr", (2.5, 7.75))]


@pytest.mark.parametrize("name, orders", WHOLE)
@pytest.mark.filterwarnings("ignore:floating point number:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:non-integer arg n:DeprecationWarning")
def test_a_whole_order_loses_its_fraction_as_in_scipy(name, orders):
    def slope(*orders):
        return grad(lambda x: getattr(sp, name)(*orders, x))(0.4)

    assert slope(*orders) == pytest.approx(slope(*map(math.trunc, orders)), rel=1e-14)


def test_scaled_bessel_functions_of_complex_numbers_are_refused():
    with pytest.raises(fg.UnsupportedError, match=r"scipy\.special\.ive .* holomorphic"):
        fg.jvp(lambda z: sp.ive(1.5, z), (1j,), (1.0 + 0j,))


@pytest.mark.parametrize("name", ["kolmogorov", "airy", "zetac", "agm", "fresnel"])
def test_refused_by_name(name):
    count = getattr(sp, name).nin
    for transform in (grad, fg.vmap):
        with pytest.raises(fg.UnsupportedError, match=rf"scipy\.special\.{name} has no"):
            transform(lambda x: np.sum(getattr(sp, name)(*[x] * count)))(np.full(3, 0.5))
