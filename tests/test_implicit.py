"""linear_solve, implicit_root and fixed_point: closed forms and differences, in every mode."""

import numpy as np
import pytest
from loading import load

import funcgrad as fg
from funcgrad import check_grads, fixed_point, grad, implicit_root, jvp, linear_solve, vjp, vmap

EPS = np.finfo(float).eps
A = np.array([[3.0, 1.0, 0.5], [-1.0, 4.0, 0.25], [0.5, -0.75, 2.0]])
B = np.array([1.0, -2.0, 0.5])
STACK = np.stack([A, A.T, 2.0 * A])
MOVE = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5], [1.0, 1.0, -2.0]])


def near(got, want):
    """Equal up to the rounding of well-conditioned systems."""
    np.testing.assert_allclose(got, want, rtol=1e4 * EPS, atol=1e4 * EPS)


def solved(a, b):
    return linear_solve(lambda v: a @ v, b)


def iterated(matvec, b):
    """Richardson's iteration, which knows the matrix by its products alone."""
    x = np.zeros_like(b)
    for _ in range(60):
        x = x + 0.2 * (b - matvec(x))
    return x


def secant(g, x0):
    """The secant method, for one number."""
    before, x = x0, x0 + 0.1
    while abs(x - before) > 4 * EPS:
        slope = (g(x) - g(before)) / (x - before)
        if slope == 0.0:
            break
        before, x = x, x - g(x) / slope
    return x


square_root = implicit_root(lambda x, a: x * x - a)


def heron(a, start=1.0):
    return fixed_point(lambda x, a: 0.5 * (x + a / x), start, a)


def system(x, p):
    """Two coupled equations in pytrees."""
    return {
        "u": x["u"] + 0.3 * np.tanh(p["w"] @ x["u"]) * x["s"] - p["b"],
        "s": x["s"] + 0.1 * x["s"] ** 3 - np.sum(x["u"]) * p["c"],
    }


START = {"u": np.zeros(3), "s": 0.5}
PARAMETERS = {"w": A, "b": B, "c": 0.25}


def system_root(p):
    return implicit_root(system)(START, p)


# Closed forms.


def test_a_linear_system_by_the_inverse():
    inverse = np.linalg.inv(A)
    x = inverse @ B
    near(solved(A, B), x)
    near(fg.jacrev(solved, 1)(A, B), inverse)
    near(fg.jacfwd(solved, 1)(A, B), inverse)
    by_matrix = -np.einsum("ij,k->ijk", inverse, x)  # dx = −A⁻¹ dA x
    near(fg.jacrev(solved)(A, B), by_matrix)
    near(fg.jacfwd(solved)(A, B), by_matrix)


@pytest.mark.parametrize("root", [lambda a: square_root(1.0, a), heron], ids=["newton", "heron"])
def test_the_square_root_to_the_third_derivative(root):
    for order, want in enumerate([2**0.5, 0.5 * 2**-0.5, -0.25 * 2**-1.5, 0.375 * 2**-2.5]):
        derivatives = [root]
        for _ in range(order):
            derivatives = [
                derivative
                for f in derivatives
                for derivative in (grad(f), lambda a, f=f: jvp(f, (a,), (1.0,))[1])
            ]
        for derivative in derivatives:
            near(derivative(2.0), want)


def test_the_optimum_of_a_ridge_regression_by_its_regularisation():
    x, y = np.concatenate([A, MOVE]), np.arange(6.0)

    def loss(w, strength):
        return 0.5 * np.sum((x @ w - y) ** 2) + 0.5 * strength * np.sum(w**2)

    def optimum(strength):
        return implicit_root(grad(loss))(np.zeros(3), strength)

    inverse = np.linalg.inv(x.T @ x + 2.0 * np.eye(3))
    near(optimum(2.0), inverse @ x.T @ y)
    for jacobian in (fg.jacfwd, fg.jacrev):
        near(jacobian(optimum)(2.0), -inverse @ inverse @ x.T @ y)


# Every mode, on functions with matrices, pytrees and systems inside systems.


def of_matrix(a):
    return np.sum(np.sin(solved(np.tanh(a) + 3.0 * np.eye(3), B)))


