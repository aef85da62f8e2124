"""Code that fills arrays: on traced values it does what NumPy does, and is differentiated.

Each program runs on plain arrays too, where it is NumPy's own; that run is what is expected.
"""

import copy

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, jvp, vjp, vmap

X = np.array([[0.4, -1.2, 0.7], [1.1, 0.3, -0.6]])
MASK = np.array([[True, False, True], [False, True, False]])


def filled(write):
    """A program that writes to an array of zeros like its argument."""

    def program(x):
        z = np.zeros_like(x)
        z += 0.5
        write(z, x)
        return z

    return program


def places(z, x):
    for i in range(2):
        for j in range(3):
            z[i, j] = np.sin(x[i, j]) * x[1, 2]


def recurrence(z, x):
    z[0] = x[0]
    for k in range(1, 6):
        z[k // 3, k % 3] = np.tanh(z[(k - 1) // 3, (k - 1) % 3] + x[k // 3, k % 3])


def rows(z, x):
    for row, values in zip(z, x):
        row[:] = values * values


def assign(at, value):
    def write(z, x):
        z[at] = value(x)

    return write


def update(at, value):
    def write(z, x):
        z[at] += value(x)
        z[at] *= value(x)

    return write


def through_a_view(view):
    def write(z, x):
        before = view(z)
        z[0, 1] = x[1, 1]
        part = view(z)
        part[...] = before * x[0, 0] + part
        part[0] = x[0, 2]
        z[1] += x[1]
        z *= before.sum() + part.mean()

    return write


def calls(z, x):
    np.copyto(z, x * x, where=MASK)
    np.put(z, [0, -1, 4], x[0])
    np.place(z, ~MASK, [x[0, 0], x[1, 1]])
    np.putmask(z, MASK, x[0] * x[1])
    np.put_along_axis(z, np.array([[1], [2]]), x[:, :1], axis=1)
    np.fill_diagonal(z, x[1, :2])


def ufuncs(z, x):
    np.sin(x, out=z)
    np.multiply(z, x, out=z, where=MASK)
    np.add.at(z, ([0, 0, 1], [1, 1, 2]), x[0])
    np.subtract.at(z, 0, x[1])
    np.multiply.at(z, ([1, 1], [0, 0]), x[0, :2])
    np.maximum.at(z, (slice(None), 2), x[:, 0])


def methods(z, x):
    z[0] = x[1]
    z.sort(axis=0)
    z[1].sort()
    z[0].fill(x[0, 0])
    z.put([1, 2], x[1, :2])
    z.flat[4] = x[1, 1]


def operators(z, x):
    z += x
    z -= 0.25
    z *= x
    z /= 2.0
    z **= 2
    alias = z
    alias += x[0]


WRITES = {
    "places": places,
    "recurrence": recurrence,
    "rows": rows,
    "z[1]": assign(1, lambda x: x[0]),
    "z[-1, :]": assign((-1, slice(None)), lambda x: x[0] * 2),
    "z[:, 1:]": assign((slice(None), slice(1, None)), lambda x: x[:, :2]),
    "z[::-1, 0]": assign((slice(None, None, -1), 0), lambda x: x[:, 1]),
    "z[...]": assign(..., lambda x: x[0]),
    "z[None]": assign(None, lambda x: x * x),
    "z[mask]": assign(MASK, lambda x: x[0]),
    "z[list]": assign([1, 0], lambda x: x * x),
    "z[twice the same]": assign(([0, 1, 0], [2, 0, 2]), lambda x: x[1]),
    "a number": assign((slice(None), 0), lambda x: 2.0),
    "a list": assign(0, lambda x: [x[0, 0], 1.0, x[1, 1]]),
    "z[0] +=": update(0, lambda x: x[1]),
    "z[0, 1] +=": update((0, 1), lambda x: x[1, 0]),
    "z[:, 1:] +=": update((slice(None), slice(1, None)), lambda x: x[:, :2]),
    "z[mask] +=": update(MASK, lambda x: x[1]),
    "z[list] +=": update(([0, 1], [2, 2]), lambda x: x[:, 0]),
    "functions": calls,
    "ufuncs": ufuncs,
    "methods": methods,
    "operators": operators,
}
VIEWS = {
    "row": lambda z: z[1],
    "column": lambda z: z[:, 1],
    "step": lambda z: z[::-1, ::2],
    "0-d": lambda z: z[:1, 1, ...],
    "T": lambda z: z.T,
    "of a view": lambda z: z.T[1:][::-1],
    "ravel": lambda z: z.ravel(),
    "reshape": lambda z: z.reshape(3, 2),
    "new axis": lambda z: np.expand_dims(z, 1),
    "flip": lambda z: np.flip(z, 1),
    "swapaxes": lambda z: np.moveaxis(np.swapaxes(z, 0, 1), 0, 1),
    "split": lambda z: np.split(z, [1])[1],
    "rot90": lambda z: np.rot90(z, 2),
    "atleast": lambda z: np.atleast_1d(z),
    # These are copies, as NumPy's are.
    "copy": lambda z: z.copy(),
    "flatten": lambda z: z.flatten(),
    "list": lambda z: z[[1, 0]],
    "mask": lambda z: z[MASK],
    "T ravelled": lambda z: z.T.ravel(),
    "astype": lambda z: z.astype(float),
}
PROGRAMS = {
    **{name: filled(write) for name, write in WRITES.items()},
    **{f"view: {name}": filled(through_a_view(view)) for name, view in VIEWS.items()},
}


@pytest.fixture(params=PROGRAMS.values(), ids=PROGRAMS.keys())
def program(request):
    return lambda x: np.sum(np.sin(request.param(x)) * (1.0 + np.arange(6.0).reshape(2, 3)))


def test_a_program_gives_what_numpy_gives(program):
    want = program(X)
    np.testing.assert_allclose(fg.value_and_grad(program)(X)[0], want, rtol=1e-14)
    np.testing.assert_allclose(jvp(program, (X,), (X,))[0], want, rtol=1e-14)
    np.testing.assert_allclose(vmap(program)(np.stack([X, X])), [want, want], rtol=1e-14)


def test_a_program_is_differentiated_twice_in_both_modes(program):
    fg.check_grads(program, (X,), order=2)


def test_a_program_under_nested_transforms(program):
    stack = np.stack([X, 1.1 * X + 0.05])
    each = np.stack([grad(program)(x) for x in stack])
    np.testing.assert_allclose(vmap(grad(program))(stack), each, rtol=1e-12, atol=1e-12)
    in_one = grad(lambda stack: np.sum(vmap(program)(stack)))(stack)
    np.testing.assert_allclose(in_one, each, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_recorded_program_runs_on_other_values(name):
    other = X[::-1] * 0.9
    graph = fg.make_graph(PROGRAMS[name])(X)
    np.testing.assert_allclose(graph(other), PROGRAMS[name](other), rtol=1e-13)


BIRTHS = {
    "zeros_like": lambda x: np.zeros_like(x),
    "ones_like": lambda x: np.ones_like(x),
    "empty_like": lambda x: np.empty_like(x),
    "full_like": lambda x: np.full_like(x, x[0, 0]),
    "zeros": lambda x: np.zeros((2, 3), like=x),
    "ones": lambda x: np.ones((2, 3), like=x),
    "empty": lambda x: np.empty((2, 3), like=x),
    "full": lambda x: np.full((2, 3), x[1, 1], like=x),
    "copy": lambda x: np.copy(x * 2.0),
    "method copy": lambda x: (x * 2.0).copy(),
}


@pytest.mark.parametrize("make", BIRTHS.values(), ids=BIRTHS.keys())
def test_arrays_that_are_written_to(make):
    def f(x):
        z = make(x)
        z[0] = x[1] * x[1]
        z[1, 1:] = 3.0
        z[1, 0] = 1.0
        return z

    plain = make(X)
    assert isinstance(plain, np.ndarray)
    np.testing.assert_array_equal(vjp(f, X)[0], f(X))
    fg.check_grads(f, (X,), order=2)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.complex64])
