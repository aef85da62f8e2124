"""Every public callable of the installed NumPy is in a class, and does what its class says."""

import numpy as np
import pytest
from numpy_rows import EXAMPLES, METHODS, NO_VMAP, listed
from test_primitives import check_derivatives, check_single_precision, check_vmap

import funcgrad as fg


@pytest.mark.parametrize(
    "name, call, args", [(name, call, args) for name, call, *args in listed(EXAMPLES)]
)
def test_example(name, call, args):
    check_derivatives(call, args)
    check_single_precision(call, args)
    check_vmap(call, args)


@pytest.mark.parametrize(
    "name, call, args", [(name, call, args) for name, call, *args in listed(NO_VMAP)]
)
def test_example_that_vmap_refuses(name, call, args):
    check_derivatives(call, args)
    check_single_precision(call, args)
    with pytest.raises((fg.UnsupportedError, fg.DerivativeLostError, TypeError)):
        fg.vmap(call)(*[np.stack([x, x]) for x in args])


# Positive numbers, which all of these take, and none of which is another's multiple.
UFUNCS = """add subtract multiply divide power float_power maximum minimum fmax fmin logaddexp
logaddexp2 hypot arctan2 remainder fmod copysign""".split()


@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize(
    "method, call, args", [(m, call, args) for m, call, *args in listed(METHODS)]
)
def test_method_of_a_ufunc(name, method, call, args):
    ufunc = getattr(np, name)

    def f(*xs):
        return call(ufunc, *xs)

    args = [np.exp(0.37 * x + 0.01 * i) for i, x in enumerate(args)]
    check_derivatives(f, args)
    check_vmap(f, args)