def of_schur_complement(a):
    return np.sum(linear_solve(lambda v: A @ v + a @ solved(a + A, a @ v), B) ** 2)


def of_solver_by_products(a):
    return np.sum(linear_solve(lambda v: a @ v + 3.0 * v, B, iterated) ** 2)


def of_root(a):
    x = system_root({"w": a, "b": B, "c": np.mean(a)})
    return np.sum(x["u"] ** 3) * x["s"]


def of_fixed_point(a):
    x = fixed_point(lambda x, a: 0.2 * np.tanh(a @ x) + B, np.zeros(3), a)
    return np.sum(x**3)


def of_root_in_a_root(a):
    inner = implicit_root(lambda y, x: y**3 + y - x, secant)
    outer = implicit_root(lambda x, a: x + 0.25 * np.sum(a) * inner(0.5, x) - a[0, 1], secant)
    return outer(1.0, a) ** 2


FUNCTIONS = [
    of_matrix,
    of_schur_complement,
    of_solver_by_products,
    of_root,
    of_fixed_point,
    of_root_in_a_root,
]


@pytest.mark.parametrize("f", FUNCTIONS)
def test_numerical_derivatives(f):
    check_grads(f, (A,), order=2)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_all_modes_agree(f):
    gradient = grad(f)(A)
    near(jvp(f, (A,), (MOVE,))[1], np.sum(gradient * MOVE))
    near(fg.linearize(f, A)[1](MOVE), np.sum(gradient * MOVE))

    def slope(a):
        return jvp(f, (a,), (MOVE,))[1]

    reverse_twice = grad(lambda a: np.sum(grad(f)(a) * MOVE))(A)
    near(jvp(grad(f), (A,), (MOVE,))[1], reverse_twice)
    near(grad(slope)(A), reverse_twice)
    near(jvp(slope, (A,), (MOVE,))[1], np.sum(reverse_twice * MOVE))


@pytest.mark.parametrize("f", FUNCTIONS)
def test_vmap_is_the_loop(f):
    loop = np.stack([grad(f)(a) for a in STACK])
    near(vmap(f)(STACK), [f(a) for a in STACK])
    near(vmap(grad(f))(STACK), loop)
    near(grad(lambda stack: np.sum(vmap(f)(stack)))(STACK), loop)
    near(vmap(lambda a: jvp(f, (a,), (MOVE,))[1])(STACK), np.sum(loop * MOVE, axis=(1, 2)))


def test_tangents_and_cotangents_of_pytrees_pair():
    tangent = fg.tree.map(np.cos, PARAMETERS)
    out, moved = jvp(system_root, (PARAMETERS,), (tangent,))
    _, pullback = vjp(system_root, PARAMETERS)
    weights = fg.tree.map(np.exp, out)
    (pulled,) = pullback(weights)

    def pairing(s, t):
        return sum(np.sum(x * y) for x, y in zip(fg.tree.leaves(s), fg.tree.leaves(t)))

    near(pairing(weights, moved), pairing(pulled, tangent))
    assert fg.tree.structure(pulled) == fg.tree.structure(PARAMETERS)
    for path, residual in fg.tree.leaves_with_path(system(out, PARAMETERS)):
        np.testing.assert_allclose(residual, 0.0, atol=1e4 * EPS, err_msg=fg.tree.keystr(path))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_derivatives_of_any_size(scale):
    def x(a):
        return fixed_point(lambda x, a: 0.5 * np.cos(x) + a, 1.0, a)

    near(grad(lambda a: scale * x(a))(0.5) / scale, grad(x)(0.5))
    near(jvp(x, (0.5,), (scale,))[1] / scale, grad(x)(0.5))


def test_complex_systems():
    def f(t):
        return np.abs(linear_solve(lambda v: (A + 1j * t) @ v, np.exp(1j * t * B))[0])

    check_grads(f, (0.5,), order=2)
    near(jvp(f, (0.5,), (1.0,))[1], grad(f)(0.5))


# What is traced where.


def test_starts_that_differ_under_vmap_find_different_roots():
    starts, a = np.array([1.0, -1.0]), np.array([1.0, 4.0, 9.0])
    mapped = vmap(vmap(square_root, (None, 0)), (0, None))(starts, a)
    near(mapped, np.outer(starts, np.sqrt(a)))
    slopes = vmap(grad(square_root, argnums=1))(starts, a[1:2].repeat(2))
    near(slopes, [0.25, -0.25])


