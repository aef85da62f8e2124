"""What shares memory in NumPy shares it on traced values: every name sees what any of them writes.

Each program runs on plain arrays too, where it is NumPy's own; that run is what is expected.
"""

import numpy as np
import pytest

import funcgrad as fg

X = np.array([[0.4, -1.2, 0.7], [1.1, 0.3, -0.6], [0.2, 0.5, 0.8]])
WEIGHTS = 1.0 + np.arange(9.0).reshape(3, 3)

BIRTHS = {
    "an argument": lambda x: x,
    "a result": lambda x: 1.5 * x,
    "a transposed result": lambda x: (1.5 * x).T,
    "a copy": lambda x: x.copy(),
}
#: Of an array m something that is a view of it, or a copy, as NumPy has it. Older releases have no
#: np.unstack, and refuse np.clip without bounds.
PARTS = """m  m[0]  m[:,1:]  m[::-1,::2]  m[None]  m[...]  m[[0,1]]  m.T[1:][::-1]  m[0][1:]
m.T  m.mT  m.ravel()  m.reshape(-1)  m.T.reshape(9)  m.flatten()  m.flat[::4]  m.copy()  m.view()
m.astype(float)  m.astype(float,copy=False)  m.real  m.conj()  m.diagonal()*1  m.squeeze()  +m
m.swapaxes(0,1)  np.transpose(m)  np.moveaxis(m,0,1)  np.rollaxis(m,1)  np.expand_dims(m,1)
np.flip(m)  np.flipud(m)  np.rot90(m,0)  np.rot90(m)  np.rot90(m,2)  np.split(m,3)[1]
np.hsplit(m,3)[1]  np.array_split(m,2)[0]  np.unstack(m)[1]  np.atleast_3d(m)  np.real(m)
np.take(m,1,axis=0)  np.take_along_axis(m,np.argsort(m),1)  np.tile(m,1)  np.repeat(m,1,axis=0)
np.nan_to_num(m)  np.nan_to_num(m,copy=False)  np.clip(m,None,9)  np.where(True,m,0)
np.choose(0,[m])  np.clip(m,None,None)  np.block(m)  np.array(m,copy=None,like=m)
np.concatenate([m])  np.stack([m])[0]  np.block([[m]])  np.roll(m,0)
np.meshgrid(m[0],m[1])[0]  np.sort(m)  np.tril(m,5)  np.resize(m,(3,3))  np.sum(m,axis=())
np.linalg.matrix_transpose(m)  np.linalg.matrix_power(m,1)  np.array(m,like=m)
np.asarray(m,like=m)  np.logaddexp.reduce(m[:1],keepdims=True)  np.subtract.reduce(m[:1])[None]
np.fmax.accumulate(m[:1])  np.subtract.accumulate(m[:1])  np.fmin.reduceat(m,[0,1,2])
np.diff(m,n=0)  np.diff(m,append=m[:,:1])""".split()
#: Views that NumPy, or funcgrad, does not let write: they see what is written to m.
READ_ONLY = """np.diag(m)  m.diagonal(1)  np.broadcast_to(m,(2,3,3))  np.einsum('ij->ji',m)
np.einsum('ii->i',m)  np.lib.stride_tricks.sliding_window_view(m,2,axis=0)""".split()


def written(birth, part, to_part):
    """A program that writes to an array or to a part of it, and looks at both."""

    def program(x):
        m = birth(x)
        v = part(m)
        if to_part:
            v *= 2.0
            v[..., 0] = x[1, 1]
        else:
            m[1] += 1.0
            m[...] = m * 0.5
        return np.sum(np.sin(m) * WEIGHTS) + 3.0 * np.sum(np.cos(v))

    return program


def is_known(text):
    if text == "np.unstack(m)[1]":
        return hasattr(np, "unstack")
    return text != "np.clip(m,None,None)" or np.lib.NumpyVersion(np.__version__) >= "2.1.0"


