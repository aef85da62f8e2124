"""One row a primitive: what to call, and where. Every check in test_primitives.py runs on it.

``ELEMENTWISE`` rows give a domain an operand, from which arrays of any shape are drawn; ``GENERAL``
rows give a call and its arguments; ``CONSTANT`` rows give calls whose derivative is zero.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from funcgrad import debug, nn, stop_gradient
from funcgrad.core import bind
from funcgrad.rules.indexing import Slot
from funcgrad.verbs import PRIMITIVES


def own(name):
    """A primitive that NumPy has no function for, as a function."""
    return lambda *operands, **keywords: bind(PRIMITIVES[name], operands, keywords)


def scatter_at(x, places):
    return own("scatter_traced")(x, places, at=Slot(0), shape=(3,), dtype=x.dtype)


def softmax_of_two(x, y):
    return own("softmax_of_two")(x, y, rate=1.5)


def draw(shape, low=-2.0, high=2.3, seed=0):
    """Values spread over [low, high], no two alike, in no order."""
    size = int(np.prod(shape))
    spread = (np.arange(size) + 0.5) / max(size, 1)
    np.random.default_rng([seed, size]).shuffle(spread)
    return (low + (high - low) * spread).reshape(shape)


def set_at(z, v, at):
    dtype = np.result_type(z, v)
    return own("set_at")(np.astype(z, dtype), np.astype(v, dtype), at=at)


def set_at_traced(z, v, places):
    dtype = np.result_type(z, v)
    return own("set_at_traced")(np.astype(z, dtype), np.astype(v, dtype), places, at=Slot(0))


@dataclass
class Elementwise:
    """``domains``: (low, high) for each differentiated operand."""

    name: str
    function: Any
    domains: tuple[tuple[float, float], ...]


@dataclass
class General:
    """``names``: the primitives that the call must reach; ``args``: float64 arrays."""

    names: str
    call: Any
    args: tuple[Any, ...]

    def __str__(self):
        shapes = ",".join(str(np.shape(x)) for x in self.args)
        return f"{self.names} {shapes}"


EVERYWHERE = (-2.0, 2.3)
POSITIVE = (0.5, 3.0)
UNIT = (-0.6, 0.6)


def _unary(domain, *names):
    return [Elementwise(n, getattr(np, n), (domain,)) for n in names]


def _binary(*names):
    return [Elementwise(n, getattr(np, n), (EVERYWHERE, (-1.7, 2.4))) for n in names]


ELEMENTWISE = [
    *_unary(
        EVERYWHERE,
        *"negative positive square sin cos arctan sinh cosh tanh arcsinh exp exp2 expm1".split(),
        *"deg2rad radians rad2deg degrees absolute fabs conjugate sinc".split(),
    ),
    *_unary(POSITIVE, *"sqrt cbrt log log2 log10 reciprocal".split()),
    *_unary(UNIT, "arcsin", "arccos", "arctanh", "log1p", "tan"),
    *_unary((1.2, 3.0), "arccosh"),
    *_binary(*"add subtract multiply maximum minimum fmax fmin logaddexp logaddexp2".split()),
    Elementwise("hypot", np.hypot, (POSITIVE, EVERYWHERE)),
    Elementwise("arctan2", np.arctan2, (EVERYWHERE, POSITIVE)),
    Elementwise("divide", np.divide, (EVERYWHERE, POSITIVE)),
    Elementwise("power", np.power, (POSITIVE, EVERYWHERE)),
    Elementwise("power", lambda x: x**2, (EVERYWHERE,)),
    Elementwise("power", lambda x: x**3, (EVERYWHERE,)),
    Elementwise("power", lambda x: x**-1.5, (POSITIVE,)),
    Elementwise("power", lambda x: 2.0**x, (EVERYWHERE,)),
    Elementwise("power", np.float_power, (POSITIVE, EVERYWHERE)),
    Elementwise("power", lambda x: np.float_power(x, 2.5), (POSITIVE,)),
    Elementwise("power", lambda x: x ** np.uint8(2), (POSITIVE,)),
    Elementwise("maximum", lambda x, y: np.clip(x, y, 1.5), (EVERYWHERE, (-1.7, 2.4))),
    Elementwise("remainder", np.remainder, ((3.1, 3.9), (1.1, 1.4))),
    Elementwise("fmod", np.fmod, ((-3.9, -3.1), (1.1, 1.4))),
    Elementwise("heaviside", lambda h: np.heaviside(0.0, h), (EVERYWHERE,)),
    Elementwise("copysign", lambda x: np.copysign(x, -1.0), (POSITIVE,)),
    Elementwise("ldexp", lambda x: np.ldexp(x, 3), (EVERYWHERE,)),
    Elementwise("ldexp", lambda x: np.frexp(x)[0], (POSITIVE,)),
    Elementwise("annihilate", lambda y: own("annihilate")(1.0, y), (EVERYWHERE,)),
    Elementwise("power_dx", own("power_dx"), (POSITIVE, EVERYWHERE)),
    Elementwise("power_dy", own("power_dy"), (POSITIVE, EVERYWHERE)),
    Elementwise("softmax_of_two", softmax_of_two, (EVERYWHERE, EVERYWHERE)),
    Elementwise("over_square", own("over_square"), (EVERYWHERE, POSITIVE)),
    Elementwise("sech_squared", own("sech_squared"), (EVERYWHERE,)),
    Elementwise("root", own("root"), (UNIT,)),
    Elementwise("over_gap", own("over_gap"), (UNIT,)),
    Elementwise("unit", own("unit"), (EVERYWHERE, POSITIVE)),
    Elementwise("sinc_derivative", lambda x: own("sinc_derivative")(x, order=2), ((-5.0, 5.0),)),
    Elementwise("nextafter", np.nextafter, (EVERYWHERE, (3.0, 4.0))),
    Elementwise("i0", np.i0, ((-9.0, 9.0),)),
    Elementwise("i0_derivative", lambda x: own("i0_derivative")(x, order=2), ((-9.0, 9.0),)),
    Elementwise("relu", nn.relu, (EVERYWHERE,)),
    Elementwise("sigmoid", nn.sigmoid, (EVERYWHERE,)),
    Elementwise("gate", lambda g: own("gate")(g, 1.0), (EVERYWHERE,)),
    Elementwise("gate", lambda g: own("gate")(g, -1.0), (EVERYWHERE,)),
    Elementwise("select", lambda x, y: np.where(x > y, x, y), (EVERYWHERE, (-1.7, 2.4))),
]

A, B, C = draw((3, 4)), draw((4, 2), seed=1), draw((2, 3, 4), seed=2)
V, W = draw((4,), seed=3), draw((4,), seed=4)
ZEROS = np.array([[1.5, 0.0, 2.0, -1.0], [0.0, 3.0, 0.0, 1.0], [1.0, 2.0, -0.5, 0.7]])
TIES = np.array([[1.0, 3.0, 3.0, 2.0], [5.0, 5.0, 5.0, 5.0], [0.0, -1.0, 2.0, 1.0]])
LABELS = np.array([3, 0, 1])
MASK = np.array([[True, False, True, True], [False, True, True, False], [True] * 4])


MASKED = ({"where": MASK}, {"axis": (0, 1)}, {"axis": 1, "where": MASK})


def _reduction(name, *args, keywords=({}, {"axis": 0}, {"axis": -1, "keepdims": True})):
    function = getattr(np, name)
    return [General(name, lambda x, k=k: function(x, **k), (a,)) for k in keywords for a in args]


def cond(x, p):
    """``np.linalg.cond``, which in older releases is complex for a complex matrix."""
    return np.real(np.linalg.cond(x, p))


GENERAL = [
    *_reduction("sum", A, C, np.float64(1.5), np.array(2.0)),
    *_reduction("sum", A, keywords=MASKED),
    *_reduction("mean", A, C),
    *_reduction("mean", A, keywords=MASKED),
    *_reduction("max", A, C),
    *_reduction("min", A, C),
    *_reduction("max", A, keywords=[{"axis": 0, "where": MASK, "initial": -9.0}, {"axis": (0, 1)}]),
    *_reduction("prod", A, C, ZEROS),
    *_reduction("prod", C, keywords=[{"axis": (0, 2)}, {"axis": (-1, 0), "keepdims": True}]),
    *_reduction("prod", A, keywords=[{"where": MASK}]),
    *_reduction("var", A, C),
    *_reduction("var", A, keywords=[{"ddof": 1}, {"axis": 0, "ddof": 1}, {"where": MASK}]),
    *_reduction("std", A, C),
    *_reduction("std", A, keywords=[{"ddof": 1}, {"axis": 0, "ddof": 1}, {"where": MASK}]),
    *_reduction("cumsum", A, C, keywords=[{}, {"axis": 0}, {"axis": -1}]),
    *_reduction("cumprod", A, ZEROS, C, keywords=[{}, {"axis": 0}, {"axis": -1}]),
    General("max min", np.ptp, (A,)),
    General("recurrence", own("recurrence"), (A, draw((3, 4), seed=5))),
    General("recurrence", own("recurrence"), (V, W)),
    # Shapes
    General("reshape", lambda x: np.reshape(x, (2, 6)), (A,)),
    General("reshape", lambda x: x.reshape(-1), (A,)),
    General("reshape", lambda x: x.reshape(4, 3, order="F"), (A,)),
    General("reshape", lambda x: x.T.reshape(-1, order="F"), (A,)),
    General("ravel", lambda x: np.ravel(x, order="F"), (np.asfortranarray(A),)),
    General("ravel", lambda x: x.ravel(), (A,)),
    General("ravel", lambda x: np.ravel(x, order="F"), (A,)),
    General("ravel", lambda x: x.flatten(), (A,)),
    General("squeeze", lambda x: np.squeeze(x), (A[:, None],)),
    General("squeeze", lambda x: x.squeeze(1), (A[:, None],)),
    General("expand_dims", lambda x: np.expand_dims(x, (0, 2)), (A,)),
    General("broadcast_to", lambda x: np.broadcast_to(x, (2, 3, 4)), (A,)),
    General("broadcast_to", lambda x: np.full_like(x, x[0, 1]) + np.full_like(x, 2.0), (A,)),
    General("broadcast_to", lambda x: np.broadcast_to(x, (3, 4)), (A[:, :1],)),
    General("transpose", lambda x: x.T, (A,)),
    General("transpose", lambda x: np.transpose(x, (1, 2, 0)), (C,)),
    General("transpose", lambda x: x.transpose(-1, 0, 1), (C,)),
    General("swapaxes", lambda x: np.swapaxes(x, 0, 2), (C,)),
    General("moveaxis", lambda x: np.moveaxis(x, 0, -1), (C,)),
    General("moveaxis", lambda x: np.moveaxis(x, (0, 1), (2, 0)), (C,)),
    General("matrix_transpose", lambda x: x.mT, (C,)),
    General("flip", lambda x: np.flip(x), (A,)),
    General("flip", lambda x: np.flip(x, (0, 1)), (C,)),
    General("flip", lambda x: np.fliplr(np.flipud(x)), (A,)),
    *[General("flip", lambda x, k=k: np.rot90(x, k), (A,)) for k in (1, 2, 3)],
    General("roll", lambda x: np.roll(x, 2), (A,)),
    General("roll", lambda x: np.roll(x, (1, -2), axis=(0, 1)), (A,)),
    General("broadcast_to", lambda x: np.tile(x, (2, 1, 3)), (A,)),
    General("broadcast_to", lambda x: np.tile(x, 2), (A,)),
    General("reshape", lambda x: np.atleast_3d(x), (A,)),
    General("reshape", lambda x: np.atleast_2d(x), (V,)),
    General("join", lambda x, y: np.concatenate([x, y]), (V, W)),
    General("join", lambda x, y: np.concatenate((x, y), axis=1), (A, A[:, :2] + 1.0)),
    General("join", lambda x, y: np.concatenate((x, y), axis=None), (A, V)),
    General("join", lambda x, y: np.hstack([x, y]), (V, W)),
    General("join", lambda x, y: np.hstack([x, y]), (A, A + 1.0)),
    General("join", lambda x, y: np.vstack([x, y]), (V, A)),
    General("join", lambda x, y: np.dstack([x, y]), (A, A + 1.0)),
    General("join", lambda x, y: np.column_stack([x, y]), (V, B)),
    General("join", lambda x, y: np.append(x, y), (A, V)),
    General("pile", lambda x, y: np.stack([x, y]), (V, W)),
    General("pile", lambda x, y: np.stack([x, y, x], axis=-1), (A, A + 1.0)),
    General("index", lambda x: np.split(x, 2)[1], (V,)),
    General("index", lambda x: np.split(x, [1, 3], axis=1)[1], (A,)),
    General("index", lambda x: np.array_split(x, 3)[0], (V,)),
    General("index", lambda x: np.hsplit(x, 2)[0] + np.vsplit(x[:2], 2)[0][:, :2], (A,)),
    General("index", lambda x: np.diff(x, n=2), (A,)),
    General("pad_zeros", lambda x: np.pad(x, 1), (A,)),
    General("pad_zeros", lambda x: np.pad(x, ((1, 0), (0, 2)), mode="constant"), (A,)),
    *[
        General("index", lambda x, m=m: np.pad(x, ((2, 1), (0, 3)), mode=m), (A,))
        for m in ("edge", "reflect", "symmetric", "wrap")
    ],
    General("cast", lambda x: x.real.astype(np.float32).astype(np.float64) * 0 + x, (A,)),
    General("real", lambda x: np.real(x) + x.real, (A,)),
    General("imag", lambda x: np.imag(x) + x, (A,)),
    General("of_parts", lambda x, y: abs(own("of_parts")(x, y)) ** 2, (A, A + 1.0)),
    General("in_memory", lambda x: own("in_memory")(x, axes=(2, 0, 1)), (C,)),
    # Indexing
    General("index", lambda x: x[1], (A,)),
    General("index", lambda x: x[1:, ::-2], (A,)),
    General("index", lambda x: x[..., 1, None], (C,)),
    General("index", lambda x: x[[0, 2, 0]], (A,)),
    General("index", lambda x: x[np.array([[0, 1], [2, 2]])], (A,)),
    General("index", lambda x: x[np.array([0, 2, 2]), np.array([1, 1, 1])], (A,)),
    General("index", lambda x: x[:, [1, 1], None], (A,)),
    General("index", lambda x: x[MASK], (A,)),
    General("index", lambda x: x[np.array([True, False, True])], (A,)),
    General("index", lambda x: x[-1][2] * x[0, 1], (A,)),
    General("index", lambda x: x[1, [0, 0, 3]], (A,)),
    General("index", lambda x: np.take(x, [1, 1, 2]), (A,)),
    General("index", lambda x: np.take(x, [[1, 5]], axis=1, mode="wrap"), (A,)),
    General("index", lambda x: x.take([-9, 2], axis=0, mode="clip"), (A,)),
    General("index", lambda x: np.take_along_axis(x, np.argsort(x, 1), 1), (A,)),
    General("index", lambda x: x.compress([True, False, True], axis=0), (A,)),
    General("index", lambda x: x[((0, 0, 1), 2)], (A,)),
    General("index", lambda x: x[((0, 0), (1, 1)), :], (A,)),
    General("index", lambda x: np.take_along_axis(x, np.array([[1, 2, 2]]), axis=1), (A,)),
    General("index", lambda x: np.take(x, [True, True, False]), (V,)),
    General("index", lambda x: np.compress([True, False, True], x, axis=0), (A,)),
    General("index", lambda x: np.repeat(x, 2), (A,)),
    General("index", lambda x: np.repeat(x, [1, 0, 2], axis=0), (A,)),
    General("index shared", lambda x: np.sort(x), (A,)),
    General("shared", lambda x: np.sort(x, axis=None), (A,)),
    General("shared", lambda x: np.sort(x, axis=0), (C,)),
    General("tie_average", lambda x: own("tie_average")(x, np.sort(TIES)), (A,)),
    General("index", lambda x: np.diagonal(x), (A,)),
    General("index", lambda x: np.diagonal(x, 1, 0, 2), (C,)),
    General("index", lambda x: np.trace(x, -1), (A,)),
    General("index", lambda x: np.diag(x, 1), (A,)),
    General("scatter", lambda x: np.diag(x, -1), (V,)),
    General("scatter", lambda x: np.diagflat(x), (B,)),
    General("select", lambda x: np.tril(x) + np.triu(x, 1), (C,)),
    General("index_traced", lambda x: own("index_traced")(x, np.array([1, 1]), at=Slot(0)), (A,)),
    General("scatter_traced", lambda x: scatter_at(x, np.array([1, 1, 0, 2])), (V,)),
    General("set_at", lambda z, v: set_at(z, v, (slice(1, None), 1)), (A, V[:2])),
    General("set_at", lambda z, v: set_at(z, v, np.array([2, 0, 2, 0])), (V, W)),
    General("set_at_traced", lambda z, v: set_at_traced(z, v, np.array([2, 0, 2, 0])), (V, W)),
    # Networks
    General("softmax", nn.softmax, (A,)),
    General("softmax", lambda x: nn.softmax(x, axis=(0, 2)), (C,)),
    General("log_softmax", nn.log_softmax, (A,)),
    General("log_softmax", lambda x: nn.log_softmax(x, axis=0), (A,)),
    *[
        General("logsumexp", lambda x, k=k: nn.logsumexp(x, **k), (C,))
        for k in ({}, {"axis": 0}, {"axis": (0, 2), "keepdims": True})
    ],
    General("cross_entropy", lambda x: nn.cross_entropy(x, LABELS), (A,)),
    General("cross_entropy", lambda x: nn.cross_entropy(x, np.int64(2)), (V,)),
    General("nll_loss", lambda x: nn.nll_loss(x, LABELS), (A,)),
    *[General("affine", own("affine"), (x, B, B[0])) for x in (V, A, C)],
    General("named", lambda x: debug.name(x, "y"), (A,)),
    General("roots", np.roots, (np.array([1.0, -0.5, -3.0, 1.0]),)),
    # Contractions
    General("full_convolution", lambda x, y: np.convolve(x, y), (V, W)),
    General("matmul", lambda x, y: x @ y, (A, B)),
    General("matmul", lambda x, y: x @ y, (A, V)),
    General("matmul", lambda x, y: x @ y, (V, B)),
    General("matmul", lambda x, y: x @ y, (V, W)),
    General("matmul", lambda x, y: x @ y, (C, B)),
    General("matmul", lambda x, y: x @ y, (A, draw((2, 4, 3), seed=6))),
    General("matmul", lambda x, y: x @ y, (C, V)),
    General("matmul", lambda x, y: x @ y, (V, draw((2, 4, 3), seed=6))),
    General("matmul", lambda x, y: x @ y, (draw((2, 1, 3, 4)), draw((3, 4, 2), seed=7))),
    General("matmul", lambda x, y: np.dot(x, y), (A, B)),
    General("matmul", lambda x, y: (x + y).dot(y), (V, W)),
    General("matmul", lambda x, y: np.dot(x, y), (C, draw((2, 4, 3), seed=6))),
    General("matmul", lambda x, y: np.dot(x, y), (C, V)),
    General("multiply", lambda x, y: np.dot(x, y), (np.array(2.0), A)),
    General("matmul", lambda x, y: np.inner(x, y), (A, C)),
    General("sum conjugate", lambda x, y: np.vecdot(x, y), (C, A)),
    General("sum", lambda x, y: np.vecdot(x, y, axis=0), (A, A + 1.0)),
    General("matmul", lambda x, y: np.matmul(x, y), (A, V)),
    General("matmul", lambda x, y: np.vdot(x, y), (A, A + 1.0)),
    General("multiply", lambda x, y: np.outer(x, y), (A, V)),
    General("multiply", lambda x: np.dot(x, 2.0) + np.inner(3.0, x), (A,)),
    General("matmul", lambda x: np.tensordot(2.0, x, axes=0), (A,)),
    General("matmul", lambda x, y: np.tensordot(x, y), (C, C[0] + 1.0)),
    General("matmul", lambda x, y: np.tensordot(x, y, axes=([2, 0], [0, 1])), (C, B)),
    General("matmul", lambda x, y: np.tensordot(x, y, axes=0), (V, A)),
    General("matmul", lambda x, y: np.tensordot(x, y, axes=(1, 1)), (A, A + 1.0)),
    *[
        General("einsum", lambda *xs, s=s: np.einsum(s, *xs), xs)
        for s, xs in [
            ("ij,jk->ik", (A, B)),
            ("ij,jk", (A, B)),
            ("ij->ji", (A,)),
            ("ij->", (A,)),
            ("ij->j", (A,)),
            ("ii->i", (draw((3, 3)),)),
            ("ii", (draw((3, 3)),)),
            ("iij->j", (draw((3, 3, 2)),)),
            ("i,i", (V, W)),
            ("i,j->ij", (V, W)),
            ("i,j,ij->j", (V, W, draw((4, 4)))),
            ("...ij,jk->...ik", (C, B)),
            ("i...->...", (C,)),
            ("...i,...i", (C, V)),
            ("ij,kl->il", (A, B)),
            ("ij, ij -> i", (A, A[:, :1])),
        ]
    ],
    General("einsum", lambda x: np.einsum(x, [0, 26]), (A,)),
    General("einsum", lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), (A, B)),
]  # fmt: skip

# Linear algebra

M3 = draw((3, 3), seed=8)
REGULAR = np.diag([1.0, -2.5, 4.0]) + 0.3 * M3  # with real eigenvalues, apart
STACK = np.stack([REGULAR, REGULAR[::-1] - 0.4 * M3])
TALL, WIDE = draw((4, 3), seed=9), draw((2, 3, 4), seed=10)


def definite(x):
    return x @ np.conj(x.mT) + 0.5 * np.eye(x.shape[-2])


def outer_products(u, vh):
    """The products of each left and right vector, which no choice of their signs changes."""
    return np.expand_dims(u.mT, -1) * np.expand_dims(vh, -2)


def projectors(v):
    return outer_products(v, np.conj(v.mT))


def svd_outer_products(x, full_matrices=False):
    u, _, vh = np.linalg.svd(x, full_matrices=full_matrices)
    k = min(x.shape[-2:])
    rest = u[..., k:] if u.shape[-1] > k else np.conj(vh[..., k:, :].mT)
    vectors = outer_products(u[..., :k], vh[..., :k, :])
    return np.sum(vectors * np.arange(1.0, k + 1.0)[:, None, None], -3), rest @ np.conj(rest.mT)


def complement_projector(x):
    """The projector on what the columns of x leave, by the last columns of q."""
    rest = np.linalg.qr(x, mode="complete").Q[..., x.shape[-1] :]
    return rest @ np.conj(rest.mT)


def with_eigen(x):
    """A Hermitian matrix with its eigenvalues and vectors as constants."""
    x = x + np.conj(x.mT)
    return x, *np.linalg.eigh(stop_gradient(x))


def spectral(g, x):
    return PRIMITIVES["spectral"](np.real(g), *with_eigen(x))


def with_svd(x):
    """A matrix with its singular values and vectors as constants."""
    return x, *np.linalg.svd(stop_gradient(x), full_matrices=False)


def singular(g, x):
    return PRIMITIVES["singular"](np.real(g), *with_svd(x))


def eigenvalues(x):
    return PRIMITIVES["parted"](*with_eigen(x))


def over_gaps(x, y):
    return own("over_gaps")(x, y, np.zeros((3, 3), bool), 0.0, name="eigh")


GENERAL += [
    *[General("linalg.det", np.linalg.det, (x,)) for x in (REGULAR, STACK, M3[:2, :2])],
    General("cofactors", lambda x: own("cofactors")(x), (STACK,)),
    General("cofactors_change", lambda x, y: own("cofactors_change")(x, y), (REGULAR, M3)),
    General("slogdet", lambda x: np.linalg.slogdet(x)[1], (STACK,)),
    General("slogdet", lambda x: np.linalg.slogdet(x).sign * x[0, 0, 0], (STACK,)),
    General("linalg.inv", np.linalg.inv, (STACK,)),
    *[
        General("solve", np.linalg.solve, xs)
        for xs in [(REGULAR, TALL[0]), (REGULAR, TALL.T), (STACK, TALL.T), (STACK, TALL[0])]
    ],
    General("solve", np.linalg.solve, (REGULAR, np.stack([TALL.T, TALL.T + M3[:, :1]]))),
    *[General("pinv", np.linalg.pinv, (x,)) for x in (TALL, WIDE, REGULAR)],
    General("pinv", lambda x: np.linalg.pinv(x, rcond=1e-10, hermitian=True), (REGULAR,)),
    General("pinv svd", lambda x: np.linalg.pinv(x, rcond=0.5), (REGULAR,)),
    *[
        General("pinv of_full_rank", lambda x, y: np.linalg.lstsq(x, y)[0], xs)
        for xs in [(TALL, TALL[:, 0] + 1.0), (TALL, TALL + 1.0), (TALL.T, TALL[:3, :2])]
    ],
    General("pinv", lambda x, y: np.linalg.lstsq(x, y)[1], (TALL, TALL + draw((4, 3)))),
    General("svdvals", lambda x: np.linalg.lstsq(x, TALL[:, 0])[3], (TALL,)),
    General("solve", np.linalg.tensorsolve, (REGULAR.reshape(3, 1, 3), M3[:, :1])),
    General("solve", lambda x, y: np.linalg.tensorsolve(x, y, axes=(0,)), (REGULAR, TALL[0])),
    General("linalg.inv", lambda x: np.linalg.tensorinv(x), (draw((2, 3, 6)),)),
    *[General("matmul", lambda x, n=n: np.linalg.matrix_power(x, n), (STACK,)) for n in (2, 3, 6)],
    General("linalg.inv", lambda x: np.linalg.matrix_power(x, -3), (STACK,)),
    General("matmul", lambda x: np.linalg.matrix_power(x, 0) + x @ x, (STACK,)),
    General("cholesky", lambda x: np.linalg.cholesky(definite(x)), (WIDE,)),
    General("cholesky", lambda x: np.linalg.cholesky(x + 9.0 * np.eye(3)), (M3,)),
    *[General("qr", lambda x, i=i: np.linalg.qr(x)[i], (TALL,)) for i in (0, 1)],
    *[General("qr", lambda x, i=i: np.linalg.qr(x)[i], (WIDE,)) for i in (0, 1)],
    General("qr", lambda x: np.linalg.qr(x, mode="r"), (TALL,)),
    General("qr", lambda x: np.linalg.qr(x, mode="complete").Q, (WIDE,)),
    General("qr", lambda x: np.linalg.qr(x, mode="complete").R, (TALL,)),
    General("qr complement", complement_projector, (TALL,)),
    General("qr complement", complement_projector, (np.stack([TALL, TALL[::-1]]),)),
    *[General("eigh", lambda x, k=k: np.linalg.eigh(x, k).eigenvalues, (STACK,)) for k in "LU"],
    *[
        General("eigh", lambda x, k=k: projectors(np.linalg.eigh(x, k).eigenvectors), (STACK,))
        for k in "LU"
    ],
    *[General("eigvalsh", lambda x, k=k: np.linalg.eigvalsh(x, k), (STACK,)) for k in "LU"],
    General("eig", lambda x: np.linalg.eig(x).eigenvalues, (REGULAR,)),
    General("eig", lambda x: np.abs(np.linalg.eig(x).eigenvectors) ** 2, (REGULAR,)),
    General("eig", lambda x: projectors(np.linalg.eig(x)[1]), (STACK[:1],)),
    General("eigvals", lambda x: np.linalg.eigvals(x), (REGULAR,)),
    *[General("svdvals", np.linalg.svdvals, (x,)) for x in (TALL, WIDE, STACK)],
    *[
        General("svd", lambda x, k=k: np.linalg.svd(x, full_matrices=k).S, (x,))
        for k in (True, False)
        for x in (TALL, WIDE, STACK)
    ],
    *[
        General("svd", lambda x, i=i, k=k: svd_outer_products(x, k)[i], (x,))
        for i, k in ((0, True), (0, False), (1, True))
        for x in (TALL, WIDE, STACK)
        if i == 0 or x is not STACK
    ],
    General("eigh", lambda x: np.linalg.svd(x, hermitian=True)[1], (STACK,)),
    General("eigvalsh", lambda x: np.linalg.svd(x, False, False, hermitian=True), (STACK,)),
    General("eigh", lambda x: np.matmul(*np.linalg.svd(x, hermitian=True)[::2]), (STACK,)),
    General("over_gaps", over_gaps, (STACK, draw((1, 3)))),
    General("tied_mean", lambda x: own("tied_mean")(x, np.arange(4.0), name="eigh"), (A,)),
    General("spectral", spectral, (V[:3], REGULAR)),
    General("spectral", spectral, (A[:2, :3], STACK)),
    General("parted", eigenvalues, (STACK,)),
    *[General("singular", singular, (V[:3], x)) for x in (REGULAR, TALL, TALL.T)],
    General("parted_singular", lambda x: PRIMITIVES["parted_singular"](*with_svd(x)), (WIDE,)),
    General("parting", lambda x: own("parting")(x, np.zeros((3, 3), bool)) @ x, (STACK,)),
    General("unmixed", lambda x: own("unmixed")(x, np.zeros((3, 3), bool), name="eig"), (STACK,)),
    *[
        General(name, lambda x, k=k: np.linalg.norm(x, **k), (x,))
        for name, x, k in [
            *[("vector_norm", x, {}) for x in (A, V, C)],
            ("vector_norm", A, {"ord": "fro", "keepdims": True}),
            ("vector_norm", C, {"axis": (0, 2)}),
            *[("vector_norm", V, {"ord": p}) for p in (2, 3, 0.5, -1.5)],
            *[("absolute sum", x, {"ord": 1}) for x in (V, A)],
            *[("absolute max", x, {"ord": np.inf}) for x in (V, A)],
            *[("absolute min", x, {"ord": -np.inf}) for x in (V, A)],
            ("absolute min", A, {"ord": -1}),
            *[("svdvals", A, {"ord": p}) for p in (2, -2, "nuc")],
            ("svdvals", C, {"ord": "nuc", "axis": (2, 0), "keepdims": True}),
            ("absolute", C, {"ord": 1, "axis": (-1, 0)}),
            ("vector_norm", C, {"ord": 3, "axis": 1, "keepdims": True}),
        ]
    ],
    General("multiply", lambda x: np.linalg.norm(x, 0) * x, (V,)),
    General("vector_norm", lambda x: np.linalg.vector_norm(x, axis=(0, 1), ord=3), (C,)),
    General("absolute", lambda x: np.linalg.vector_norm(x, ord=np.inf, keepdims=True), (C,)),
    General("vector_norm", lambda x: np.linalg.matrix_norm(x, keepdims=True), (C,)),
    General("svdvals", lambda x: np.linalg.matrix_norm(x, ord="nuc"), (C,)),
    *[General("svdvals", lambda x, p=p: cond(x, p), (STACK,)) for p in (None, 2, -2)],
    *[
        General("inverse_or_inf", lambda x, p=p: cond(x, p), (STACK,))
        for p in ("fro", 1, -1, np.inf, -np.inf)
    ],
    General("svdvals", lambda x: cond(x, "nuc"), (REGULAR,)),
    General("einsum", lambda x, y, z: np.linalg.multi_dot([x, y, z]), (V, A.T, TALL.T)),
    General("einsum", lambda x, y: np.linalg.multi_dot([x, y, W]), (B.T, draw((4, 4)))),
    General("multiply", np.cross, (TALL, M3[0])),
    General("multiply", lambda x, y: np.cross(x, y, axisa=0, axisc=0), (A, TALL)),
    General("multiply", lambda x, y: np.linalg.cross(x, y, axis=0), (A, A + draw((3, 4), seed=2))),
    General("multiply", np.linalg.outer, (V, W)),
    General("matmul", np.linalg.matmul, (A, B)),
    General("matmul", lambda x, y: np.linalg.tensordot(x, y, axes=1), (A, B)),
    General("sum", lambda x, y: np.linalg.vecdot(x, y, axis=0), (A, A + 1.0)),
    General("matrix_transpose", np.linalg.matrix_transpose, (C,)),
    General("index", lambda x: np.linalg.diagonal(x, offset=1), (C,)),
    General("sum", lambda x: np.linalg.trace(x, offset=-1), (C,)),
]

# Fourier transforms: of axes as they are, cut, and filled with zeros, to both parities.


def parts(y):
    return np.stack([np.real(y), np.imag(y)])


def _transforms(*names, keywords):
    """Rows for the functions of one axis, and of several axes, of np.fft."""
    return [
        General(names, lambda x, f=f, k=k: parts(getattr(np.fft, f)(x, **k)), (C,))
        for names, f in (name.split(":") for name in names)
        for k in keywords
    ]


ONE_AXIS = [
    {},
    {"n": 5, "axis": 0},
    *[{"n": n} for n in (2, 5, 6)],
    {"axis": 1},
    *[{"norm": norm, "n": 3} for norm in ("ortho", "forward")],
]
TWO_AXES = [
    {},
    {"s": (3, 5), "axes": (2, 0)},
    {"s": (-1, 4), "axes": (1, 2)},
    {"axes": (1, -1), "norm": "ortho"},
]
GENERAL += [
    *_transforms("fft.fft:fft", "fft.ifft:ifft", "fft.rfft:rfft", keywords=ONE_AXIS),
    *_transforms("fft.irfft:irfft", "fft.hfft:hfft", "fft.ihfft:ihfft", keywords=ONE_AXIS),
    *_transforms("fft.fft:fft2", "fft.ifft:ifft2", "fft.rfft:rfft2", keywords=TWO_AXES),
    *_transforms("fft.irfft:irfft2", keywords=TWO_AXES),
    *_transforms("fft.fft:fftn", "fft.ifft:ifftn", "fft.rfft:rfftn", keywords=TWO_AXES[:3]),
    *_transforms("fft.irfft:irfftn", keywords=TWO_AXES[:3]),
    General("roll", lambda x: np.fft.fftshift(x), (C,)),
    General("roll", lambda x: np.fft.ifftshift(x, axes=(0, -1)), (C,)),
    General("roll", lambda x: np.fft.fftshift(x, axes=2), (C,)),
]

CONSTANT = [
    *[
        (name, getattr(np, name), (A,))
        for name in """floor ceil trunc rint sign signbit spacing isnan isfinite isinf logical_not
        round argmax argmin argsort nonzero flatnonzero argwhere count_nonzero any all isreal
        iscomplex isposinf isneginf""".split()
    ],
    *[
        (name, getattr(np, name), (A, A[:, ::-1] + 4.0))
        for name in """less less_equal greater greater_equal equal not_equal floor_divide
        logical_and logical_or logical_xor isclose""".split()
    ],
    *[
        (name, lambda x, name=name: getattr(np, name)(x > 0, x > 1), (A,))
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    ],
    ("argpartition", lambda x: np.argpartition(x, 2), (V,)),
    ("searchsorted", lambda x: np.searchsorted(x, 0.5), (np.sort(V),)),
    ("digitize", lambda x: np.digitize(x, [-1.0, 0.0, 1.0]), (V,)),
    ("linalg.matrix_rank", np.linalg.matrix_rank, (C,)),
    ("linalg.matrix_rank", lambda x: np.linalg.matrix_rank(x, tol=1e-3), (V,)),
    ("isin", np.isin, (A, V)),
    ("lexsort", lambda x: np.lexsort((x[0], x[1])), (A,)),
    ("unique_places", lambda x: np.unique(x, return_index=True)[1], (A,)),
    ("common_places", lambda x: np.intersect1d(x, x[:2], return_indices=True)[1], (V,)),
    ("nanargmax", np.nanargmax, (A,)),
    ("nanargmin", lambda x: np.nanargmin(x, axis=1), (A,)),
    ("bin_count", lambda x: own("bin_count")(x, bins="auto", range=None), (A,)),
    ("exponent", lambda x: np.frexp(x)[1], (A,)),
    ("to_integers", lambda x: x.astype(int), (A,)),
    ("stop_gradient", lambda x: own("stop_gradient")(x), (A,)),
]

#: Calls that are for complex arguments alone.
COMPLEX = [
    General("cast", lambda x: x.astype(np.complex64).astype(np.complex128) * 0 + x, (A,)),
    General("cast", lambda x: x.real.astype(complex) * x, (A,)),
    General("power", lambda x: np.float_power(x, 2.5), (A,)),
    General("imag real", np.angle, (A,)),
    General("imag real", lambda x: np.angle(x, deg=True), (A,)),
    General("unit absolute", np.sign, (A,)),
    General("conjugate matmul", lambda x: x.conj() @ x.T, (A,)),
    General("power", lambda x: x ** (1.5 - 0.5j), (A,)),
    General("power", lambda x: (-2.0) ** x, (A,)),
    *[
        General(f"fft.{f}", lambda x, f=f, k=k: getattr(np.fft, f)(x, **k), (C,))
        for f in ("fft", "ifft")
        for k in ONE_AXIS
    ],
    General("eig", lambda x: np.linalg.eig(x).eigenvalues, (draw((2, 3, 3)),)),
    General("real", lambda x: np.mean(np.abs(x) ** 2 + (x * np.conj(x)).real), (A,)),
]

#: Integer operations, which no float tracer can reach.
INTEGER_ONLY = {
    *("one_hot", "left_shift", "right_shift", "invert"),
    *("words", "uniform", "normal", "randint"),
}

#: What has no complex form: a TypeError.
REAL_ONLY = {
    *"cbrt fabs hypot arctan2 logaddexp logaddexp2 remainder fmod heaviside copysign".split(),
    *"ldexp deg2rad radians rad2deg degrees floor ceil trunc floor_divide signbit".split(),
    *"spacing isposinf isneginf digitize exponent i0 bin_count nextafter".split(),
    *"relu sigmoid softmax log_softmax logsumexp cross_entropy".split(),
    *("fft.rfft", "fft.ihfft"),
}
#: Parts of the derivatives of these.
REAL_HELPERS = {"softmax_of_two", "over_square", "gate", "i0_derivative", "of_parts"}