def test_dtypes_are_those_of_the_array(dtype):
    def f(x):
        z = np.zeros(3, dtype=dtype, like=x)
        z[0] = x[0]
        z[1:] += 2.0 * x[1:]
        return z

    x = np.array([1.0, 2.0, 3.0])
    out, pullback = vjp(f, x.astype(dtype))
    assert out.dtype == dtype
    (gradient,) = pullback(np.ones(3, dtype))
    assert gradient.dtype == dtype
    np.testing.assert_array_equal(gradient, [1.0, 2.0, 2.0])


def test_places_that_differ_between_the_examples_of_a_vmap():
    def f(x, i, mask):
        z = np.zeros_like(x)
        z[i] = x[i] * x[0]
        z[i[0]] += x[1]
        np.add.at(z, i, x[:2])
        z[mask] = -1.0
        return z

    rng = np.random.default_rng(0)
    x, i = rng.standard_normal((4, 5)), rng.integers(0, 5, (4, 2))
    i[0] = 3, 3
    mask = rng.random((4, 5)) < 0.3
    want = np.stack([f(*row) for row in zip(x, i, mask)])
    np.testing.assert_allclose(vmap(f)(x, i, mask), want)

    def total(x, i, mask):
        return np.sum(np.sin(f(x, i, mask)))

    each = np.stack([grad(total)(*row) for row in zip(x, i, mask)])
    np.testing.assert_allclose(vmap(grad(total))(x, i, mask), each)


