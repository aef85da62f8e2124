"""A recorded program: what is printed, drawn, and computed when it runs again."""

import numpy as np
import pytest
from comparing import assert_printed

import funcgrad as fg
from funcgrad.errors import DerivativeLostError, LeakedTracerError, TreeError
from funcgrad.graph import make_graph

# Printing.


def test_a_program_is_a_line_an_operation_with_names_shapes_and_dtypes():
    def loss(params, x):
        return np.sum(x @ params["w"], axis=0)

    assert_printed(
        make_graph(loss)({"w": np.ones(3)}, np.ones((2, 3), np.float32)),
        """
        graph of loss(params['w']: float64[3], x: float32[2,3])
          a = matmul(x, params['w'])    float64[2]
          b = sum(a, axis=0)            float64[]
          return b
        """,
    )


def test_arguments_are_named_by_the_signature():
    def f(x, *rest, flag, scale):
        return x * rest[0] * rest[1] * scale if flag else x

    assert_printed(
        make_graph(f)(2.0, 3, np.float32(4), flag=True, scale=1j),
        """
        graph of f(x: float, rest[0]: int, rest[1]: float32[], flag=True, scale: complex)
          a = multiply(x, rest[0])    float
          b = multiply(a, rest[1])    float32[]
          c = multiply(b, scale)      complex64[]
          return c
        """,
    )


def test_no_operation_takes_the_name_of_an_argument():
    assert_printed(
        make_graph(lambda a, b, c: -np.sin(a["w"]) * b)({"w": 1.0}, 2.0, True),
        """
        graph of <lambda>(a['w']: float, b: float, c=True)
          d = sin(a['w'])       float64[]
          e = negative(d)       float64[]
          f = multiply(e, b)    float64[]
          return f
        """,
    )


def test_a_long_list_of_arguments_takes_a_line_each():
    text = str(make_graph(lambda params: params)({f"weight_{i}": 1.0 for i in range(10)}))
    assert text.splitlines()[:2] == ["graph of <lambda>(", "    params['weight_0']: float,"]


def test_the_backward_pass_is_part_of_the_program():
    assert_printed(
        make_graph(fg.value_and_grad(lambda x: np.exp(x) + 1.0))(2.0),
        """
        graph of value_and_grad(<lambda>)(x: float)
          a = exp(x)                       float64[]
          b = add(a, 1.0)                  float64[]
          c = multiply(float64(1.0), a)    float64[]
          return (b, c)
        """,
    )


def test_an_if_and_a_loop_print_as_they_ran():
    def f(x):
        for _ in range(2):
            x = np.sin(x) if x > 0 else np.cos(x)
        return x

    assert_printed(
        make_graph(f)(np.float64(-2.0)),
        """
        graph of f(x: float64[])
          a = cos(x)    float64[]
          b = cos(a)    float64[]
          return b
          looked at values: bool(t)
        """,
    )


def test_constants_are_short_and_tell_their_dtype():
    large, small = np.ones((5, 7)), np.float32(0.1)
    assert_printed(
        make_graph(lambda x: x * large + small - 1.0 / 3.0)(2.0),
        """
        graph of <lambda>(x: float)
          a = multiply(x, const float64[5,7])    float64[5,7]
          b = add(a, float32(0.1))               float64[5,7]
          c = subtract(b, 0.333333)              float64[5,7]
          return c
        """,
    )


def test_indices_are_written_as_indices():
    def f(x, at):
        return x[0], x[..., 1:, None], x[::2], x[at, 0], x[np.array([0, 1])]

    assert_printed(
        make_graph(f)(np.ones((3, 2)), np.array([0, 2])),
        """
        graph of f(x: float64[3,2], at: int64[2])
          a = x[0]                 float64[2]
          b = x[..., 1:, None]     float64[3,1,1]
          c = x[::2]               float64[2,2]
          d = x[at, 0]             float64[2]
          e = x[const int64[2]]    float64[2,2]
          return (a, b, c, d, e)
        """,
    )


