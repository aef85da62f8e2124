"""numpy.linalg: singular matrices, equal eigenvalues, what it returns and what it refuses.

That every function is right where it is smooth, in each mode and twice, is in the table.
"""

import numpy as np
import pytest
from table import draw
from test_primitives import along, close

import funcgrad as fg
from funcgrad import grad, hessian, jvp, vmap

EYE = np.eye(3)
C = draw((3, 3), seed=20)
TURN = np.linalg.qr(draw((3, 3), seed=21))[0]
TIED = TURN @ np.diag([1.0, 1.0, 3.0]) @ TURN.T
OF_RANK_2 = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 1.0]])
OF_RANK_1 = np.ones((3, 3))


def symmetric(a):
    return (a + a.T) / 2


def near(got, want):
    np.testing.assert_allclose(
        got, want, rtol=0, atol=1e-12 * max(1.0, np.max(np.abs(want), initial=0.0))
    )


def agrees(f, x):
    """The gradient of f at x against differences along every direction."""
    slopes = [along(f, [x], [e.reshape(x.shape)]) for e in np.eye(x.size)]
    close(grad(f)(x), np.reshape(slopes, x.shape), 1.0)


# Determinants.


@pytest.mark.parametrize("a", [OF_RANK_2, OF_RANK_1, np.zeros((3, 3)), np.diag([1.0, 0.0, 0.0])])
def test_the_gradient_of_det_at_singular_matrices_is_the_cofactors(a):
    minors = [
        (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1))
        for i, j in np.ndindex(3, 3)
    ]
    near(grad(np.linalg.det)(a), np.reshape(minors, (3, 3)))
    near(jvp(np.linalg.det, (a,), (C,))[1], np.sum(C * np.reshape(minors, (3, 3))))


@pytest.mark.parametrize("a", [OF_RANK_2, OF_RANK_1, np.zeros((3, 3)), EYE])
def test_the_second_derivative_of_det_is_exact_everywhere(a):
    # det is a polynomial of degree 3: its second derivative along u and v is a mixed difference.
    u, v = C, C.T @ C
    det = np.linalg.det
    mixed = [s * t * det(a + s * u + t * v) for s in (1, -1) for t in (1, -1)]
    near(np.einsum("ij,ijkl,kl", u, hessian(det)(a), v), sum(mixed) / 4)


def test_slogdet_of_a_complex_matrix_turns_its_sign():
    a = C + 1j * C.T

    def f(a):
        sign, logabsdet = np.linalg.slogdet(a)
        return np.real(sign * np.exp(logabsdet))

    near(grad(f)(a), grad(lambda a: np.real(np.linalg.det(a)))(a))


# Norms: 0 at the kink, ties split evenly.


