"""Ufuncs of scipy.special: how they are found by identity, and refused by name.

Neither the library nor its tests need SciPy: these play it by a stand-in, made of ufuncs of NumPy
that funcgrad has been made to forget. With SciPy itself, test_scipy.py checks every rule.
"""

import math
import sys
import threading
import types

import numpy as np
import pytest
from special_rows import EXAMPLES

import funcgrad as fg
from funcgrad import grad
from funcgrad.core import FUNCTIONS, UFUNCS
from funcgrad.rules.special import RULES

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


def test_every_row_has_an_example():
    assert EXAMPLES.keys() == RULES.keys()
