"""jvp: kinds, dtypes and ownership of its results. Its rules are tested with the primitives."""

import numpy as np
import pytest

from funcgrad import grad, jvp


def test_the_modulus_of_a_complex_number_on_the_way():
    def f(x):
        return np.abs(1 + 1j * x) ** 2

    np.testing.assert_allclose(grad(f)(3.0), 6.0)
    np.testing.assert_allclose(jvp(f, (3.0,), (1.0,))[1], 6.0)
    np.testing.assert_allclose(grad(grad(f))(3.0), 2.0)
    np.testing.assert_allclose(jvp(grad(f), (3.0,), (1.0,))[1], 2.0)


# A tangent has its primal's dtype.

CONSTANT = np.ones(3)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + CONSTANT,
        lambda x: CONSTANT - x,
        lambda x: np.maximum(x, CONSTANT),
        lambda x: np.where(CONSTANT > 0, x, CONSTANT),
        lambda x: np.copysign(x, CONSTANT),
        lambda x: x % (2 * CONSTANT),
        lambda x: np.prod(x, dtype=float),
    ],
)
def test_dtype_of_a_tangent(f):
    x = np.ones(3, np.float32)
    out, tangent = jvp(f, (x,), (x,))
    assert tangent.dtype == out.dtype


def test_dtype_of_a_tangent_of_a_weak_float():
    out, tangent = jvp(lambda x: x + np.ones(3, np.float32), (2.0,), (1.0,))
    assert tangent.dtype == out.dtype


def test_result_of_jvp_is_the_callers():
    x = np.ones(3)
    assert not np.shares_memory(jvp(lambda x: x, (x,), (x,))[0], x)