def parts(texts):
    texts = list(filter(is_known, texts))
    return pytest.mark.parametrize("part", [eval(f"lambda m: {t}") for t in texts], ids=texts)


def check(program):
    want = program(X.copy())
    before = X.copy()
    np.testing.assert_allclose(fg.vjp(program, X)[0], want)
    np.testing.assert_allclose(fg.jvp(program, (X,), (X,))[0], want)
    np.testing.assert_allclose(fg.vmap(program)(np.stack([X, X])), [want, want])
    np.testing.assert_array_equal(X, before)
    fg.check_grads(lambda x: program(1.0 * x), (X,), order=1, modes=("rev", "fwd"))


@pytest.mark.parametrize("birth", BIRTHS.values(), ids=BIRTHS.keys())
@pytest.mark.parametrize("to_part", [True, False], ids=["to the part", "to the whole"])
@parts(PARTS)
def test_a_write_is_seen_where_numpy_shows_it(birth, part, to_part):
    check(written(birth, part, to_part))


@pytest.mark.parametrize("birth", BIRTHS.values(), ids=BIRTHS.keys())
@parts(READ_ONLY)
def test_a_view_that_does_not_write_sees_writes(birth, part):
    check(written(birth, part, to_part=False))
    with pytest.raises(TypeError, match="read-only"):
        fg.grad(written(birth, part, to_part=True))(X)


#: New arrays, whose order in memory tells whether a reshape of them is a view.
NEW = """np.array(m.T,like=m)  np.array(m,order='F',like=m)  np.asarray(m,order='F',like=m)
np.array(m,ndmin=3,like=m)[0]  np.full_like(m.T,2.0)  np.full((3,3),2.0,order='F',like=m)
np.zeros_like(m.T)  np.zeros((3,3),order='F',like=m)  np.copy(m.T)  m.T.copy()
m.astype(float,order='F')""".split()


@parts(NEW)
def test_a_new_array_is_laid_out_as_numpy_has_it(part):
    def program(x):
        z = part(1.5 * x)
        flat = z.ravel()
        flat[1:3] = x[0, 1] * x[0, 0]
        return np.sum(np.sin(z) * WEIGHTS) + np.sum(np.cos(flat))

    check(program)


def normalized_rows(x):
    m = np.outer(x[0], x[1])
    for row in m:
        row /= np.sum(row)
    return m


def accumulated(x):
    total = alias = np.sin(x)
    for k in range(3):
        total += x[k] * total
    return total * alias


def disjoint_columns(x):
    p = np.exp(x)
    a, b = p[:, 0], p[:, 1]
    a -= a.mean()
    b *= a
    return p


def regularized(x):
    k = np.exp(-((x[:, None] - x[None]) ** 2).sum(-1))
    k[np.diag_indices(3)] += 0.1
    k.flat[::4] *= 1.5
    np.fill_diagonal(k[::-1], x[0])
    return np.linalg.inv(k)


def masked(x):
    y = 2.0 * x
    y[y < 0.5] = 0.0
    y[0] = x[1] * y[2]
    np.add.at(y, [0, 0], x[2])
    y.sort(axis=1)
    return y


def a_view_of_a_view_that_is_gone(x):
    y = np.cos(x)
    row = y.T.reshape(3, 3)[1]
    row += x[2]
    return y


def a_row_that_outlives_its_array(x):
    row = np.cos(x)[1]
    row *= 2.0
    row[1:] = row[:-1]
    return row


def a_helper_that_writes_to_what_it_gets(x):
    def center(a):
        a -= a.mean()

    y = x * x
    center(y)
    center(y[0])
    return y


def swapped(x):
    y = 1.0 * x
    y[0], y[1] = y[1], y[0].copy()
    return y


