"""Every public callable of the installed NumPy is in a class, and does what its class says."""

import numpy as np
import pytest
from numpy_rows import EXAMPLES, listed
from test_primitives import check_derivatives, check_single_precision, check_vmap


@pytest.mark.parametrize(
    "name, call, args", [(name, call, args) for name, call, *args in listed(EXAMPLES)]
)
def test_example(name, call, args):
    check_derivatives(call, args)
    check_single_precision(call, args)
    check_vmap(call, args)
