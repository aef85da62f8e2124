"""Control flow: each function against the Python loop or ``if`` that it stands for, under every
transform; examples that differ; carries that change."""

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import TreeError, cond, fori_loop, grad, jacrev, jvp, scan, switch, vmap, while_loop

RNG = np.random.default_rng(0)
W = 0.5 * RNG.normal(size=(3, 3))
XS = RNG.normal(size=(5, 3))
EXAMPLES = RNG.normal(size=(6, 3))  # some with a positive first entry, some without


def close(x, y):
    assert fg.tree.structure(x) == fg.tree.structure(y)
    for a, b in zip(fg.tree.leaves(x), fg.tree.leaves(y)):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


# Pairs of a program and the same in plain Python, scalar functions of an array of 3.


def with_scan(c):
    def f(carry, x):
        h = np.tanh(W @ carry["h"] + x)
        return {"h": h, "n": carry["n"] + 1.0}, (np.sum(h**2), {"h": h})

    carry, (norms, hs) = scan(f, {"h": c, "n": 0.0}, XS)
    return carry["n"] * np.sum(np.sin(carry["h"])) + np.sum(norms[1:]) + np.sum(hs["h"] ** 3)


def plain_scan(c):
    norms, cubes = 0.0, 0.0
    for i, x in enumerate(XS):
        c = np.tanh(W @ c + x)
        norms += np.sum(c**2) if i else 0.0
        cubes += np.sum(c**3)
    return len(XS) * np.sum(np.sin(c)) + norms + cubes


def with_reverse(c):
    c, ys = scan(lambda c, x: (np.sin(W @ c) * x, c), c, XS, reverse=True)
    return np.sum(c) + np.sum(ys[1] ** 2)


def plain_reverse(c):
    ys = {}
    for i in reversed(range(len(XS))):
        ys[i] = c
        c = np.sin(W @ c) * XS[i]
    return np.sum(c) + np.sum(ys[1] ** 2)


def with_fori(c):
    return np.sum(fori_loop(1, 4, lambda i, v: np.tanh(W @ v) * i + c, c))


def plain_fori(c):
    v = c
    for i in range(1, 4):
        v = np.tanh(W @ v) * i + c
    return np.sum(v)


def with_while(c):
    def halve(val):
        return {"v": 0.5 * val["v"] + 0.1 * np.sin(c), "steps": val["steps"] + 1}

    val = while_loop(lambda val: np.sum(val["v"] ** 2) > 0.4, halve, {"v": 3.0 * c, "steps": 0})
    return np.sum(val["v"] ** 2) * val["steps"]


def plain_while(c):
    v, steps = 3.0 * c, 0
    while np.sum(v**2) > 0.4:
        v, steps = 0.5 * v + 0.1 * np.sin(c), steps + 1
    return np.sum(v**2) * steps


def with_cond(c):
    return np.sum(cond(c[0] > 0, lambda c: np.sqrt(c[0]) * (W @ c), lambda c: np.exp(c), c))


def plain_cond(c):
    return np.sum(np.sqrt(c[0]) * (W @ c) if c[0] > 0 else np.exp(c))


def with_switch(c):
    index = np.floor(2.0 * c[0]).astype(int)
    return switch(index, [lambda: np.sum(c**2), lambda: np.sin(c[1]), lambda: np.prod(W @ c)])


def plain_switch(c):
    index = int(np.floor(2.0 * c[0]))
    return np.sum(c**2) if index <= 0 else np.sin(c[1]) if index == 1 else np.prod(W @ c)


def with_map(c):
    return np.sum(fg.map(lambda x: np.tanh(W @ x) @ c, XS) ** 2)


def plain_map(c):
    return sum((np.tanh(W @ x) @ c) ** 2 for x in XS)


def with_map_in_parts(c):
    return np.sum(fg.map(lambda x: np.tanh(W @ x) @ c, XS, batch_size=2) ** 2)


PROGRAMS = [
    (with_scan, plain_scan),
    (with_reverse, plain_reverse),
    (with_fori, plain_fori),
    (with_while, plain_while),
    (with_cond, plain_cond),
    (with_switch, plain_switch),
    (with_map, plain_map),
    (with_map_in_parts, plain_map),
]
programs = pytest.mark.parametrize("f, plain", PROGRAMS, ids=lambda f: f.__name__)


@programs
def test_derivatives(f, plain):
    for c in EXAMPLES[:3]:
        close(f(c), plain(c))
        close(grad(f)(c), grad(plain)(c))
        close(jvp(f, (c,), (XS[0],)), jvp(plain, (c,), (XS[0],)))
        close(jacrev(grad(f))(c), jacrev(grad(plain))(c))
        close(fg.linearize(f, c)[1](XS[0]), jvp(plain, (c,), (XS[0],))[1])
        tangent = jvp(grad(f), (c,), (XS[0],))[1]
        close(tangent, jacrev(grad(plain))(c) @ XS[0])