PROGRAMS = [
    normalized_rows,
    accumulated,
    disjoint_columns,
    regularized,
    masked,
    a_view_of_a_view_that_is_gone,
    a_row_that_outlives_its_array,
    a_helper_that_writes_to_what_it_gets,
    swapped,
]


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_programs(f):
    def program(x):
        y = f(x)
        return np.sum(np.sin(y) * (1.0 + np.arange(y.size).reshape(y.shape)))

    if f is not masked:  # whose mask is not known under vmap
        np.testing.assert_allclose(fg.vmap(program)(np.stack([X, X])), [program(X)] * 2)
    np.testing.assert_allclose(fg.vjp(program, X)[0], program(X))
    np.testing.assert_allclose(fg.make_graph(program)(X)(X * 0.99), program(X * 0.99))
    fg.check_grads(program, (X,), order=2)
    nested = fg.grad(lambda x: np.sum(fg.jvp(fg.grad(program), (x,), (X,))[1]))(X)
    again = fg.checkpoint(program)
    np.testing.assert_allclose(fg.grad(again)(X), fg.grad(program)(X))
    apart = fg.grad(lambda x: np.sum(fg.jvp(fg.grad(again), (x,), (X,))[1]))(X)
    np.testing.assert_allclose(apart, nested)


# What a transform takes and gives is nobody else's.


def test_an_argument_that_is_written_to_stays_what_it_is_outside():
    def inner(y):
        y *= y
        y[0] = 0.0
        return np.sum(y)

    def f(x):
        y = np.sin(x)
        d = fg.grad(inner)(y)
        mapped = fg.vmap(inner)(y)
        again = fg.checkpoint(inner)(y)
        _, moved = fg.jvp(inner, (y,), (y,))
        return np.sum(d * y) + np.sum(mapped) + again + moved

    def g(x):
        y = np.sin(x)
        rows = y[:, 1:] ** 2
        return 4.0 * np.sum(y[1:] ** 2) + np.sum(rows) + np.sum(y[1:] ** 2)

    np.testing.assert_allclose(fg.grad(f)(X), fg.grad(g)(X))
    fg.check_grads(f, (X,), order=2)


@pytest.mark.parametrize("leaf", [0, 1], ids=["the result", "the cotangent"])
def test_results_are_written_to_while_a_pullback_lives(leaf):
    def f(x):
        out, pullback = fg.vjp(lambda y: np.exp(1.0 * y), x)
        seed = 1.0 * x
        (first,) = pullback(seed)
        for written in (out, first, seed) if leaf == 0 else (seed, first):
            written *= 0.0
        (second,) = pullback(x)
        return np.sum(second)

    np.testing.assert_allclose(fg.grad(f)(X), np.exp(X) * (1.0 + X))


def test_what_an_inner_transform_closed_over_is_written_to_later():
    def f(x):
        scale = np.exp(x)
        _, pullback = fg.vjp(lambda y: y * scale, x)
        _, push = fg.linearize(lambda y: y * scale, x)
        graph = fg.make_graph(lambda y: y * scale)(x)
        scale *= 0.0
        return np.sum(pullback(x)[0]) + np.sum(push(x)) + np.sum(graph(x)) + np.sum(scale)

    np.testing.assert_allclose(fg.grad(f)(X), 3.0 * np.exp(X) * (1.0 + X))


def test_the_body_of_a_loop_writes_to_its_carry():
    def body(c):
        c *= 0.5
        c[0] += 0.5
        return c

    def f(x):
        y = np.exp(x)
        last = fg.while_loop(lambda c: np.sum(c) > 5.0, body, y)
        steps = fg.scan(lambda c, row: (body(c), c * row), y[0], x)[1]
        return np.sum(last * y) + np.sum(steps)

    for x in (X, X + 1.0):
        np.testing.assert_allclose(fg.vjp(f, x)[0], f(x))
    stack = np.stack([X, X + 1.0, X - 1.0])
    each = np.stack([fg.grad(f)(x) for x in stack])
    np.testing.assert_allclose(fg.vmap(fg.grad(f))(stack), each)