def test_masks_that_differ_between_the_examples_of_a_vmap():
    def f(x):
        z = np.sin(x)
        z[x > 0.5] = x[0, 0]
        z[x[:, 0] > 0.0] = 3.0 * x[1]
        return np.sum(z**2)

    x = np.random.default_rng(0).standard_normal((4, 2, 3))
    each = np.stack([grad(f)(row) for row in x])
    np.testing.assert_allclose(vmap(grad(f))(x), each)


@pytest.mark.parametrize("v", [lambda x, m: np.cos(x[m]), lambda x, m: x[1, 2]], ids=["v[m]", "v"])
@pytest.mark.parametrize("at", [lambda m: m, lambda m: (m[:, 0], 1)], ids=["m", "m, i"])
def test_masks_in_a_recording(at, v):
    def f(x):
        z, m = np.sin(x), at(x > 0.2)
        z[m] = v(x, m)
        z[m] *= 0.5
        return np.sum(z**2)

    np.testing.assert_allclose(fg.make_graph(f)(X)(X), f(X))
    np.testing.assert_allclose(fg.make_graph(grad(f))(X)(X), grad(f)(X))


def test_the_youngest_transform_takes_the_array():
    def outer(x):
        z = np.zeros_like(x)
        z[0] = x[0, 1]

        def inner(y):
            w = np.zeros(3, like=y)
            w[0] = y[0] * z[0, 0]
            w[1:] = z[0, 1:] * y[1:]
            return np.sum(w * w)

        z[1] = grad(inner)(x[1])
        return np.sum(z**2)

    fg.check_grads(outer, (X,), order=2)


def test_an_array_as_the_argument_of_an_inner_transform_is_its_present_value():
    def f(x):
        z = np.copy(x)
        z[0] = x[1]

        def inner(y):
            z[1] = 0.0
            return np.sum(y**3)

        return np.sum(grad(inner)(z) * z)

    np.testing.assert_allclose(f(X), 3.0 * np.sum(X[1] ** 3))
    fg.check_grads(f, (X,), order=1)


def test_writing_a_value_of_an_ended_transform_is_a_leak():
    def f(x):
        z = np.zeros_like(x)

        def inner(y):
            z[0] = y
            return np.sum(y)

        grad(inner)(x[0])
        return np.sum(z)

    with pytest.raises(fg.LeakedTracerError, match="grad of inner"):
        grad(f)(X)


