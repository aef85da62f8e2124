"""Derivatives in float32 over the whole domain, to eight units in the last place.

The points are powers of two from the smallest subnormal to the largest number, their neighbours,
and steps through where functions bend; of several operands, all combinations of fewer points. What
float32 gives is held against float64 at the same points, wherever NumPy's own value is good to
four. Against mistakes that both share there are values known from elsewhere.
"""

import cmath
import itertools
import math

import numpy as np
import pytest
from table import ELEMENTWISE

import funcgrad as fg
from funcgrad import grad, nn

ULPS = 8
SINGLE = np.finfo(np.float32)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def both_signs(x):
    x = np.asarray(x, np.float32)
    return np.unique(np.concatenate([x, -x]))


def neighbours(x):
    x = np.asarray(x, np.float32)
    return np.concatenate([x, np.nextafter(x, np.float32(0)), np.nextafter(x, SINGLE.max)])


POWERS = np.ldexp(1.0, np.arange(-149, 128))
LINE = both_signs(
    np.concatenate(
        [
            neighbours(POWERS),
            neighbours(np.arange(1, 20) * (math.pi / 2)),
            neighbours(np.arange(20)),
            1.4 * POWERS,
            1.0 - POWERS,
            1.0 + POWERS,
            np.linspace(0.0, 110.0, 700),
            np.linspace(0.0, 4.0, 300),
            [0.0, SINGLE.max],
        ]
    )
)
PLANE = both_signs(
    np.concatenate(
        [
            POWERS[[0, 1, 9, 22, 23, 24, 49, 73, 99, 118, 141, 148, 149, 150, 156, 172, 180]],
            POWERS[[211, 212, 230, 250, 274, 275, 276]],
            [0.0, 0.1, 0.3, 0.9, 0.999, 1.001, 1.3, 1.7, 2.2, 3.3, 5.0, 17.3, 18.6, 30.0, 60.0],
            [88.7, 103.0, 1e3, 1e5, 2e19, 1.5e38, 3e38, SINGLE.max, 1e-10, 2e-19, 1.3e-38, 1e-40],
        ]
    )
)


#: What derivatives are made of. Where differences cancel their own derivatives may be less exact.
PARTS = {"power_dx", "power_dy", "over_square"}
ROWS = [row for row in ELEMENTWISE if row.name not in PARTS]


def derivative(f, args, i):
    """The derivative in operand ``i``, in both modes, which share their rules."""

    def of_one(x):
        return f(*args[:i], x, *args[i + 1 :])

    plain, pull = fg.vjp(of_one, args[i])
    pushed = fg.jvp(of_one, (args[i],), (np.ones_like(args[i]),))[1]
    pulled = pull(np.ones_like(plain))[0]
    np.testing.assert_array_equal(pushed.astype(pulled.dtype), pulled)
    return pulled


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_float32_is_as_good_as_float64(row):
    count = len(row.domains)
    points = [LINE] if count == 1 else zip(*itertools.product(PLANE, repeat=count))
    args = [np.array(x, np.float32) for x in points]
    exact = [x.astype(float) for x in args]
    value, want_value = row.function(*args), row.function(*exact)
    numpys = np.abs(value - want_value) <= 0.5 * ULPS * SINGLE.eps * np.abs(want_value)
    assert np.mean(numpys) > 0.1
    for i in range(count):
        got, want = derivative(row.function, args, i), derivative(row.function, exact, i)
        near = ULPS * np.spacing(np.abs(want.astype(np.float32)))
        fits = np.abs(want) < 0.999 * float(SINGLE.max)
        wrong = np.flatnonzero(numpys & fits & ~(np.abs(got - want) <= near))
        told = [(*(float(x[k]) for x in args), float(got[k]), float(want[k])) for k in wrong[:3]]
        assert not told, f"operand {i}, {len(wrong)} points, of which {told}"


