"""A tracer that outlives its transform is refused, naming where it came from."""

import copy
import operator

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import grad, jacrev, jvp, vjp

VECTOR = np.array([1.0, 2.0, 3.0])


@pytest.fixture
def leaked():
    kept = []

    def loss(x):
        kept.append(2 * x)
        return np.sum(x)

    grad(loss)(VECTOR)
    return kept[0]


USES = {
    "operator": lambda t: t + 1.0,
    "reflected": lambda t: 1.0 - t,
    "comparison": lambda t: t > 0,
    "ufunc": np.sin,
    "reduction": np.sum,
    "method": lambda t: t.mean(),
    "index": lambda t: t[0],
    "transpose": lambda t: t.T,
    "stack": lambda t: np.stack([t, t]),
    "where": lambda t: np.where(VECTOR > 0, t, 0.0),
    "loop": list,
    "deepcopy": lambda t: copy.deepcopy(t) + 1.0,
    "inside another grad": lambda t: grad(lambda y: np.sum(y * t))(VECTOR),
    "inside nested grads": lambda t: grad(lambda x: grad(lambda y: np.sum(y * x * t))(1.0))(1.0),
    "argument of grad": lambda t: grad(np.sum)(t),
    "argument of jvp": lambda t: jvp(np.sin, (t,), (VECTOR,)),
    "tangent": lambda t: jvp(np.sin, (VECTOR,), (t,)),
    "result": lambda t: vjp(lambda x: (x, t), 2.0),
    "result of jvp": lambda t: jvp(lambda x: t, (2.0,), (1.0,)),
    "auxiliary result": lambda t: grad(lambda x: (x, {"t": t}), has_aux=True)(2.0),
    "cotangent": lambda t: vjp(np.sin, VECTOR)[1](t),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_leaked_tracer(use, leaked):
    with pytest.raises(fg.LeakedTracerError, match=r"shape \(3,\) and dtype float64.*grad of loss"):
        use(leaked)


@pytest.mark.parametrize(
    "convert",
    [bool, int, float, complex, operator.index, np.array, lambda t: t.item(), lambda t: t.tolist()],
)
def test_a_leaked_tracer_is_not_converted(convert):
    kept = []
    grad(lambda x: kept.append(x) or x)(2.0)
    with pytest.raises(fg.LeakedTracerError, match=r"shape \(\) and dtype float64.*grad of"):
        convert(kept[0])


def test_a_tracer_leaked_from_an_inner_transform():
    def outer(x):
        kept = []
        grad(lambda y: kept.append(x * y) or x * y)(1.0)
        return kept[0] * x

    with pytest.raises(fg.LeakedTracerError):
        grad(outer)(2.0)


def test_a_tracer_leaked_from_jvp_and_vjp():
    kept = []
    jvp(lambda x: kept.append(x) or x, (1.0,), (1.0,))
    vjp(lambda x: kept.append(x) or x, 1.0)
    jacrev(lambda x: kept.append(x) or x)(1.0)
    for t, name in zip(kept, ("jvp", "vjp", "jacrev"), strict=True):
        with pytest.raises(fg.LeakedTracerError, match=f"{name} of"):
            t * 2.0


def test_a_tracer_leaked_by_a_function_that_raised():
    kept = []

    def fails(x):
        kept.append(x)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        grad(fails)(1.0)
    with pytest.raises(fg.LeakedTracerError, match="grad of fails"):
        kept[0] + 1.0
    assert grad(lambda x: x * x)(3.0) == 6