@programs
def test_vmap(f, plain):
    close(vmap(f)(EXAMPLES), np.stack([plain(c) for c in EXAMPLES]))
    close(vmap(grad(f))(EXAMPLES), np.stack([grad(plain)(c) for c in EXAMPLES]))
    close(vmap(jacrev(grad(f)))(EXAMPLES), np.stack([jacrev(grad(plain))(c) for c in EXAMPLES]))
    close(grad(lambda cs: np.sum(vmap(f)(cs)))(EXAMPLES), vmap(grad(f))(EXAMPLES))
    close(jvp(vmap(f), (EXAMPLES,), (EXAMPLES,))[1], np.sum(vmap(grad(f))(EXAMPLES) * EXAMPLES, 1))
    grid = EXAMPLES.reshape(2, 3, 3)
    close(vmap(vmap(f))(grid).ravel(), vmap(f)(EXAMPLES))


@pytest.mark.parametrize("f", [with_scan, with_fori, with_map], ids=lambda f: f.__name__)
def test_a_recorded_program_runs_again(f):
    graph = fg.make_graph(f)(EXAMPLES[0])
    close(graph(EXAMPLES[1]), f(EXAMPLES[1]))


@pytest.mark.parametrize("f", [with_while, with_cond, with_switch], ids=lambda f: f.__name__)
def test_a_program_that_looked_does_not(f):
    graph = fg.make_graph(f)(EXAMPLES[0])
    with pytest.raises(TypeError, match="looked at a value"):
        graph(EXAMPLES[1])


def test_a_selection_is_no_look():
    graph = fg.make_graph(vmap(with_switch))(EXAMPLES)
    close(graph(EXAMPLES[::-1]), vmap(with_switch)(EXAMPLES[::-1]))


def test_the_steps_of_a_stack_are_looked_at_too():
    graph = fg.make_graph(vmap(with_while))(EXAMPLES)
    assert graph.looks


def test_bounds_that_differ_between_the_examples():
    def f(lower, upper, x):
        return fori_loop(lower, upper, lambda i, v: v * x + i, x)

    lower, upper = np.array([1, 1, 4, 2]), np.array([0, 3, 5, 7])
    loop = [f(int(n), int(m), 0.5) for n, m in zip(lower, upper)]
    close(vmap(f, (0, 0, None))(lower, upper, 0.5), np.stack(loop))
    assert vmap(f, (None, 0, None))(0, np.array([0, -2]), 0.5).tolist() == [0.5, 0.5]


def test_an_example_that_is_done_stands_still():
    seen = []

    def body(v):
        seen.append(fg.value(v.value).tolist())
        return v - 1.0

    done = vmap(lambda v: while_loop(lambda v: v > 0, body, v))(np.array([1.0, 3.0]))
    assert done.tolist() == [0.0, 0.0]
    assert seen == [[1.0, 3.0], [0.0, 2.0], [0.0, 1.0]]


def test_only_the_chosen_branch_runs():
    assert cond(True, lambda: 1.0, lambda: 1 / 0) == 1.0
    assert switch(-3, [lambda: 1.0, lambda: 1 / 0]) == 1.0
    assert switch(7, [lambda: 1 / 0, lambda: 2.0]) == 2.0


def test_a_branch_not_chosen_leaves_no_trace():
    def f(x):
        return cond(x > 0, lambda x: np.sqrt(x) * np.log(x), lambda x: x * x, x)

    xs = np.array([4.0, 0.0, -1.0])
    for derivative in (grad(f), grad(grad(f)), lambda x: jvp(f, (x,), (1.0,))[1]):
        close(vmap(derivative)(xs), np.array([float(derivative(float(x))) for x in xs]))


