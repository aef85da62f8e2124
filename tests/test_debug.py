"""Names in printouts, and the tape with its backward walk."""

import numpy as np
import pytest
from comparing import assert_printed

import funcgrad as fg
from funcgrad import debug
from funcgrad.graph import make_graph

# Names.


def test_a_name_is_what_a_value_is_called_in_the_program():
    def f(x):
        y = debug.name(np.sin(x), "y")
        return y * y

    assert_printed(
        make_graph(f)(1.0),
        """
        graph of f(x: float)
          y = sin(x)            float64[]
          a = multiply(y, y)    float64[]
          return a
        """,
    )


def test_the_cotangent_of_y_is_y_bar():
    def f(x):
        return np.sin(debug.name(2.0 * x, "y"))

    assert_printed(
        make_graph(fg.grad(f))(np.float64(1.0)),
        """
        graph of grad(f)(x: float64[])
          y = multiply(2.0, x)                 float64[]
          a = cos(y)                           float64[]
          y_bar = multiply(float64(1.0), a)    float64[]
          b = multiply(y_bar, float64(2.0))    float64[]
          return b
        """,
    )


def test_a_name_given_twice_is_numbered():
    def f(h):
        for _ in range(3):
            h = debug.name(np.tanh(h), "h")
        return h

    lines = str(make_graph(f)(1.0)).splitlines()
    assert lines[1:] == [
        "  h_2 = tanh(h)      float64[]",
        "  h_3 = tanh(h_2)    float64[]",
        "  h_4 = tanh(h_3)    float64[]",
        "  return h_4",
    ]


def test_a_second_name_and_the_name_of_an_argument_are_lines():
    def f(x):
        y = debug.name(x, "y")
        return debug.name(debug.name(y + 1.0, "a"), "b")

    assert_printed(
        make_graph(f)(1.0),
        """
        graph of f(x: float)
          y = x              float
          a = add(y, 1.0)    float
          b = a              float
          return b
        """,
    )


def test_the_leaves_of_a_pytree_are_named_by_their_paths():
    def f(x):
        p = debug.name({"w": [x + 1.0, 2.0]}, "p")
        return p["w"][0] * p["w"][1]

    assert "p['w'][0] = add(x, 1.0)" in str(make_graph(f)(1.0))


def test_a_name_changes_no_value_and_no_derivative():
    def f(x):
        return debug.name(debug.name(x, "x") ** 3, "y")

    x = np.array([1.0, 2.0])
    assert debug.name(x, "x") is x
    assert debug.name({"x": x}, "p")["x"] is x
    assert fg.vjp(f, x)[1](np.ones(2))[0].tolist() == [3.0, 12.0]
    assert fg.grad(fg.grad(f))(2.0) == 12.0


def test_a_named_argument_that_changes_in_place_is_noticed():
    x = np.array([1.0, 2.0])

    def f(t):
        y = debug.name(t, "y")
        z = np.sum(y * y)
        x[:] = 7.0
        return z

    assert fg.grad(f)(x).tolist() == [2.0, 4.0]


def test_a_name_is_a_string():
    with pytest.raises(TypeError, match=r"name\(t, 'y'\)"):
        debug.name("y", np.ones(2))


# The tape.


def test_a_name_for_an_argument_is_a_node_of_the_tape():
    lines = debug.tape(lambda x: debug.name(x, "y") * 2.0)(1.0).splitlines()
    assert lines[2:4] == ["  x → y               float", "  y → a = multiply    float"]


def test_the_tape_and_its_walk():
    def f(params, x, scale):
        y = debug.name(x @ params["w"], "y")
        return np.sum(np.maximum(y, 0.0)) * scale

    assert_printed(
        debug.tape(f)({"w": np.array([1.0, -1.0])}, np.ones((4, 2)) * [2.0, 1.0], 3),
        """
        tape of f(params['w']: float64[2], x: float64[4,2], scale=3)
        edges, parent → node
          x → y = matmul              float64[4]
          params['w'] → y = matmul    float64[4]
          y → a = maximum             float64[4]
          a → b = sum                 float64[]
          b → c = multiply            float64[]
        cotangents, in the order of the walk
          c = multiply    1.0
          b = sum         3.0
          a = maximum     [3.0, 3.0, 3.0, 3.0]
          y = matmul      [3.0, 3.0, 3.0, 3.0]
          params['w']     [24.0, 12.0]
          x               float64[4,2]
        """,
    )


def test_a_diamond_is_visited_once_a_node():
    def f(x):
        a = debug.name(np.square(x), "a")
        return np.square(a) + np.square(a)

    assert_printed(
        debug.tape(f)(2.0),
        """
        tape of f(x: float)
        edges, parent → node
          x → a = square    float64[]
          a → b = square    float64[]
          a → c = square    float64[]
          b → d = add       float64[]
          c → d = add       float64[]
        cotangents, in the order of the walk
          d = add       1.0
          c = square    1.0
          b = square    1.0
          a = square    16.0
          x             64.0
        """,
    )


def test_what_the_result_does_not_depend_on_is_not_reached():
    lines = debug.tape(lambda x, y: {"x": x + 1.0, "label": "a"})(1.0, 2.0).splitlines()
    assert lines[-2:] == ["  x          1.0", "  y          not reached"]
    assert debug.tape(lambda x: 3.0)(1.0).endswith("  x    not reached")


def test_several_results_start_the_walk_together():
    text = debug.tape(lambda x: (x, x, [2.0 * x]))(1.0)
    assert text.splitlines()[-1].split() == ["x", "4.0"]


def test_the_walk_is_the_one_that_grad_takes():
    # The zero cotangent of the branch not taken meets an infinite derivative, and annihilates it.
    text = debug.tape(lambda x: np.where(x > 0, np.sqrt(x), 0.0))(0.0)
    assert text.splitlines()[-1].split() == ["x", "0.0"]


def test_tape_of_an_operation_with_several_results():
    @fg.custom_vjp
    def pair(x):
        return x, x * 2.0

    pair.defvjp(lambda x: (pair(x), None), lambda _, g: (g[0] + 2.0 * g[1],))
    assert debug.tape(lambda x: pair(x)[0] * x)(2.0).splitlines() == [
        "tape of <lambda>(x: float)",
        "edges, parent → node",
        "  x → a = pair                2 results",
        "  a → b = result 0 of pair    float",
        "  a → c = result 1 of pair    float",
        "  b → d = multiply            float",
        "  x → d = multiply            float",
        "cotangents, in the order of the walk",
        "  d = multiply            1.0",
        "  b = result 0 of pair    2.0",
        "  a = pair                [2.0, 0.0]",
        "  x                       4.0",
    ]


def test_tape_of_a_checkpoint():
    text = debug.tape(lambda x: fg.checkpoint(np.sin)(x))(0.0)
    assert "x → a = checkpoint" in text
    assert text.endswith("x    1.0")