def test_what_was_used_before_a_write_stays_what_it_was():
    def f(x):
        z = np.copy(x)
        y = np.sum(z * z * x)
        z *= 5.0
        return y + np.sum(grad(lambda t: np.sum(t * z))(x))

    np.testing.assert_allclose(grad(f)(X), 3.0 * X**2 + 5.0)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_an_argument_that_changes_after_it_was_written(shape):
    x = np.full(shape, 2.0)

    def f(t):
        z = np.zeros((2, *shape), like=t)
        z[0] = t
        x[...] = 7.0
        return np.sum(z)

    assert float(vjp(f, x)[0]) == 2.0 * x.size


def test_an_array_that_is_written_to_as_index_and_mask():
    def f(x):
        mask, places = np.zeros_like(x, dtype=bool), np.zeros(2, dtype=int, like=x)
        mask[0, 1:] = True
        places[0] = 1
        z = np.copy(x)
        z[mask] = x[1, :2]
        z[places, [2, 2]] *= x[0, 0]
        return np.sum(np.where(mask, z, 2.0 * z)) + np.sum(np.arange(3.0)[places])

    np.testing.assert_allclose(vjp(f, X)[0], f(X))
    fg.check_grads(f, (X,), order=2)


def test_a_carry_that_is_changed_in_place():
    def step(carry, x):
        carry[0] += x * carry[1]
        return carry, carry

    def f(x):
        return fg.scan(step, np.copy(x), x)[1]

    np.testing.assert_allclose(vjp(f, X[0])[0], f(X[0]))
    fg.check_grads(f, (X[0],), order=2)


def test_a_result_belongs_to_the_caller():
    def f(x):
        return np.zeros_like(x), np.copy(x)

    out, pullback = vjp(f, X)
    for leaf in out:
        leaf += 1.0
    np.testing.assert_array_equal(pullback(out)[0], 1.0 + X)
    np.testing.assert_array_equal(f(X)[0], 0.0)


# Checkpoints run a function again.


def test_a_checkpoint_writes_to_its_own_arrays():
    def layer(x):
        z = np.zeros_like(x)
        z[0] = np.sin(x[1])
        z[1] += x[0] * z[0]
        return z

    want = grad(lambda x: np.sum(layer(layer(x))))(X)
    layer_again = fg.checkpoint(layer)
    np.testing.assert_allclose(grad(lambda x: np.sum(layer_again(layer_again(x))))(X), want)


def test_a_checkpoint_reads_an_array_that_waits_for_its_writes():
    def f(x, wrap):
        z = np.zeros_like(x)
        z[0, 0] = x[1, 1]
        z[1, 0] = x[0, 1]
        row = z[0]
        y = wrap(lambda x: x * z * row)(x)
        return np.sum(y) + np.sum(z * row)

    want = grad(lambda x: f(x, lambda g: g))(X)
    np.testing.assert_allclose(grad(lambda x: f(x, fg.checkpoint))(X), want)


@pytest.mark.parametrize("when", ["inside", "afterwards"])
def test_a_checkpoint_does_not_share_an_array_that_changes(when):
    def f(x):
        z = np.copy(x)

        def layer(y):
            if when == "inside":
                z[0] += 1.0
            return y * z

        y = fg.checkpoint(layer)(x)
        z[0] = 0.0
        return np.sum(y)

    with pytest.raises(TypeError, match=r"checkpointed function.*np\.copy"):
        grad(f)(X)


# What is refused.


def write_to(make):
    def f(x):
        z = make(x)
        z[0] = 5.0
        return np.sum(z)

    return f


@pytest.mark.parametrize(
    "make",
    [
        lambda z: np.broadcast_to(z, (2, 2, 3)),
        lambda z: np.diagonal(z),
        lambda z: np.lib.stride_tricks.sliding_window_view(z, 2, 1),
    ],
)
def test_read_only_views(make):
    with pytest.raises(TypeError, match="read-only"):
        grad(lambda x: write_to(lambda x: make(np.copy(x)))(x))(X)