def test_the_start_has_no_derivative():
    assert grad(lambda a: square_root(a, 2.0))(1.5) == 0.0
    assert jvp(lambda a: square_root(a, 2.0), (1.5,), (1.0,))[1] == 0.0
    near(grad(lambda a: square_root(a, a))(4.0), 0.25)
    near(grad(lambda a: heron(a, a))(4.0), 0.25)


def test_arguments_that_are_no_floats():
    root = implicit_root(lambda x, n, options, a: x**n - options["scale"] * a)
    settings = {"scale": 2, "name": "cube", "function": np.sin}
    near(grad(root, argnums=3)(1.0, 3, settings, 4.0), 2.0 / 12.0)
    powers = np.array([1, 3])
    near(vmap(grad(root, argnums=3), (None, 0, None, None))(1.0, powers, settings, 4.0), [2, 1 / 6])


def test_a_matrix_that_is_picked_by_batched_integers():
    def x(a, rows):
        return linear_solve(lambda v: (a @ v)[rows] + 5.0 * v, B)

    rows = np.array([[0, 1, 2], [2, 0, 1]])
    near(vmap(x, (None, 0))(A, rows), [np.linalg.solve(A[i] + 5 * np.eye(3), B) for i in rows])
    gradients = vmap(grad(lambda a, i: np.sum(x(a, i))), (None, 0))(A, rows)
    near(gradients, [grad(lambda a, i=i: np.sum(x(a, i)))(A) for i in rows])


def test_a_start_is_not_followed_and_costs_no_linear_system():
    # Where f is flat at its root a derivative would raise.
    root = implicit_root(lambda x, a: (x - a) ** 2, lambda g, x0: 2.0)
    assert grad(root)(1.0, 2.0) == 0.0
    assert jvp(lambda x0: root(x0, 2.0), (1.0,), (1.0,)) == (2.0, 0.0)
    assert grad(lambda x0: x0 * float(root(x0, 2.0)))(1.0) == 2.0


def test_solvers_get_plain_arrays():
    seen = []

    def by_bisection(g, x0):
        seen.append(x0)
        low, high = 0.0, 10.0
        while high - low > 1e-14:
            seen.append(g(low))
            middle = 0.5 * (low + high)
            low, high = (low, middle) if g(middle) > 0 else (middle, high)
        return 0.5 * (low + high)

    def by_numpy(matvec, b):
        columns = [matvec(e) for e in np.eye(3)]
        seen.extend(columns)
        return np.linalg.solve(np.stack(columns, axis=1), b)

    root = implicit_root(lambda x, a: x * x - a, by_bisection)
    near(jvp(grad(root, argnums=1), (1.0, 2.0), (0.0, 1.0))[1], -0.25 * 2**-1.5)
    near(
        grad(lambda a: np.sum(linear_solve(lambda v: a @ v, B, by_numpy)))(A),
        grad(lambda a: np.sum(solved(a, B)))(A),
    )
    assert seen
    assert not any(map(fg.is_traced, seen))


def test_a_symmetric_system_is_not_transposed():
    calls = []

    def solve(matvec, b):
        calls.append(matvec(np.array([1.0, 0.0, 0.0])))
        return iterated(matvec, b)

    symmetric = 0.75 * (A + A.T)
    for told in (True, False):

        def f(b, told=told):
            return np.sum(linear_solve(lambda v: symmetric @ v, b, solve, symmetric=told) ** 2)

        calls.clear()
        near(grad(f)(B), 2.0 * np.linalg.solve(symmetric @ symmetric, B))
        near(calls, [symmetric[0]] * 2)
    batched = vmap(lambda s: linear_solve(lambda v: s * (symmetric @ v), B, symmetric=True))
    near(batched(np.array([1.0, 2.0]))[1], np.linalg.solve(2.0 * symmetric, B))


