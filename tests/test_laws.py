"""What holds between the transforms: every route to a derivative gives the same number."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from funcgrad import (
    ggnvp,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    make_graph,
    value_and_grad,
    vhp,
    vjp,
    vmap,
)

EPS = np.finfo(float).eps
WAIT = 60  # seconds, after which a barrier breaks and the test fails

# Hessians.


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def loop(x):
    total = 0.0
    for i in range(1, len(x)):
        total = total + np.sin(x[i] * x[i - 1]) / (1.0 + x[0] ** 2)
    return total


def network(x):
    w = np.reshape(np.concatenate([x, x**2, np.sin(x)]), (3, -1))
    return np.sum(np.tanh(w @ np.cos(x)) ** 2)


def products(x):
    return np.prod(x) + np.cumsum(x * x)[2] * np.max(x) + np.std(x)


def log_sum_exp(x):
    return np.log(np.sum(np.exp(np.outer(x, x))))


def with_a_derivative_inside(x):
    return np.sum(x * grad(lambda y: np.sum(np.sin(x * y) * y))(x))


def with_branches_not_taken(x):
    return np.sum(np.where(x > 0.5, np.sqrt(x - 0.5), x**3)) + np.sum(np.sort(x)[1:] ** 3)


FUNCTIONS = [
    rosenbrock,
    loop,
    network,
    products,
    log_sum_exp,
    with_a_derivative_inside,
    with_branches_not_taken,
]


def each_direction(along):
    """The Hessian from its product with a vector."""
    return lambda f, x: vmap(lambda v: along(f, x, v))(np.eye(len(x)))


def bilinear_form(f, x, u, v):
    return jvp(lambda x: jvp(f, (x,), (u,))[1], (x,), (v,))[1]


ROUTES = {
    "hessian": lambda f, x: hessian(f)(x),
    "hessian by chunks": lambda f, x: hessian(f, chunk_size=2)(x),
    "jacfwd of jacrev": lambda f, x: jacfwd(jacrev(f))(x),
    "jacrev of jacfwd": lambda f, x: jacrev(jacfwd(f))(x),
    "jacfwd of jacfwd": lambda f, x: jacfwd(jacfwd(f))(x),
    "jacrev of jacrev": lambda f, x: jacrev(jacrev(f))(x),
    "jacobian of grad": lambda f, x: jacobian(grad(f))(x),
    "hvp": each_direction(lambda f, x, v: hvp(f, (x,), (v,))[0]),
    "vhp": each_direction(lambda f, x, v: vhp(f, (x,), (v,))[0]),
    "ggnvp of the identity": each_direction(
        lambda f, x, v: ggnvp(lambda x: x, f, (x,), (v,))[0],
    ),
    "vjp of grad": each_direction(lambda f, x, v: vjp(grad(f), x)[1](v)[0]),
    "grad of jvp": each_direction(lambda f, x, v: grad(lambda x: jvp(f, (x,), (v,))[1])(x)),
    "jvp of vjp": each_direction(
        lambda f, x, v: jvp(lambda x: vjp(f, x)[1](1.0)[0], (x,), (v,))[1]
    ),
    "linearize of grad": lambda f, x: vmap(linearize(grad(f), x)[1])(np.eye(len(x))),
    "grad of linearize": each_direction(
        lambda f, x, v: grad(lambda x: linearize(f, x)[1](v))(x),
    ),
    "jvp of jvp": lambda f, x: vmap(
        lambda u: vmap(lambda v: bilinear_form(f, x, u, v))(np.eye(len(x)))
    )(np.eye(len(x))),
    "loop over grad of grad": lambda f, x: np.stack(
        [grad(lambda x: grad(f)(x)[i])(x) for i in range(len(x))]  # noqa: B023
    ),
    "loop over pulled columns": lambda f, x: np.stack(
        [pull(e)[0] for pull in [vjp(grad(f), x)[1]] for e in np.eye(len(x))]
    ),
    "a recorded gradient": lambda f, x: jacfwd(make_graph(grad(f))(x))(x),
}
POINT = np.array([0.3, 1.2, 0.7, 0.9])


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("route", ROUTES)
def test_every_route_to_a_hessian(route, f):
    with np.errstate(invalid="ignore"):  # of the branch that is not taken
        want = hessian(f)(POINT)
        got = ROUTES[route](f, POINT)
    scale = np.max(np.abs(want))
    np.testing.assert_allclose(got, want, rtol=0, atol=100 * EPS * scale)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_hessian_by_differences_of_the_gradient(f):
    h = EPS ** (1 / 3)
    with np.errstate(invalid="ignore"):
        want = [(grad(f)(POINT + h * e) - grad(f)(POINT - h * e)) / (2 * h) for e in np.eye(4)]
        got = hessian(f)(POINT)
    scale = np.max(np.abs(got))
    np.testing.assert_allclose(got, want, rtol=0, atol=100 * EPS ** (2 / 3) * scale)


# Derivatives of scalar functions by each transform, nested.


def along_one(f):
    return lambda x: jvp(f, (x,), (np.ones_like(x),))[1]


DERIVATIVES = {
    "grad": grad,
    "value_and_grad": lambda f: lambda x: value_and_grad(f)(x)[1],
    "jvp": along_one,
    "vjp": lambda f: lambda x: vjp(f, x)[1](np.ones_like(x))[0],
    "linearize": lambda f: lambda x: linearize(f, x)[1](np.ones_like(x)),
    "jacfwd": jacfwd,
    "jacrev": jacrev,
    "vmap of grad": lambda f: lambda x: vmap(grad(f))(np.stack([x, 2.0 * x]))[0],
    "grad of vmap": lambda f: grad(lambda x: vmap(f)(np.stack([2.0 * x, x]))[1]),
    "vmap of jvp": lambda f: lambda x: vmap(along_one(f))(np.stack([x, 2.0 * x]))[0],
    "recorded grad": lambda f: lambda x: make_graph(grad(f))(x)(x),
    "jvp of a recording": lambda f: lambda x: along_one(make_graph(f)(x))(x),
}


@pytest.mark.parametrize("outer", DERIVATIVES)
@pytest.mark.parametrize("inner", DERIVATIVES)
def test_perturbations_are_not_confused(outer, inner):
    """Each derivative is by its own variable, whatever else the function sees."""
    D, d = DERIVATIVES[outer], DERIVATIVES[inner]
    one, two = np.float64(1), np.float64(2)
    close = lambda got, want: np.testing.assert_allclose(got, want, rtol=10 * EPS)  # noqa: E731
    close(D(lambda x: x * d(lambda y: x + y)(one))(one), 1)
    close(D(lambda x: x * d(lambda y: x * y)(two))(two), 4)
    close(D(lambda x: x * d(lambda y: x * y * y)(x))(two), 24)
    close(D(lambda x: d(lambda y: x * y)(x * x) * d(lambda y: y * y * x)(x))(two), 24)
    # An inner function that is one of the outer's variable alone, and one that ignores its own.
    close(D(lambda x: d(lambda y: x * x)(x) + x)(two), 1)
    close(D(lambda x: d(lambda y: D(lambda z: x * y * z)(y) * y)(x))(two), 8)


@pytest.mark.parametrize("outer", DERIVATIVES)
def test_perturbations_at_depth_three(outer):
    """x·d/dy(y·d/dz(x·y·z²)) at z = y = x is 6x⁴."""
    D = DERIVATIVES[outer]
    for middle, inner in itertools.product(["grad", "jvp", "linearize", "vmap of grad"], repeat=2):
        d, b = DERIVATIVES[middle], DERIVATIVES[inner]
        got = D(lambda x: x * d(lambda y: y * b(lambda z: x * y * z * z)(y))(x))(np.float64(2))  # noqa: B023
        np.testing.assert_allclose(got, 24 * 2.0**3, rtol=10 * EPS)


def test_a_tangent_that_is_a_variable_of_the_outer_derivative():
    for D in DERIVATIVES.values():
        np.testing.assert_allclose(D(lambda x: jvp(lambda y: y, (x,), (x * x,))[1])(3.0), 6)
        np.testing.assert_allclose(
            D(lambda x: linearize(np.sin, x)[1](x * 0 + 1))(0.5), -np.sin(0.5)
        )
        np.testing.assert_allclose(D(lambda x: vjp(np.sin, 0.0)[1](x**3)[0])(2.0), 12)
        np.testing.assert_allclose(D(lambda x: linearize(np.exp, 0.0)[1](x**3))(2.0), 12)


#: Functions of functions that take so many derivatives.
TRANSFORMS = {
    **{name: (transform, 1) for name, transform in DERIVATIVES.items()},
    "hessian": (hessian, 2),
    "hvp": (lambda f: lambda x: hvp(f, (x,), (np.ones_like(x),))[0], 2),
    "vhp": (lambda f: lambda x: vhp(f, (x,), (np.ones_like(x),))[0], 2),
    "vmap": (lambda f: lambda x: vmap(f)(np.stack([x, 2.0 * x]))[0], 0),
    "make_graph": (lambda f: lambda x: make_graph(f)(x)(x), 0),
}


def swing(x):
    return np.exp(x) * np.sin(x)


def swing_derivative(n, x):
    return ((1 + 1j) ** n * np.exp((1 + 1j) * x)).imag


@pytest.mark.parametrize("outer", TRANSFORMS)
@pytest.mark.parametrize("inner", TRANSFORMS)
def test_each_transform_of_each(outer, inner):
    (D, n), (d, m) = TRANSFORMS[outer], TRANSFORMS[inner]
    x = np.float64(0.7)
    np.testing.assert_allclose(D(d(swing))(x), swing_derivative(n + m, x), rtol=1000 * EPS)


def test_each_transform_of_each_in_sixteen_threads():
    start = threading.Barrier(16, timeout=WAIT)
    pairs = list(itertools.product(TRANSFORMS.values(), repeat=2))

    def run(k):
        start.wait()
        x = 0.5 + k / 16
        for (D, n), (d, m) in pairs[k:] + pairs[:k]:
            got, want = D(d(swing))(np.float64(x)), swing_derivative(n + m, x)
            np.testing.assert_allclose(got, want, rtol=1e-11)
        return True

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(run, range(16)))


# The two modes against each other on pytrees.


def test_forward_and_reverse_are_transposes_of_each_other():
    rng = np.random.default_rng(0)

    def f(p, x):
        z = np.tanh(x @ p["w"] + p["b"])
        return {"z": z, "s": np.sum(z * p["b"]), "x": x * 2.0}

    p = {"w": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
    x = rng.standard_normal((5, 3))
    v = {"w": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}, rng.standard_normal((5, 3))
    out, pushed = jvp(f, (p, x), v)
    _, linear = linearize(f, p, x)
    w = {name: rng.standard_normal(np.shape(y)) for name, y in out.items()}
    pulled = vjp(f, p, x)[1](w)
    here = sum(np.vdot(w[name], pushed[name]) for name in w)
    there = sum(np.vdot(pulled[0][name], v[0][name]) for name in p) + np.vdot(pulled[1], v[1])
    np.testing.assert_allclose(here, there, rtol=100 * EPS)
    for name, tangent in linear(*v).items():
        np.testing.assert_allclose(tangent, pushed[name], rtol=100 * EPS)
    # A linear function has a pullback of its own, which is that of f.
    transposed = vjp(linear, *v)[1](w)
    np.testing.assert_allclose(transposed[0]["w"], pulled[0]["w"], rtol=0, atol=100 * EPS)