def test_a_read_only_view_sees_later_writes():
    def f(x):
        z = np.copy(x)
        diagonal, wide = np.diagonal(z), np.broadcast_to(z, (2, 2, 3))
        z[0, 0] = x[1, 2]
        return np.sum(diagonal * 3.0) + np.sum(wide)

    np.testing.assert_allclose(vjp(f, X)[0], f(X))
    fg.check_grads(f, (X,), order=1)


def test_an_array_that_was_made_plain_is_not_written_to():
    def f(x):
        z = np.zeros_like(x)
        plain = np.asarray(z)
        z[0] = x[0]
        return np.sum(plain) * x[0, 0]

    with pytest.raises(TypeError, match=r"np\.asarray"):
        grad(f)(X)


def test_a_copy_in_plain_numbers_is_allowed():
    def f(x):
        z = np.zeros_like(x)
        plain = fg.value(z)
        z[0] = x[0]
        return np.sum(z + plain)

    np.testing.assert_array_equal(grad(f)(X), [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])


def test_arrays_of_no_dimensions_and_no_values():
    def f(x):
        z = np.zeros((), like=x)
        np.put(z, [0], x[0, :2])
        np.put(z, [0], [])
        np.putmask(z, [True], [])
        np.place(z, True, [z * x[0, 1]])
        z.flat[0] = z * x[0, 2]
        np.putmask(z, True, z * x[1, 0])
        return z

    want = X[1, 0] * np.prod(X[0])
    np.testing.assert_allclose(fg.vmap(f)(np.stack([X, X])), [want, want])
    fg.check_grads(f, (X,), order=2)


def resized(x):
    z = np.outer(x[0], x[1])
    z.resize((2, 2), refcheck=False)
    f = np.copy(np.outer(x[0], x[1]), order="F")
    f.resize([4, 1], refcheck=False)
    longer = x[0] * x[1]
    longer.resize(2, 3, refcheck=False)
    longer[1] += x[1]
    longer.resize(refcheck=False)
    return np.concatenate([np.ravel(y) for y in (z, f, longer)])


def test_resize():
    for got in (fg.vjp(resized, X)[0], fg.vmap(resized)(X[None])[0], fg.make_graph(resized)(X)(X)):
        np.testing.assert_array_equal(got, resized(X.copy()))
    fg.check_grads(resized, (X,), order=2, modes=["fwd", "rev"])


@pytest.mark.parametrize("use", [lambda view: view + 1.0, lambda view: view.fill(1.0)])
def test_a_view_from_before_a_resize_is_refused(use):
    def f(x):
        z = 2.0 * x
        view = z[1:]
        z.resize(2)
        return np.sum(use(view))

    with pytest.raises(TypeError, match="resized"):
        grad(f)(X)


LIKE = {
    "eye": lambda t: np.eye(2, 3, 1, like=t),
    "identity": lambda t: np.identity(2, like=t),
    "tri": lambda t: np.tri(2, like=t),
    "arange": lambda t: np.arange(1.0, 3.0, like=t),
    "asanyarray": lambda t: np.asanyarray([1.0, 2.0], like=t),
    "ascontiguousarray": lambda t: np.ascontiguousarray(1.0, like=t),
    "asfortranarray": lambda t: np.asfortranarray([[1.0, 2.0]], like=t),
    "require": lambda t: np.require([1.0, 2.0], np.float32, ["F"], like=t),
}


@pytest.mark.parametrize("make", LIKE.values(), ids=LIKE)
def test_like_makes_an_array_to_write_to(make):
    def f(x):
        z = make(x)
        assert z.dtype == make(X).dtype
        np.testing.assert_array_equal(fg.value(z), make(X))
        z[0] = x[0, 0]
        return np.sum(z)

    assert grad(f)(X)[0, 0] == np.size(make(X)[0])


def fill_plain(x):
    z = np.zeros(3)
    z[1] = x[0, 0]  # the line
    return np.sum(z)