def test_an_operation_with_several_results_names_each():
    def f(x):
        return np.nonzero(x)[1]

    assert_printed(
        make_graph(f)(np.eye(2)),
        """
        graph of f(x: float64[2,2])
          a, b = nonzero(x)    int64[2], int64[2]
          return b
        """,
    )


def test_what_the_result_does_not_need_is_left_out():
    def f(x):
        np.cos(x)
        return {"sin": np.sin(x), "one": 1.0, "array": np.ones(2), "x": x}

    assert_printed(
        make_graph(f)(np.float64(0.5)),
        """
        graph of f(x: float64[])
          a = sin(x)    float64[]
          return {'sin': a, 'one': 1.0, 'array': const float64[2], 'x': x}
        """,
    )


def test_values_may_be_looked_at_and_the_printout_says_so():
    def f(x):
        plain = [float(x), complex(x), x.item(), x.tolist(), np.asarray(x), np.float32(x)]
        return x * sum(plain)

    graph = make_graph(f)(np.float64(2.0))
    assert str(graph).endswith(
        "looked at values: float(t), complex(t), t.item(), t.tolist(), np.asarray(t)"
    )
    assert "multiply(x, complex128(12+0j))" in str(graph)


def test_a_question_without_a_derivative_is_a_look():
    def f(x, n, axis):
        for _ in range(n):
            x = np.sum(x, axis=axis, keepdims=True).reshape(n, -1)
        return x * int(n) + fg.value(x)[0, 0] if n in (1, 2) else x

    graph = make_graph(f)(np.ones((2, 3)), 1, 0)
    assert graph.looks == ["index(t)", "int(t)", "bool(t)", "value(t)"]
    assert "shape=(1, -1))" in str(graph)
    with pytest.raises(TypeError, match="bool"):
        graph(np.ones((2, 3)), 1, 0)


def test_a_python_number_is_an_input_with_a_shape_and_a_dtype():
    assert_printed(
        make_graph(lambda n: (n.shape, n.ndim, n * 2, n > 1))(3),
        """
        graph of <lambda>(n: int)
          a = multiply(n, 2)    int
          b = greater(n, 1)     bool
          return ((), 0, a, b)
        """,
    )


def test_a_look_through_a_gradient_is_still_refused():
    with pytest.raises(DerivativeLostError):
        make_graph(fg.grad(lambda x: x * float(x)))(2.0)
    with pytest.raises(DerivativeLostError):
        fg.grad(lambda x: make_graph(lambda y: y * float(y))(x)(x))(2.0)


def test_a_recorded_value_does_not_outlive_the_recording():
    kept = []
    make_graph(kept.append)(np.ones(2))
    with pytest.raises(LeakedTracerError, match="make_graph"):
        np.sin(kept[0])


# Pictures.


@pytest.fixture
def graph():
    def f(x):
        return {'a "<b>" #1': x * 2.0}

    return make_graph(f)(np.ones(2))


def test_dot_draws_a_node_an_operation(graph):
    assert graph.dot().splitlines() == [
        'digraph "f" {',
        r'  in0 [shape=box, label="x\nfloat64[2]"];',
        r'  op0 [shape=box, style=rounded, label="a = multiply(x, 2.0)\nfloat64[2]"];',
        r"""  out [shape=plaintext, label="return {'a \"<b>\" #1': a}"];""",
        "  in0 -> op0;",
        "  op0 -> out;",
        "}",
    ]


def test_mermaid_writes_special_characters_as_entities(graph):
    assert graph.mermaid().splitlines() == [
        "flowchart TD",
        '  in0["x<br/>float64[2]"]',
        '  op0("a = multiply(x, 2.0)<br/>float64[2]")',
        """  out(["return {'a #34;#60;b#62;#34; #35;1': a}"])""",
        "  in0 --> op0",
        "  op0 --> out",
    ]