def test_a_branch_writes_to_its_operand():
    """Of a vmap both branches run, and neither sees what the other writes."""

    def doubled(y):
        y *= 2.0
        return np.sum(y)

    def f(x):
        chosen = fg.cond(x[0, 0] > 0, doubled, np.sum, x)
        return chosen + fg.switch((x[0, 0] < 0).astype(int), [doubled, np.sum], x) + x[0, 1]

    stack = np.stack([X, X - 1.0])
    np.testing.assert_allclose(fg.vmap(f)(stack), [f(x) for x in stack])
    np.testing.assert_allclose(fg.vmap(fg.grad(f))(stack), [fg.grad(f)(x) for x in stack])


def test_a_rule_of_ones_own_writes_to_what_it_gets():
    @fg.custom_vjp
    def f(x):
        y = np.copy(x)
        y *= y
        return y

    def forward(x):
        y = 1.0 * x
        y *= x
        return y, (x, y)

    def backward(residuals, g):
        x, _ = residuals
        g = 2.0 * g
        g *= x
        return (g,)

    f.defvjp(forward, backward)
    twice = fg.grad(lambda x: np.sum(fg.grad(lambda x: np.sum(f(x) * f(x)))(x)))(X)
    np.testing.assert_allclose(twice, 12.0 * X**2)


def test_a_checkpoint_reads_what_is_written_to_later():
    def f(x):
        y = 2.0 * x
        z = fg.checkpoint(lambda x: x * y)(x)
        y += 1.0
        return np.sum(z * y)

    with pytest.raises((RuntimeError, TypeError), match="checkpoint"):
        fg.grad(f)(X)


def test_numbers_are_not_shared():
    def f(x):
        total = first = x[0]
        for v in x[1:]:
            total += v * v
        return total * first

    x = X[0]
    np.testing.assert_allclose(fg.vjp(f, x)[0], f(x))
    fg.check_grads(f, (x,), order=2)


def test_a_write_has_numpys_dtype_and_shape():
    def f(x):
        y = 2 * x
        y *= np.float64(3.0)
        y += np.arange(3)
        return y

    x = X.astype(np.float32)
    assert fg.vjp(f, x)[0].dtype == f(x).dtype == np.float32
    with pytest.raises(TypeError, match=r"z \*= v.*complex"):
        fg.grad(lambda x: np.sum((1.0 * x).__imul__(1j)))(X)
    with pytest.raises(ValueError, match=r"z \+= v.*shape"):
        fg.grad(lambda x: np.sum((1.0 * x[0]).__iadd__(X)))(X)


def test_views_that_are_gone_are_forgotten():
    def f(x):
        m = 1.0 * x
        for _ in range(5000):
            m[0]
        assert len(m.views) < 100
        m[0] = 0.0
        return np.sum(m)

    np.testing.assert_allclose(fg.jvp(f, (X,), (X,))[1], np.sum(X[1:]))


# Where it is harder to tell.


def largest_row(x):
    row = x[np.argmax(x[:, 0])]
    row *= 2.0
    x[np.argmin(x[:, 0])][1] = x[0, 0]
    return np.sum(np.sin(x) * WEIGHTS)


def test_an_index_that_is_traced_makes_a_view_too():
    want = largest_row(X.copy())
    np.testing.assert_allclose(fg.vmap(largest_row)(np.stack([X, X])), [want, want])
    np.testing.assert_allclose(fg.make_graph(largest_row)(X)(X), want)
    fg.check_grads(lambda x: largest_row(1.0 * x), (X,), order=2)

    def f(i, a):
        a[i][0] = 9.0
        return a[:, 0]

    mapped = fg.vmap(f)(np.array([0, 2]), np.zeros((2, 3, 3)))
    np.testing.assert_array_equal(mapped, [[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]])


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[0, 0, ...],
        lambda x: x[0, :1].squeeze(),
        lambda x: x[:1, 0].reshape(()),
        lambda x: x[0, 0, ...].real,
    ],
)
def test_a_view_of_one_element_under_vmap(view):
    def f(x):
        y = view(x)
        y *= 2.0
        return x[0, 0]

    np.testing.assert_allclose(fg.vmap(f)(np.stack([X, X])), [0.8, 0.8])