def test_float32_stays_float32():
    a, b = A.astype(np.float32), B.astype(np.float32)
    out, pullback = vjp(solved, a, b)
    assert [x.dtype for x in (out, *pullback(b), jvp(solved, (a, b), (a, b))[1])] == ["f4"] * 4
    a = np.float32(2.0)
    for root in (lambda a: square_root(1.0, a), heron):
        assert [x.dtype for x in (root(a), grad(root)(a), jvp(root, (a,), (a,))[1])] == ["f4"] * 3
        np.testing.assert_allclose(grad(root)(a), 0.5 * 2**-0.5, rtol=8 * np.finfo("f4").eps)


def test_x_in_less_precision_than_its_equation():
    """It is a float32, and so are its tangents; a gradient has the dtype of its argument."""
    start, a = np.ones(2, np.float32), np.array([4.0, 9.0])

    def by_newton(a):
        return square_root(start, a)

    for root in (by_newton, lambda a: heron(a, start)):
        out, pullback = vjp(root, a)
        (pulled,), pushed = pullback(np.ones(2)), jvp(root, (a,), (np.ones(2),))[1]
        assert [x.dtype for x in (out, pushed, pulled)] == ["f4", "f4", "f8"]
        for slope in (pushed, pulled):
            np.testing.assert_allclose(slope, 0.5 / out, rtol=8 * np.finfo("f4").eps)


def test_x_has_the_kinds_of_its_start():
    def scaled(start):
        return fixed_point(lambda x, a: 0.5 * x + a, start, 1.0)

    assert type(scaled(0.0)) is np.float64
    assert type(scaled(np.array(0.0))) is np.ndarray
    assert scaled(np.zeros(2, np.float32)).dtype == np.float32
    given = np.full(2, 2.0)
    assert not np.shares_memory(scaled(given), given)
    assert not np.shares_memory(linear_solve(lambda v: v, given, lambda matvec, b: b), given)


def test_arrays_changed_after_their_use():
    a, b = A.copy(), B.copy()
    pullbacks = [
        vjp(lambda a: solved(a, b), a)[1],
        vjp(lambda b: solved(a, b), b)[1],
        vjp(lambda b: implicit_root(lambda x, a, b: a @ x - b)(B, a, b), b)[1],
        vjp(lambda b: implicit_root(lambda x, b: a @ x - b)(B, b), b)[1],  # a is in the closure
        vjp(lambda b: fixed_point(lambda x, b: b - a @ x / 16.0, B, b), b)[1],
    ]
    before = [pullback(B)[0] for pullback in pullbacks]
    a *= 7.0
    b *= 7.0
    for pullback, want in zip(pullbacks, before):
        np.testing.assert_array_equal(pullback(B)[0], want)


def test_a_recorded_solve_runs_again():
    program = fg.make_graph(grad(of_matrix))(A)
    near(program(MOVE), grad(of_matrix)(MOVE))
    assert str(program).count("linear_solve(") == 2


# Refusals.

