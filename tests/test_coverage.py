"""Every public callable of the installed NumPy is in a class, and does what its class says."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy_rows import EXAMPLES, KEYWORDS, METHODS, NO_VMAP, listed
from table import ELEMENTWISE, GENERAL, draw
from test_primitives import check_derivatives, check_single_precision, check_vmap

import funcgrad as fg
from funcgrad.core import FUNCTIONS, UFUNCS
from funcgrad.coverage import NAMESPACES, REFUSED, STRUCTURAL, ZERO, class_of, names, page


@pytest.mark.parametrize(
    "name, call, args",
    [(name, call, args) for name, call, *args in listed(EXAMPLES) + listed(KEYWORDS)],
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


@pytest.mark.parametrize(
    "f",
    [
        np.median,
        np.nanmedian,
        lambda x: np.sort(x)[1],
        lambda x: np.partition(x, 2)[2],
        lambda x: np.quantile(x, 0.25),
        lambda x: np.percentile(x, 20, weights=[1, 1, 2, 1], method="inverted_cdf"),
        lambda x: np.unique(x)[0],
        lambda x: np.max(-x),
    ],
    ids="median nanmedian sort partition quantile weighted unique max".split(),
)
def test_equal_values_share_evenly(f):
    g = fg.grad(f)(np.array([1.0, 1.0, 2.0, 1.0]))
    np.testing.assert_allclose(abs(g), [1 / 3, 1 / 3, 0.0, 1 / 3], rtol=4e-16)


def test_complex_roots_of_real_coefficients():
    def f(p):
        return np.sum(np.abs(np.roots(p)) ** 2)  # 2·p₂/p₀ for a pair of conjugates

    p = np.array([2.0, 1.0, 3.0])
    np.testing.assert_allclose(fg.grad(f)(p), [-1.5, 0.0, 1.0], atol=1e-14)


# Where a choice is a near one, the value tells whether it is NumPy's.

METHODS_OF_QUANTILES = """inverted_cdf averaged_inverted_cdf hazen weibull linear median_unbiased
normal_unbiased interpolated_inverted_cdf lower higher midpoint nearest""".split()
if np.lib.NumpyVersion(np.__version__) >= "2.1.0":  # before that, of two as close the other one
    METHODS_OF_QUANTILES.append("closest_observation")


@pytest.mark.parametrize("method", METHODS_OF_QUANTILES)
@pytest.mark.parametrize("count", range(1, 8))
def test_a_quantile_between_two_ranks(method, count):
    x, q = np.arange(1.0, count + 1.0) ** 2, np.linspace(0.0, 1.0, 4 * count + 1)
    out, _ = fg.vjp(lambda x: np.quantile(x, q, method=method), x)
    np.testing.assert_allclose(out, np.quantile(x, q, method=method), rtol=1e-14)


@pytest.mark.parametrize("steps", [*itertools.product([-2.0, 2.0, 4.0], repeat=3)])
def test_a_phase_that_turns_by_just_half_a_period(steps):
    x = np.cumsum(steps)
    out, _ = fg.vjp(lambda x: np.unwrap(x, period=4.0), x)
    np.testing.assert_array_equal(out, np.unwrap(x, period=4.0))


@pytest.mark.parametrize("casting", ["no", "equiv", "safe", "same_kind", "unsafe"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64])
def test_a_ufunc_casts_what_numpy_lets_it_cast(dtype, casting):
    def f(x):
        return np.multiply(x, x, dtype=dtype, casting=casting)

    x = np.ones(3, np.float32)
    try:
        want = f(x).dtype
    except TypeError:
        with pytest.raises(TypeError):
            fg.vjp(f, x)
    else:
        assert fg.vjp(f, x)[0].dtype == want


# These take positive numbers, of which none is another's multiple.
BINARY = """add subtract multiply divide power float_power maximum minimum fmax fmin logaddexp
logaddexp2 hypot arctan2 remainder fmod copysign""".split()


@pytest.mark.parametrize("name", BINARY)
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


# The classes.


@pytest.mark.parametrize("space", NAMESPACES)
def test_every_callable_is_in_a_class(space):
    assert [name for name in names(space) if class_of(space, name) is None] == []


def dispatched(name):
    """The function of numpy that traced values are asked about, or None."""
    function = getattr(np, name, None)
    if isinstance(function, np.ufunc) or hasattr(function, "_implementation"):
        return function
    return None


@pytest.mark.parametrize("name", sorted(ZERO | STRUCTURAL))
def test_what_has_no_derivative_has_an_answer(name):
    function = dispatched(name)
    assert function is None or function in UFUNCS or function in FUNCTIONS


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_has_no_answer(name):
    assert dispatched(name) not in UFUNCS.keys() | FUNCTIONS.keys()


def test_every_differentiated_function_is_called_by_a_row(monkeypatch):
    called = set()

    def spy(function, handler):
        def noted(*args, **kwargs):
            called.add(function)
            return handler(*args, **kwargs)

        return noted

    for function, handler in list(FUNCTIONS.items()):
        monkeypatch.setitem(FUNCTIONS, function, spy(function, handler))
    rows = [(row.call, row.args) for row in GENERAL]
    rows += [(call, args) for _, call, *args in listed(EXAMPLES) + listed(NO_VMAP)]
    rows += [(row.function, [draw((2,), *d) for d in row.domains]) for row in ELEMENTWISE]
    for call, args in rows:
        fg.vjp(lambda *xs, call=call: np.sum(call(*xs)) + 0.0 * np.sum(xs[0]), *args)
    missing = {
        name
        for name in names("numpy")
        if class_of("numpy", name) == "differentiated"
        and getattr(np, name) in FUNCTIONS
        and getattr(np, name) not in called
    }
    assert sorted(missing - IN_PLACE) == []


#: These have tests of their own (test_inplace.py, test_one_import.py).
IN_PLACE = set("array asarray copyto fill_diagonal full place put put_along_axis putmask".split())

T = np.array([0.5, 1.5, 2.5])

#: What does not ask a traced argument.
UNASKED = {
    "asanyarray": np.asanyarray,
    "ascontiguousarray": np.ascontiguousarray,
    "asfortranarray": np.asfortranarray,
    "asarray_chkfinite": np.asarray_chkfinite,
    "require": lambda t: np.require(t, float),
    "kaiser": lambda t: np.kaiser(5, t[0]),
    "vectorize": lambda t: np.vectorize(np.sin)(t),
    "tofile": lambda t: t.tofile("unused"),
    "float": lambda t: float(t[0]),
    "r_": lambda t: np.r_[t, t],
    "as_strided": lambda t: np.lib.stride_tricks.as_strided(t, (2,)),
}


@pytest.mark.parametrize("name", UNASKED)
def test_what_does_not_ask_is_refused_by_the_value(name):
    with pytest.raises((fg.DerivativeLostError, AttributeError), match="traced value"):
        fg.grad(lambda t: np.sum(UNASKED[name](t)))(T)


def test_the_page_is_in_step_with_the_registry():
    text = (Path(fg.__file__).parents[1] / "docs" / "coverage.md").read_text(encoding="utf-8")
    release = ".".join(np.__version__.split(".")[:2])
    if f"NumPy {release} when" in text:
        assert text == page()
    else:  # another release may have other functions, but not other classes
        for space in NAMESPACES:
            for name in names(space):
                assert f"`{name}`" in text or class_of(space, name) != "differentiated"


def test_polyval_at_a_python_number_has_numpys_dtype():
    p = np.ones(3, np.float32)
    out, _ = fg.jvp(lambda p: np.polyval(p, 2.0), (p,), (p,))
    assert out.dtype == np.polyval(p, 2.0).dtype == np.float64
