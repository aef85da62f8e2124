"""Any transform of any transform of a program: random compositions against differences.

What the outermost transform of a composition gives is compared with what it gives in a library
whose derivatives are differences and whose loops are Python's; what is inside, which was checked
the same way before, stays as it is. So it goes to depth four, and then the gradient through all of
it is compared with differences as well.
"""

import numpy as np
import pytest
from compositions import POINT, TRANSFORMS, Library, Unruled, compositions

import funcgrad
from funcgrad import grad

EPS = np.finfo(float).eps
# Differences of fourth order: rounding costs eps / h, and what is left out some h**4. Both are in
# proportion to derivatives of the program, for which there is the factor.
H = EPS ** (1 / 5)
TOLERANCE = 1e4 * EPS / H

FUNCGRAD = Library(np, *[getattr(funcgrad, name) for name in Library._fields[1:]])


def slope(f):
    """The derivative at 0 of a function of one number."""
    return (8.0 * (f(H) - f(-H)) - (f(2.0 * H) - f(-2.0 * H))) / (12.0 * H)


def grad_by_differences(f):
    def gradient(x, *others):
        return np.array([slope(lambda h: f(x + h * e, *others)) for e in np.eye(len(x))])  # noqa: B023

    return gradient


def jvp_by_differences(f, primals, tangents):
    moved = slope(lambda h: f(*[x + h * t for x, t in zip(primals, tangents)]))
    return f(*primals), moved


def loop_for_vmap(f, in_axes=0, out_axes=0):
    def mapped(*args):
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
        size = next(x.shape[axis] for x, axis in zip(args, axes) if axis is not None)
        rows = [
            f(*[x if axis is None else np.take(x, i, axis) for x, axis in zip(args, axes)])
            for i in range(size)
        ]
        return np.stack(rows, axis=out_axes)

    return mapped


def loop_for_scan(f, init, xs):
    ys = []
    for x in xs:
        init, y = f(init, x)
        ys.append(y)
    return init, np.stack(ys)


DIFFERENCES = Library(
    np=np,
    grad=grad_by_differences,
    jvp=jvp_by_differences,
    vjp=None,
    vmap=loop_for_vmap,
    scan=loop_for_scan,
    checkpoint=lambda f: f,
    custom_jvp=Unruled,
    custom_vjp=Unruled,
)

COMPOSITIONS = compositions()


def assert_close(got, want):
    scale = max(1.0, np.max(np.abs(want)))
    np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE * scale)


@pytest.mark.parametrize("composition", COMPOSITIONS, ids=map(str, COMPOSITIONS))
def test_a_composition_agrees_with_differences(composition):
    for depth, outermost in enumerate(composition.transforms):
        inside = composition.inner(depth).function(FUNCGRAD)
        got = TRANSFORMS[outermost](FUNCGRAD, inside)(*POINT)
        assert_close(got, TRANSFORMS[outermost](DIFFERENCES, inside)(*POINT))

    loss = composition.loss(FUNCGRAD)
    gradient = grad(loss, argnums=(0, 1))(*POINT)
    along = POINT[::-1]
    _, want = jvp_by_differences(loss, POINT, along)
    assert_close(sum(g @ v for g, v in zip(gradient, along)), want)