def test_changes_in_place_stay_inside():
    def add(c, x):
        c["n"] += x
        x *= 0.0
        return c, c["n"]

    start, xs = {"n": np.zeros(2)}, np.ones((3, 2))
    last, sums = scan(add, start, xs)
    assert sums.tolist() == [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    assert last["n"].tolist() == [3.0, 3.0]
    assert start["n"].tolist() == [0.0, 0.0]
    assert xs.min() == 1.0

    def down(c):
        c["n"] += 1.0
        c["left"] = c["left"] - 1
        return c

    def count(left):
        return while_loop(lambda c: c["left"] > 0, down, {"left": left, **start})["n"]

    assert vmap(count)(np.array([0, 2])).tolist() == [[0.0, 0.0], [2.0, 2.0]]
    assert start["n"].tolist() == [0.0, 0.0]


# dtypes.


def test_python_numbers_give_way():
    x = np.ones(4, np.float32)
    assert scan(lambda c, x: (c + x, 0.0), 0.0, x)[0].dtype == np.float32
    assert scan(lambda c, x: (0.0, c), np.float32(1), x)[1].dtype == np.float32
    assert fori_loop(0, 3, lambda i, v: v + 0.5, 0) == 1.5
    assert grad(lambda c: scan(lambda c, x: (c * x, None), c, x)[0])(2.0) == 1.0
    sums = vmap(lambda n: fori_loop(0, n, lambda i, v: v + x[0], 0.0))(np.arange(3))
    assert sums.dtype == np.float32


@pytest.mark.parametrize("start", [True, 1, 0.5, 0.5j])
@pytest.mark.parametrize("kind", [np.bool_, np.int32, np.float32, np.float64, np.complex64])
def test_a_python_number_takes_the_dtype_of_a_successor_that_can_hold_it(start, kind):
    if np.result_type(kind, start) == kind:
        assert fori_loop(0, 2, lambda i, v: kind(1), start).dtype == kind
    else:
        with pytest.raises(TypeError, match=rf"val has .* and dtype {kind(1).dtype} after a step"):
            fori_loop(0, 2, lambda i, v: kind(1), start)


# Errors.


def test_a_carry_that_changes_is_named():
    start = {"h": np.zeros(3, np.float32), "n": np.zeros(2)}

    def changed(**change):
        return lambda: scan(lambda c, _: ({**c, **change}, None), start, length=2)

    with pytest.raises(TypeError, match=r"the carry\['h'\].*float32 at the start, and.*float64"):
        changed(h=np.zeros(3))()
    with pytest.raises(TypeError, match=r"the carry\['n'\] has shape \(2,\).*shape \(4,\)"):
        changed(n=np.zeros(4))()
    with pytest.raises(TreeError, match="the carry after a step has"):
        changed(m=1.0)()
    with pytest.raises(TypeError, match=r"the carry\['n'\] after a step is 'two'"):
        changed(n="two")()
    with pytest.raises(TypeError, match=r"val at the start is 'two'"):
        fori_loop(0, 2, lambda i, v: v, "two")
    with pytest.raises(TypeError, match=r"val has shape \(\) and dtype int64"):
        while_loop(lambda v: v < 3, lambda v: v + 0.5, np.int64(0))
    with pytest.raises(TypeError, match=r"y has shape \(\).*and shape \(2,\)"):
        scan(lambda c, x: (c, np.zeros(2) if x else 0.0), 0.0, np.arange(2))


def test_results_of_branches_that_differ_are_named():
    def f(x):
        return cond(x > 0, lambda: {"a": x}, lambda: {"a": np.ones(2) * x})

    assert f(-1.0)["a"].shape == (2,)
    with pytest.raises(TypeError, match=r"the result\['a'\] has shape \(\).*from true_fun"):
        vmap(f)(np.arange(3.0))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: scan(lambda c, x: c, 0.0, XS), TypeError, r"pair \(carry, y\)"),
        (lambda: scan(lambda c, x: (c, x), 0.0, {"a": XS, "b": 1.0}), TypeError, r"xs\['b'\]"),
        (lambda: scan(lambda c, x: (c, x), 0.0, [XS, XS[:2]]), ValueError, r"xs\[1\] has 2 rows"),
        (lambda: scan(lambda c, x: (c, x), 0.0, XS, length=3), ValueError, "length is 3"),
        (lambda: scan(lambda c, x: (c, x), 0.0), ValueError, "Give xs, or length"),
        (lambda: scan(lambda c, x: (c, x), 0.0, XS[:0]), ValueError, "fori_loop"),
        (lambda: fg.map(np.sin, 1.0), TypeError, "map of sin: xs is"),
        (lambda: cond(np.ones(2) > 0, np.sin, np.cos, 0.0), TypeError, r"shape \(2,\)"),
        (lambda: cond("yes", np.sin, np.cos, 0.0), TypeError, "must be one bool"),
        (lambda: cond(True, 1.0, 2.0), TypeError, "takes functions"),
        (lambda: while_loop(lambda v: v > 0, lambda v: v, np.ones(2)), TypeError, r"np.any"),
        (lambda: switch(0.5, [np.sin], 0.0), TypeError, "must be one integer"),
        (lambda: switch(0, []), ValueError, "at least one branch"),
        (lambda: fori_loop(0, 2.5, lambda i, v: v, 0.0), TypeError, "upper must be one integer"),
    ],
)
def test_errors_say_what_to_write(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_import_star_keeps_pythons_map():
    assert "map" not in fg.__all__


BATCHED_WRITERS = {
    "cond": lambda z, x: fg.cond(x[0] > 0, lambda: write(z), lambda: z[0] * 1.0),
    "switch": lambda z, x: fg.switch(
        (x[0] > 0).astype(int), [lambda: write(z), lambda: z[0] * 1.0]
    ),
    "while_loop": lambda z, x: fg.while_loop(lambda v: v < x[0], lambda v: v + write(z), 0.0),
    "fori_loop": lambda z, x: fg.fori_loop(0, x[0].astype(int), lambda i, v: v + write(z), 0.0),
}


def write(z):
    z[0] = 5.0
    return z[0]


@pytest.mark.parametrize("made", [np.zeros_like, np.sin], ids=["zeros", "a result"])
@pytest.mark.parametrize("name", BATCHED_WRITERS)
def test_a_write_to_the_surroundings_that_only_some_examples_make_is_refused(name, made):
    def f(x):
        z = made(x)
        return BATCHED_WRITERS[name](z, x) + np.sum(z)

    with pytest.raises(TypeError, match=r"surroundings.*Pass the array as an operand"):
        fg.vmap(f)(np.array([[1.0, 2.0], [-1.0, 2.0]]))
    assert f(np.array([1.0, 2.0])) != f(np.array([-1.0, 2.0]))