def fill_plain_slice(x):
    z = np.zeros((2, 3))
    z[:, 1] = x[:, 0]  # the line
    return np.sum(z)


@pytest.mark.parametrize("f", [fill_plain, fill_plain_slice])
def test_a_plain_array_that_is_assigned_to_is_named(f):
    number = f.__code__.co_firstlineno + 2
    with pytest.raises(fg.DerivativeLostError) as caught:
        grad(f)(X)
    message = str(caught.value)
    assert f"test_inplace.py:{number}, z[" in message
    assert "# the line" in message
    assert "np.zeros(n, like=t)" in message


def test_a_conversion_in_an_assignment_is_not_taken_for_one():
    def f(x):
        found = {}
        found["x"] = float(x[0, 0])
        return found["x"]

    with pytest.raises(fg.DerivativeLostError, match=r"^float\(t\)"):
        grad(f)(X)


def test_an_assignment_to_the_flat_of_a_plain_array():
    def f(x):
        z = np.zeros(3)
        z.flat[0] = x[0, 0]
        return np.sum(z)

    with pytest.raises(fg.DerivativeLostError, match="like=t"):
        grad(f)(X)


REFUSED = {
    "a shape that does not fit": (lambda z, x: assign(0, lambda x: x)(z, x), ValueError, "shape"),
    "a place outside": (lambda z, x: assign((0, 3), lambda x: 1.0)(z, x), IndexError, "axis 1"),
    "too many axes": (lambda z, x: assign((0, 0, 0), lambda x: 1.0)(z, x), IndexError, "indices"),
    "complex": (lambda z, x: assign(0, lambda x: 1j * x[0])(z, x), fg.UnsupportedError, "np.real"),
    "complex +=": (lambda z, x: z.__iadd__(1j * x), TypeError, "complex128"),
    "a larger out=": (lambda z, x: np.add(x, np.ones((2, 2, 3)), out=z), ValueError, "shape"),
    "resize of a view": (lambda z, x: z[0].resize(2), ValueError, "does not own"),
    "resize to less than 0": (lambda z, x: z.resize(-1), ValueError, "negative"),
}


@pytest.mark.parametrize("write, kind, words", REFUSED.values(), ids=REFUSED.keys())
def test_what_numpy_refuses_is_refused(write, kind, words):
    with pytest.raises(kind, match=words):
        grad(lambda x: np.sum(filled(write)(x)))(X)


def test_integers_do_not_take_traced_floats():
    def f(x):
        z = np.zeros(3, dtype=int, like=x)
        z[0] = x[0, 0]
        return np.sum(z)

    with pytest.raises(fg.UnsupportedError, match="would lose its derivative"):
        grad(f)(X)


@pytest.mark.parametrize("dtype", [object, [("a", float)]], ids=["objects", "fields"])
def test_only_arrays_of_numbers_take_traced_values(dtype):
    with pytest.raises(fg.UnsupportedError, match="cannot hold traced values"):
        grad(lambda x: np.sum(np.zeros(3, dtype, like=x)))(X)
    ignored = grad(lambda x: np.sum(x) + len(fg.numpy.zeros(3, dtype)))  # a plain one, as it is
    np.testing.assert_array_equal(ignored(X), np.ones_like(X))


MADE = {
    "tile": lambda z: np.tile(z, 2),
    "tile once": lambda z: np.tile(z, 1),
    "repeat": lambda z: np.repeat(z, 1),
    "nan_to_num": np.nan_to_num,
    "block": lambda z: np.block([z]),
    "meshgrid": lambda z: np.meshgrid(z[0])[0],
    "choose": lambda z: np.choose(np.zeros(z.shape, int), [z]),
    "flatten": lambda z: z.flatten(),
    "flat": lambda z: z.flat[1:3],
}