@pytest.mark.parametrize("first", ["to the part", "to the whole"])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: np.take(x, [0, 1], axis=1),
        lambda x: np.sort(x, axis=0),
        lambda x: np.gradient(x)[0],
    ],
    ids=["take", "sort", "gradient"],
)
def test_a_reshape_is_the_view_that_it_is_for_numpy(make, first):
    """NumPy's own results have their elements in C's order, and then the reshape is a view."""

    def f(x):
        y = make(x)
        flat = y.reshape(-1)
        if first == "to the part":
            flat[:2] = 0.0
        else:
            y[0] = 0.0
        return np.sum(y) + np.sum(flat)

    np.testing.assert_allclose(fg.vjp(f, X)[0], f(X))


def test_a_reshape_of_which_it_is_not_known_whether_it_is_a_view():
    def f(x):
        y = np.sin(x)
        y.reshape(-1)[0] = 0.0
        return y

    with pytest.raises(TypeError, match=r"reshaped.*np\.copy\(z\)"):
        fg.vmap(f, in_axes=-1)(np.stack([X, X], axis=-1))


def test_a_long_chain_of_views():
    def f(x):
        x *= 2.0
        rest = x
        for _ in range(1500):
            rest = rest[::-1]
        rest[0] = rest[1] * 3.0
        return x[0]

    np.testing.assert_allclose(fg.grad(f)(np.ones(3)), [0.0, 6.0, 0.0])


def test_what_is_made_of_zeros_can_hold_traced_values():
    def f(x):
        z = np.zeros_like(x) + 1.0
        z += x
        w = np.sqrt(np.ones_like(x)) * 2.0
        w[0] = z[1]
        return np.sum(w * z)

    np.testing.assert_allclose(fg.vjp(f, X)[0], f(X))
    fg.check_grads(f, (X,), order=2)


def test_the_result_of_a_checkpoint_is_written_to():
    def f(x, layer):
        y = layer(x)
        y += 1.0
        y[0] *= y[1]
        return np.sum(y * y)

    def turned(a):
        return np.sin(a)[::-1].T

    wrapped = fg.checkpoint(turned)
    np.testing.assert_allclose(fg.grad(f)(X, wrapped), fg.grad(f)(X, turned))


@pytest.mark.parametrize("size", [None, 1])
def test_vmap_does_not_write_to_what_all_examples_share(size):
    def f(a, b):
        b *= 2.0
        return np.sum(a) + np.sum(b)

    with pytest.raises(ValueError, match="read-only"):
        fg.vmap(f, (0, None), chunk_size=size)(X, np.ones(2))
    mapped = fg.grad(lambda b: np.sum(fg.vmap(f, (0, None), chunk_size=size)(X, b)))
    np.testing.assert_array_equal(mapped(np.ones(2)), [6.0, 6.0])


def test_the_results_of_a_graph_are_not_its_arguments():
    graph = fg.make_graph(lambda a: (a, a[0], a * 2.0))(X)
    other = X.copy()
    for leaf in graph(other):
        leaf[...] = 0.0
    np.testing.assert_array_equal(other, X)


def test_flat_is_written_to_over_and_over_again():
    def f(x):
        y = 1.0 * x.T
        y.flat = [x[0, 0], 2.0]
        y.flat[::4] += x[1]
        return np.sum(y * WEIGHTS)

    np.testing.assert_allclose(fg.vjp(f, X)[0], f(X))
    fg.check_grads(f, (X,), order=1)


def test_functions_take_flat_wherever_they_take_an_array():
    def f(x):
        joined = np.concatenate([x.flat, x.T.flat])
        return np.dot(joined, np.arange(18.0)) * np.sum(a=x.flat)

    np.testing.assert_allclose(fg.vjp(f, X)[0], f(X))
    fg.check_grads(f, (X,), order=2)
