"""x.at[i] and funcgrad.at(x)[i]: updates that make a new array."""

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, vjp

X = np.array([[0.4, -1.2, 0.7], [1.1, 0.3, -0.6]])
MASK = np.array([[True, False, True], [False, True, False]])
UPDATES = {
    "set": lambda a, v: v,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": np.power,
    "min": np.minimum,
    "max": np.maximum,
}
ONCE = [1, (0, 2), (slice(None), 1), ([1, 0], [2, 2]), ..., MASK]


@pytest.mark.parametrize("name", UPDATES)
@pytest.mark.parametrize("index", ONCE, ids=str)
def test_an_update_makes_a_new_array(name, index):
    base, v = X + 2.0, 1.7 + X[1, 1]

    def f(x, v):
        return getattr(fg.at(x)[index], name)(v)

    want = base.copy()
    want[index] = UPDATES[name](want[index], v)
    before = base.copy()
    np.testing.assert_array_equal(f(base, v), want)
    np.testing.assert_array_equal(vjp(f, base, v)[0], want)
    np.testing.assert_array_equal(base, before)
    fg.check_grads(f, (base, v), order=2)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "min", "max"])
def test_a_place_named_twice_is_updated_twice(name):
    index, v = np.array([2, 0, 2]), np.array([1.5, 0.5, 2.5])

    def f(x, v):
        return getattr(fg.at(x)[index], name)(v)

    want = X[0].copy()
    UPDATES[name].at(want, index, v)
    np.testing.assert_allclose(f(X[0], v), want)
    fg.check_grads(f, (X[0], v), order=2)


def test_other_updates():
    assert fg.at(X)[0, 1].get() == X[0, 1]
    np.testing.assert_array_equal(fg.at(X)[0].apply(np.exp)[0], np.exp(X[0]))
    np.testing.assert_array_equal(grad(lambda x: np.sum(x.at[0].apply(np.square)))(X)[0], 2 * X[0])
    with pytest.raises(TypeError, match=r"x = x\.at\[i\]\.set\(v\)"):
        fg.at(X)[0] = 1.0


def test_an_update_keeps_the_dtype():
    x = np.float32([1.0, 2.0])
    assert fg.at(x)[0].add(np.float64(1.0)).dtype == np.float32
    with pytest.raises(fg.UnsupportedError, match=r"np\.real"):
        grad(lambda x: np.abs(x.at[0].set(1j * x[1])[0]))(np.ones(2))