REFUSED = {
    "affine": (
        lambda: linear_solve(lambda v: A @ v - B, B),
        ValueError,
        "matvec is not linear.*implicit_root",
    ),
    "quadratic": (lambda: linear_solve(lambda v: v * v, B), ValueError, "is not linear"),
    "not symmetric": (
        lambda: vmap(lambda a: linear_solve(lambda v: a @ v, B, symmetric=True))(STACK),
        ValueError,
        r"symmetric=True, but w @ matvec\(v\) is not",
    ),
    "plain number": (
        lambda: linear_solve(lambda v: v * float(v[0]), B),
        TypeError,
        r"into a plain number by float\(t\)",
    ),
    "integer b": (lambda: linear_solve(lambda v: v, [B, np.arange(2)]), TypeError, r"b\[1\].*int"),
    "another shape": (
        lambda: linear_solve(lambda v: {"a": A[:2] @ v["a"]}, {"a": B}),
        TypeError,
        r"result of matvec\['a'\] is shape \(2,\).* \(3,\), as b\['a'\]",
    ),
    "another structure": (
        lambda: linear_solve(lambda v: [A @ v], B),
        fg.TreeError,
        "linear_solve of <lambda>: at the root: b has a leaf, the result of matvec has a list of 1",
    ),
    "another dtype": (
        lambda: linear_solve(lambda v: A @ v, B.astype(np.float32)),
        TypeError,
        r"dtype float64 for a vector of dtype float32.*b\.astype",
    ),
    "singular": (
        lambda: linear_solve(lambda v: np.ones((3, 3)) @ v, B),
        np.linalg.LinAlgError,
        r"matrix of matvec, of shape \(3, 3\), is singular",
    ),
    "solver's pair": (
        lambda: linear_solve(lambda v: v, B, lambda matvec, b: (b, 0)),
        fg.TreeError,
        "what solve returned has a tuple of 2",
    ),
    "solver's traced value": (
        lambda: grad(lambda a: np.sum(linear_solve(lambda v: a * v, B, lambda _, b: b / a)))(2.0),
        TypeError,
        "what solve returned is a traced value",
    ),
    "closed over by a root": (
        lambda: grad(lambda a: implicit_root(lambda x: x * x - a)(1.0))(2.0),
        fg.UnsupportedError,
        r"traced value from its surroundings \(grad of <lambda>\).*Pass it as an argument",
    ),
    "closed over by a fixed point": (
        lambda: vmap(lambda a: fixed_point(lambda x: 0.5 * (x + a / x), 1.0))(np.ones(2)),
        fg.UnsupportedError,
        r"fixed_point of <lambda>.*\(vmap of <lambda>\).*Pass it as an argument",
    ),
    "integer start": (
        lambda: implicit_root(system)({"u": np.zeros(3), "s": 1}, PARAMETERS),
        TypeError,
        r"implicit_root of system: x0\['s'\] has dtype int64",
    ),
    "too few equations": (
        lambda: implicit_root(lambda x: np.sum(x))(B),
        TypeError,
        r"result of f is shape \(\).*must be of shape \(3,\), as x0",
    ),
    "broadcast": (
        lambda: fixed_point(lambda x: np.mean(x), B),
        TypeError,
        r"result of f is shape \(\).*must be of shape \(3,\), as x0",
    ),
    "no root": (
        lambda: implicit_root(lambda x: x * x + 1.0)(1.5),
        RuntimeError,
        r"of shape \(\), after 50 steps: the norm of f\(x\) is",
    ),
    "flat start": (
        lambda: implicit_root(lambda x: x * x + 1.0)(np.zeros(2)),
        RuntimeError,
        r"singular after 0 steps: the norm of f\(x\) is 1.41",
    ),
    "root without a derivative": (
        lambda: grad(implicit_root(lambda x, a: (x - a) ** 2, lambda g, x0: 2.0), 1)(1.0, 2.0),
        np.linalg.LinAlgError,
        "implicit_root of <lambda>: the Jacobian of f at x.* singular",
    ),
    "no settling": (
        lambda: fixed_point(lambda x: fg.tree.map(np.negative, x), {"a": B}, max_iter=9),
        RuntimeError,
        r"after 9 of 9 steps x, of shape \['a'\] \(3,\), has not .* by 4, and tol is 1.82e-12",
    ),
    "runaway": (
        lambda: fixed_point(lambda x: np.exp(x), 1.0),
        RuntimeError,
        r"after 4 of 1000 steps .* changed it by inf",
    ),
    "no steps": (lambda: fixed_point(np.cos, 1.0, max_iter=0), ValueError, "max_iter .* got 0"),
    "no function": (lambda: linear_solve(A, B), TypeError, "linear_solve takes a function"),
    "no attraction": (
        lambda: grad(lambda a: fixed_point(lambda x, a: a * x, 0.0, a, max_iter=9))(2.0),
        RuntimeError,
        "the derivative of fixed_point of <lambda>: after 9 of 9 steps",
    ),
    "complex start": (lambda: square_root(1j, 2.0), TypeError, "x0 is complex"),
}


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_example_learns(capsys):
    history = load("implicit_layer").main(["--quick"])
    assert history[-1]["test accuracy"] > 0.7
    assert "differ by less than 1e-9: True" in capsys.readouterr().out


def test_fixed_point_of_a_function_that_writes_to_its_iterate():
    def halfway(x, a):
        x *= 0.5
        x += 0.5 * a
        return x

    def settled(a):
        return fixed_point(halfway, np.ones(3), a)

    a = np.array([1.0, 2.0, 3.0])
    near(settled(a), a)
    near(fg.jacrev(settled)(a), np.eye(3))