@pytest.mark.parametrize("start", [np.zeros_like, lambda x: 2.0 * x], ids=["plain", "traced"])
@pytest.mark.parametrize("f", MADE.values(), ids=MADE.keys())
def test_what_is_made_of_an_array_can_be_written_to_apart(f, start):
    def program(x):
        z = start(x)
        w = f(z)
        w[(0,) * w.ndim] = x[0, 1] ** 2
        z[0, 1] = 3.0 * x[1, 1]
        return np.sum(w) + 2.0 * np.sum(z)

    assert fg.value_and_grad(program)(X)[0] == program(X.copy())
    fg.check_grads(program, (X,))


def test_a_loop_of_writes_is_linear():
    """Each write is one place of one array: the program has a step for each, and one for all."""
    n = 300

    def f(x):
        z = np.zeros(n, like=x)
        z[0] = x
        for i in range(1, n):
            z[i] = np.sin(z[i - 1])
        return np.sum(z)

    assert len(fg.make_graph(f)(0.5).equations) == n + 2


def test_parts_of_complex_numbers_are_written_to():
    def f(z, v):
        z = z * 2
        rows = z.T
        z.real = v
        z.imag[0] = 2 * v[1]
        part = rows.real
        part[1, :] *= 3.0
        z.imag += part.T
        return rows.copy(), part.copy()

    z, v = np.array([[1 + 2j, 3 - 1j], [5j, 2.0]]), np.array([1.0, 4.0])
    want = f(z, v)
    for got in (fg.vjp(f, z, v)[0], fg.jvp(f, (z, v), (z, v))[0]):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(vmap(f)(np.stack([z, z]), np.stack([v, v]))[0][1], want[0])
    fg.check_grads(lambda z, v: np.sum(np.abs(f(z, v)[0] + 0.3) ** 2), (z, v), order=2)

    def infinite(x):
        z = x + 0j
        z.imag = np.inf
        return np.real(z)

    np.testing.assert_array_equal(fg.vjp(infinite, v)[0], v)

    def of_real(x):
        x.imag = 1.0

    with pytest.raises(TypeError, match="imaginary part"):
        vjp(of_real, v)


def test_copyto_takes_axes_of_length_one_in_front():
    def f(x):
        y = 2.0 * x
        np.copyto(y, 5.0 * x[None, None], where=x > 1.0)
        return y

    x = np.array([1.0, 4.0])
    np.testing.assert_array_equal(vjp(f, x)[0], f(x))
    np.testing.assert_array_equal(vmap(f)(x[None])[0], f(x))


def test_a_decomposition_of_an_array_that_was_written_to():
    def logdet(x):
        z = np.zeros_like(x)
        z[0], z[1] = x[0], 2.0 * x[1]
        return np.linalg.slogdet(z)[1]

    x = np.array([[2.0, 1.0], [0.5, 3.0]])
    np.testing.assert_allclose(grad(logdet)(x), np.linalg.inv(x).T, rtol=1e-14)


def test_single_places_and_rows_by_turns():
    def f(x):
        z = np.zeros_like(x)
        z[0] = x[0]
        z[0, 1] = 3.0 * x[1, 1]
        z[1, 0] = x[0, 0]  # which is written over
        z[1] = x[1]
        return np.sum(z * z)

    np.testing.assert_allclose(grad(f)(X), 2.0 * X * [[1, 0, 1], [1, 10, 1]], rtol=1e-14)


def test_a_copy_is_cut_off_from_later_writes():
    def f(x, duplicate):
        z, y = np.zeros_like(x), 2.0 * x
        z[0] = x[0]
        other = duplicate(z, y)
        z[1] = y[1] = 5.0
        assert f"{np.sum(z):.1f}" == f"{np.sum(fg.value(z)):.1f}"
        return np.sum(other)

    assert grad(f)(X, lambda z, y: copy.copy(z)).tolist() == [[1.0] * 3, [0.0] * 3]

    def by_copyto(z, y):
        other = np.zeros_like(z)
        np.copyto(other, y)
        return other

    assert grad(f)(X, by_copyto).tolist() == [[2.0] * 3] * 2