@pytest.mark.parametrize("ord", [None, 1, 2, 3, np.inf])
def test_norms_of_zero(ord):
    def f(x):
        return np.linalg.norm(x, ord)

    assert grad(f)(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert jvp(f, (np.zeros(3),), (np.ones(3),))[1] == 0.0
    assert hessian(f)(np.zeros(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    "ord, a, want",
    [
        (np.inf, np.array([1.0, -3.0, 3.0]), [0.0, -0.5, 0.5]),
        (-np.inf, np.array([1.0, -1.0, 3.0]), [0.5, -0.5, 0.0]),
        (1, EYE, EYE / 3),
        (2, EYE, EYE / 3),
        (2, 2.0 * TURN, TURN / 3),
        ("nuc", np.ones((2, 2)), np.full((2, 2), 0.5)),
        ("nuc", np.zeros((2, 2)), np.zeros((2, 2))),
    ],
)
def test_norms_at_their_kinks(ord, a, want):
    near(grad(lambda a: np.linalg.norm(a, ord))(a), want)


# Equal eigenvalues and singular values.


@pytest.mark.parametrize("a", [EYE, TIED])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_a_symmetric_function_of_equal_eigenvalues(a, power):
    slope = power * np.linalg.matrix_power(a, power - 1)
    for values in (np.linalg.eigvalsh, lambda a: np.linalg.eigh(a).eigenvalues, np.linalg.svdvals):

        def f(a, values=values):
            return np.sum(values(symmetric(a)) ** power)

        near(grad(f)(a), slope)
    near(grad(lambda a: np.sum(np.linalg.eigvals(a) ** power).real)(a), slope)
    near(jvp(lambda a: np.sum(np.linalg.eigvalsh(a) ** power), (a,), (symmetric(C),))[1],
         np.sum(slope * symmetric(C)))  # fmt: skip


def test_an_extreme_eigenvalue_shares_its_cotangent():
    near(grad(lambda a: np.linalg.eigvalsh(a)[-1])(EYE), EYE / 3)
    near(grad(lambda a: np.linalg.svdvals(a)[0])(EYE), EYE / 3)


def onto(k):
    """A function of the projector on the eigenvectors ``k``."""

    def f(a):
        v = np.linalg.eigh(symmetric(a)).eigenvectors[:, k]
        return np.sum(C * (v @ v.T))

    return f


def polar(a):
    u, _, vh = np.linalg.svd(a)
    return np.sum(C * (u @ vh))


@pytest.mark.parametrize("f", [onto(slice(2)), onto(slice(2, 3)), polar])
def test_what_is_the_same_for_every_basis_has_its_gradient(f):
    agrees(f, TIED)


def test_discarded_components_may_be_tied():
    def compressed(x):
        v = np.linalg.eigh(x.T @ x).eigenvectors[:, -2:]
        return np.sum((x @ v @ v.T) ** 3)

    x = draw((3, 5), seed=22)  # so that two eigenvalues are 0
    agrees(compressed, x)


def test_singular_vectors_of_a_singular_matrix():
    def first(a):
        u, _, vh = np.linalg.svd(a)
        return np.sum(C * (u[:, :1] @ vh[:1]))

    agrees(first, OF_RANK_2)


def function_of_matrix(f):
    def apply(a):
        w, v = np.linalg.eigh(symmetric(a))
        return np.sum(C * ((v * f(w)) @ v.T))

    return apply


@pytest.mark.parametrize(
    "f, a",
    [
        (lambda a: np.linalg.eigh(a).eigenvectors[0, 1], EYE),
        (lambda a: np.sum(C * np.linalg.eigh(a).eigenvectors), TIED),
        (lambda a: np.sum(C * np.linalg.svd(a).U), TIED),
        (lambda a: np.linalg.svd(a).Vh[0, 1], EYE),
        (lambda a: np.sum(C * np.linalg.svd(a).U), OF_RANK_1),
        (lambda a: np.sum(C * np.linalg.svd(a[:, :1]).U), C),
        (lambda a: np.sum(C * np.linalg.eig(a).eigenvectors.real), EYE),
        # These have a derivative, which the cotangents of values and vectors do not determine.
        (function_of_matrix(np.exp), TIED),
        (function_of_matrix(np.exp), EYE),
        (function_of_matrix(np.log), EYE),
        # No derivative: eigenvalues of a defective matrix, and the phase of a vector.
        (lambda a: np.sum(np.linalg.eigvals(a)).real, np.array([[1.0, 1.0], [0.0, 1.0]])),
        (lambda a: np.linalg.eigh(a + 1j * (C - C.T)).eigenvectors[0, 0].imag, C + C.T),
        (lambda a: np.sum(np.linalg.eig(a + 1j * C).eigenvectors.imag), C.T),
    ],
)
def test_what_is_not_determined_is_refused(f, a):
    for derivative in (grad(f), vmap(grad(f))):
        with pytest.raises(np.linalg.LinAlgError, match="derivative"):
            derivative(a if derivative.__name__.startswith("grad") else a[None])


def test_a_tangent_that_splits_equal_eigenvalues_is_refused():
    def vectors(a):
        return np.linalg.eigh(a).eigenvectors

    with pytest.raises(np.linalg.LinAlgError, match="eigvalsh"):
        jvp(vectors, (EYE,), (C + C.T,))
    near(jvp(vectors, (np.diag([1.0, 1.0, 3.0]),), (np.diag([1.0, 2.0, 3.0]),))[1], 0.0 * EYE)
    with pytest.raises(np.linalg.LinAlgError):
        hessian(lambda a: np.sum(np.linalg.eigh(symmetric(a)).eigenvalues ** 3))(EYE)


def second_derivatives(f, a, u, v):
    """The second derivative of f along u and v, by each combination of the modes."""
    yield lambda: np.sum(jvp(grad(f), (a,), (u,))[1] * v)
    yield lambda: jvp(lambda a: jvp(f, (a,), (u,))[1], (a,), (v,))[1]
    yield lambda: np.sum(grad(lambda a: np.sum(grad(f)(a) * u))(a) * v)
    yield lambda: np.sum(grad(lambda a: jvp(f, (a,), (u,))[1])(a) * v)


SWAP = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize("a", [EYE, np.diag([1.0, 1.0, 3.0])])
@pytest.mark.parametrize("u", [EYE, np.diag([1.0, 2.0, 3.0]), SWAP, symmetric(C)])
@pytest.mark.parametrize(
    "values, has_hessian",
    [
        (lambda a: np.linalg.eigvalsh(symmetric(a)), True),
        (lambda a: np.linalg.eigh(symmetric(a)).eigenvalues, False),
        (lambda a: np.real(np.linalg.eigvals(a)), False),
        (lambda a: np.real(np.linalg.eig(a).eigenvalues), False),
        (np.linalg.svdvals, True),
        (lambda a: np.linalg.svd(a).S, False),
    ],
)
def test_a_second_derivative_at_equal_values_is_right_or_refused(values, has_hessian, a, u):
    for v in (EYE, u):
        forward_over_reverse, *others = second_derivatives(
            lambda a: np.sum(values(a) ** 2), a, u, v
        )
        for second in (forward_over_reverse, *others):
            try:
                found = second()
            except np.linalg.LinAlgError:
                assert second in others or not has_hessian
            else:
                near(found, 2.0 * np.sum(u * v))


def twice_identity(a):
    """The Hessian of the sum of the squares of all elements."""
    return 2.0 * np.eye(a.size).reshape(a.shape * 2)


@pytest.mark.parametrize("a", [EYE, TIED, np.diag([1.0, 1.0, 0.0]), 2.0 * TURN])
def test_hessians_of_symmetric_functions_of_equal_values(a):
    near(hessian(lambda a: np.sum(np.linalg.svdvals(a) ** 2))(a), twice_identity(a))
    near(hessian(lambda a: np.linalg.svdvals(a[:, :2]) @ np.linalg.svdvals(a[:, :2]))(EYE)[:, :2],
         twice_identity(EYE)[:, :2])  # fmt: skip
    s = symmetric(a)
    got = hessian(lambda a: np.sum(np.exp(np.linalg.eigvalsh(symmetric(a)))))(s)
    slope = jvp(grad(lambda a: np.sum(np.exp(np.linalg.eigvalsh(symmetric(a))))), (s,), (s,))[1]
    near(np.einsum("ijkl,kl", got, s), slope)
    w, v = np.linalg.eigh(s)
    near(slope, (v * (w * np.exp(w))) @ v.T)  # along s itself


def test_the_hessian_of_logdet_by_eigenvalues():
    def by_values(a):
        return np.sum(np.log(np.linalg.eigvalsh(symmetric(a))))

    for a in (EYE, TIED, 2.0 * EYE):
        near(hessian(by_values)(a), hessian(lambda a: np.linalg.slogdet(symmetric(a))[1])(a))


def test_the_hessian_of_the_nuclear_norm_at_a_repeated_pair():
    def turned(t):
        """The norm of a matrix that is turned to and fro, and stretched."""
        return np.linalg.norm(np.diag([2.0, 2.0, 1.0]) + t[0] * C + t[1] * C.T, "nuc")

    t = np.zeros(2)
    close(hessian(turned)(t) @ [1.0, 2.0], along(grad(turned), [t], [np.array([1.0, 2.0])]), 1.0)


# What is read, returned and refused.


@pytest.mark.parametrize("UPLO", ["L", "l", "U", "u", None])
def test_only_the_triangle_that_is_read_has_a_gradient(UPLO):
    def f(a):
        return np.linalg.cholesky(a) if UPLO is None else np.linalg.eigvalsh(a, UPLO)

    a = C @ C.T + EYE
    gradient = grad(lambda a: np.sum(f(a) ** 3))(a)
    lower = np.tri(3, k=-1, dtype=bool)
    read = lower.T if UPLO in ("U", "u") else lower
    assert np.all(gradient[read.T] == 0.0)
    assert np.all(gradient[read] != 0.0)


@pytest.mark.parametrize(
    "f",
    [
        np.linalg.eigh,
        np.linalg.eig,
        np.linalg.svd,
        np.linalg.qr,
        np.linalg.slogdet,
        lambda a: np.linalg.lstsq(a, np.ones(3)),
    ],
)
def test_results_keep_their_types(f):
    a = TIED + C
    plain = f(a)
    for traced in (fg.vjp(f, a)[0], jvp(f, (a,), (C,))[0]):
        assert type(traced) is type(plain)
        for x, y in zip(traced, plain):
            assert np.shape(x) == np.shape(y)
            near(x, y)


@pytest.mark.parametrize(
    "f",
    [
        np.linalg.inv,
        lambda a: np.linalg.solve(a, np.ones(3)),
        lambda a: np.linalg.matrix_power(a, -2),
        lambda a: np.linalg.tensorinv(a, ind=1),
        lambda a: np.linalg.cholesky(-EYE - a),
        lambda a: np.linalg.lstsq(a, np.ones(3))[0],
    ],
)
def test_singular_matrices(f):
    with pytest.raises(np.linalg.LinAlgError):
        grad(lambda a: np.sum(f(a)))(OF_RANK_1)


def test_slogdet_of_a_singular_matrix_is_that_of_numpy_and_has_the_slope_of_log():
    def of_the_others(stack):
        sign, logabsdet = np.linalg.slogdet(stack)
        return np.sum(np.where(sign == 0, 0.0, logabsdet) * np.arange(1.0, 4.0))

    value, gradient = fg.value_and_grad(lambda a: np.linalg.slogdet(a)[1])(OF_RANK_1[:2, :2])
    assert value == -np.inf
    assert np.all(gradient == np.inf * np.linalg.inv(OF_RANK_1[:2, :2] + 1e-3 * np.eye(2)).T)
    toward = np.array([[1.0, 0.5], [0.5, 1.0]], np.float32)  # regular matrices
    single = OF_RANK_1[:2, :2].astype(np.float32)
    slope = jvp(lambda a: np.linalg.slogdet(a)[1], (single,), (toward,))[1]
    assert slope == np.inf and slope.dtype == np.float32
    stack = np.stack([TIED + C, OF_RANK_1, C])
    by_inverse = np.stack([np.linalg.inv(TIED + C).T, np.zeros((3, 3)), 3 * np.linalg.inv(C).T])
    near(grad(of_the_others)(stack), by_inverse)
    near(jvp(of_the_others, (stack,), (stack,))[1], np.sum(by_inverse * stack))
    near(fg.jacfwd(grad(of_the_others))(stack), fg.jacrev(grad(of_the_others))(stack))


@pytest.mark.parametrize("p", [None, 2, 1, -1, np.inf, "fro"])
def test_the_condition_number_of_a_singular_matrix_is_infinite(p):
    value, gradient = fg.value_and_grad(lambda a: np.linalg.cond(a, p))(OF_RANK_1)
    assert value == np.linalg.cond(OF_RANK_1, p) == np.inf
    assert not np.any(np.isfinite(gradient))
    stack = np.stack([OF_RANK_1, TIED])
    near(fg.vjp(lambda a: np.linalg.cond(a, p), stack)[0][1], np.linalg.cond(TIED, p))
    assert fg.vjp(lambda a: np.linalg.cond(a, p), 0.0 * EYE)[0] == np.inf


@pytest.mark.parametrize(
    "error, f",
    [
        (np.linalg.LinAlgError, lambda a: C * np.linalg.qr(a[:, :1], mode="complete")[0]),
        (fg.UnsupportedError, lambda a: np.linalg.qr(a, mode="raw")[0]),
        (fg.DerivativeLostError, lambda a: np.linalg.multi_dot([a, a], out=np.zeros((3, 3)))),
        (fg.UnsupportedError, lambda a: np.cross(a[:, :2], a[:, :2])),
        (ValueError, lambda a: np.linalg.eigh(a, UPLO="X")[0]),
        (ValueError, lambda a: np.linalg.norm(a, 3)),
        (ValueError, lambda a: np.linalg.norm(a[0], "fro")),
        (ValueError, lambda a: np.linalg.norm(a[None], 2)),
        (TypeError, lambda a: np.linalg.matrix_power(a, 2.0)),
        (np.linalg.LinAlgError, lambda a: np.linalg.eigvalsh(a[:2])),
        (np.linalg.LinAlgError, lambda a: np.linalg.qr(a[0])[0]),
        (np.linalg.LinAlgError, lambda a: np.linalg.inv(a[0])),
    ],
)
def test_what_is_refused(error, f):
    with pytest.raises(error):
        grad(lambda a: np.sum(f(a)))(EYE)


def test_a_vector_to_solve_for_is_one_of_one_dimension():
    stack, vector = np.stack([TIED, TIED + EYE]), C[0]
    for b in (vector, np.stack([C, C.T])):
        solution, pullback = fg.vjp(np.linalg.solve, stack, b)
        near(solution, np.linalg.solve(stack, b))
        assert [g.shape for g in pullback(solution)] == [stack.shape, b.shape]
    near(vmap(np.linalg.solve, (None, 0))(TIED, C), np.linalg.solve(TIED, C.T).T)
    near(vmap(np.linalg.solve)(stack, C[:2]), np.linalg.solve(stack, C[:2, :, None])[..., 0])


def test_rank_and_the_power_zero_are_constants():
    f = lambda a: np.sum(np.linalg.matrix_power(a, 0) @ a) * np.linalg.matrix_rank(a)  # noqa: E731
    near(grad(f)(OF_RANK_2), 2.0 * np.ones((3, 3)))
    assert vmap(np.linalg.matrix_rank)(np.array([[0.0, 0.0], [1.0, 0.0]])).tolist() == [0, 1]


def test_empty_matrices():
    for f in (np.linalg.det, np.linalg.inv, np.linalg.cholesky, lambda a: np.linalg.eigh(a)[1]):
        assert grad(lambda a, f=f: np.sum(f(a)))(np.zeros((0, 0))).shape == (0, 0)


def test_programs_with_decompositions_are_recorded():
    f = np.linalg.svdvals
    near(fg.linearize(f, TIED + C)[1](C), jvp(f, (TIED + C,), (C,))[1])
    near(grad(fg.checkpoint(lambda a: np.sum(f(a))))(C), grad(lambda a: np.sum(f(a)))(C))


def test_a_pseudo_inverse_that_leaves_out_singular_values():
    def f(x):
        return np.linalg.pinv(x, rcond=0.5)

    a, c = np.diag([3.0, 2.0, 1.0]), np.arange(9.0).reshape(3, 3)
    near(fg.vjp(f, a)[0], np.diag([1 / 3, 1 / 2, 0]))
    # of a block the derivative is that of its inverse, and of what is left out there is none
    inside = np.array([[0.0, 1.0, 0.0], [4.0, 3.0, 0.0], [0.0, 0.0, 5.0]])
    near(jvp(f, (a,), (inside,))[1], -f(a) @ inside @ f(a))
    fg.check_grads(f, (a + 0.1 * c,), order=2, modes=("fwd", "rev"))