# Values from 40 digits, at places where a formula may overflow or cancel in float64 too.
EDGE = 2.0**-53
KNOWN = [
    (np.tanh, 20.0, 1.6993417021166356e-17),
    (np.tanh, -300.0, 1.0601586212017243e-260),
    (nn.sigmoid, 40.0, 4.248354255291589e-18),
    (nn.sigmoid, -40.0, 4.248354255291589e-18),
    (np.tan, 1e22, 3.652918508211158),
    (np.arcsin, 1.0 - EDGE, 67108864.000000002),
    (np.arccos, EDGE - 1.0, -67108864.000000002),
    (np.arccosh, 1.0 + 2.0 * EDGE, 47453132.812125774),
    (np.arctanh, 1.0 - EDGE, 4503599627370496.3),
    (np.log1p, EDGE - 1.0, 9007199254740992.0),
    (np.arctan, 1e150, 1e-300),
    (np.arctan, 1e200, 0.0),
    *[(lambda x, y=y: x**y, -1.0, y if y % 2 else -y) for y in [2.0**53 - 1, 2.0**53, -(2.0**60)]],
    (lambda x: x**np.inf, 0.5, 0.0),
    (np.arcsinh, 1e200, 1e-200),
    (np.sinc, 1e-9, -3.2898681336964531e-9),
    (np.sinc, 2.5, -0.050929581789406507),
    (np.log2, 5e-309, 2.8853900817779271e308),
    (lambda x: np.logaddexp(x, 0.0), -700.0, 9.8596765437597709e-305),
    (lambda x: np.logaddexp2(x, 1e9 + 40.0), 1e9, 9.0949470177210106e-13),
    (lambda x: np.hypot(x, 1e300), 1e300, 0.70710678118654752),
    (lambda x: np.arctan2(x, 1e300), 1e300, 4.9999999999999997e-301),
    (lambda x: np.arctan2(1e-300, x), 1e-300, -5.0000000000000004e299),
    (lambda x: np.fmod(1.0, x), 0.1, -9.0),
    (lambda x: 1.0 / x, 1e150, -1e-300),
    (lambda x: x**2, 1e-200, 2e-200),
    (lambda x: x**-1.0, 1e150, -1e-300),
    # The derivatives of derivatives.
    (grad(np.tanh), 20.0, -3.3986834042332712e-17),
    (grad(np.tanh), 800.0, 0.0),
    (grad(np.arctan), 1e200, 0.0),
    (grad(lambda x: x**0), 1e-200, 0.0),
    (grad(lambda x: np.arctan2(x, 1e-100)), 1e-100, -5e199),
]


@pytest.mark.parametrize("f, x, want", KNOWN)
def test_float64_at_places_that_are_known(f, x, want):
    assert derivative(f, (np.float64(x),), 0) == pytest.approx(want, rel=1e-14, abs=1e-320)


COMPLEX_KNOWN = [
    (np.arctan, 1e-8 + 1j, 0.25 - 49999999.999999998j),
    (np.arctanh, 1 + 1e-9j, 0.25 + 499999999.99999997j),
    (np.arcsinh, 1e-9 + 1j, 15811.388304794743 - 15811.388296889049j),
    (np.arccosh, 1e300 + 1e300j, 5e-301 - 5e-301j),
    (np.tanh, 25 + 1j, -3.2105725908838649e-22 - 7.0152290949760609e-22j),
    (np.tanh, 1 - 25j, 0.41442576139253570 - 0.085169113245073807j),
    (np.tan, 1 + 30j, -1.4575977012348648e-26 + 3.1849090817965334e-26j),
    (np.log, 1e300j, -1e-300j),
    (np.sqrt, -4e300 + 0j, -2.5e-151j),
    (lambda z: z**-1.0, 1e300 + 0j, 0.0),
    (lambda z: z**3, 1e-200j, 0.0),
]


@pytest.mark.parametrize("f, z, want", COMPLEX_KNOWN)
def test_complex_at_places_that_are_known(f, z, want):
    assert cmath.isclose(derivative(f, (np.complex128(z),), 0), want, rel_tol=1e-14, abs_tol=1e-320)


@pytest.mark.parametrize("f", [np.arctan, np.arctanh, np.arcsinh, np.arccosh, np.arcsin, np.arccos])
@pytest.mark.parametrize("dtype, size", [(np.complex64, 1e30), (np.complex128, 1e300)])
def test_complex_inverses_are_finite_far_out(f, dtype, size):
    """There they are logarithms, of slope ±1/z or ±i/z; that of arctan and arctanh is 1/z²."""
    z = (size * np.exp(1j * np.arange(-3.0, 3.2, 0.1))).astype(dtype)
    slopes = np.abs(derivative(f, (z,), 0) * z)
    flat = f in (np.arctan, np.arctanh)
    np.testing.assert_allclose(slopes, 0.0 if flat else 1.0, atol=8 * np.finfo(dtype).eps)