def test_a_notebook_shows_text_and_picture(graph):
    bundle = graph._repr_mimebundle_(include=None, exclude=None)
    assert bundle == {"text/plain": str(graph), "text/vnd.mermaid": graph.mermaid()}
    assert repr(graph) == str(graph)


# Running again.


def test_a_program_runs_again_and_is_differentiated():
    def f(p, x):
        h = np.tanh(x @ p["w"])
        return np.where(h > 0, h * h, np.sin(h))[np.array([0, 0, 1])].sum()

    p, x = {"w": np.array([0.3, -0.2])}, np.array([[1.0, 2.0], [3.0, 0.5]])
    graph = make_graph(f)(p, x)
    q, y = {"w": np.array([-0.7, 0.4])}, -x
    assert graph(q, y) == f(q, y)
    assert graph(q, x=y) == f(q, y)
    assert fg.grad(graph)(q, y)["w"].tolist() == fg.grad(f)(q, y)["w"].tolist()
    backward = make_graph(fg.grad(f))(p, x)
    assert backward(q, y)["w"].tolist() == fg.grad(f)(q, y)["w"].tolist()
    assert make_graph(graph)(p, x)(q, y) == f(q, y)


def test_recording_inside_a_gradient_keeps_what_surrounds_it():
    def f(x):
        return make_graph(lambda y: x * y * y)(1.0)(x)

    assert fg.grad(f)(2.0) == 12.0


def test_a_program_keeps_constants_and_gives_none_away():
    c = np.ones(2)
    graph = make_graph(lambda x: (x * c, c))(1.0)
    c *= 5
    product, constant = graph(1.0)
    constant *= 7
    assert product.tolist() == graph(1.0)[1].tolist() == [1.0, 1.0]


def test_a_program_runs_only_on_what_it_was_recorded_for():
    graph = make_graph(lambda p, mode: p["w"])({"w": np.ones(2)}, "fast")
    ones = np.ones(2)
    with pytest.raises(TypeError, match=r"p\['w'\]: float64\[2\], and got float64\[3\]"):
        graph({"w": np.ones(3)}, "fast")
    with pytest.raises(TypeError, match=r"got float32\[2\]"):
        graph({"w": np.ones(2, np.float32)}, "fast")
    with pytest.raises(TypeError, match="got str"):
        graph({"w": "ones"}, "fast")
    with pytest.raises(ValueError, match="mode='fast', and got 'slow'"):
        graph({"w": ones}, "slow")
    with pytest.raises(TreeError, match=r"p has no \['w'\]"):
        graph({"v": ones}, "fast")
    for args, kwargs in [
        (({"w": ones},), {}),
        (({"w": ones}, "fast", ones), {}),
        (({"w": ones}, "fast"), {"mode": "fast"}),
        (({"w": ones}, "fast"), {"x": ones}),
    ]:
        with pytest.raises(TypeError, match=r"takes the arguments \(p, mode\)"):
            graph(*args, **kwargs)
    with pytest.raises(TypeError, match=r"float\(t\) looked at a value"):
        make_graph(lambda x: x * float(x))(2.0)(2.0)


def test_a_long_program_is_printed_without_recursion():
    def f(x):
        for _ in range(20_000):
            x = x + 1.0
        return x

    lines = str(make_graph(f)(0.0)).splitlines()
    assert len(lines) == 20_002
    assert len({line.split()[0] for line in lines[1:-1]}) == 20_000


@pytest.mark.parametrize(
    "call, count",
    [
        (lambda x: np.maximum.accumulate(x), 5 * 6),
        (lambda x: np.logaddexp.accumulate(x), 5 * 6),
        (lambda x: np.add.reduceat(x, np.arange(0, 64, 4)), 4),
        (lambda x: np.maximum.reduceat(x, [0, 3, 10, 13, 20, 60]), 4 * 4),
    ],
    ids=["maximum.accumulate", "logaddexp.accumulate", "reduceat", "reduceat of several lengths"],
)
def test_few_operations_for_many_elements(call, count):
    assert len(fg.make_graph(call)(np.arange(64.0)).equations) <= count
