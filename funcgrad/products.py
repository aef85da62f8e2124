"""Products with second derivatives, at the cost of a few gradients and without the matrices.

Each composes the transforms: in ``hvp`` dual numbers go through a gradient, in ``vhp`` a cotangent
is pulled back through one. ``primals`` and the vector are tuples with one entry an argument,
pytrees, and so is the product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import random, tree
from .arguments import Arguments
from .core import raw
from .forward import Dual, check_tangents, check_tuple, jvp, push_forward
from .pull import Like
from .reverse import gradient_for, vjp
from .trace import name_of
from .transform import Argnums, check_function, described, is_real, named


def hvp(
    f: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    has_aux: bool = False,
) -> Any:
    """The product H·v of the Hessian of the scalar function ``f`` with ``tangents``.

    It is the directional derivative of the gradient: forward over reverse mode (Pearlmutter 1994,
    Fast exact multiplication by the Hessian, Neural Computation 6). ``primals`` is the tuple of f's
    arguments, and ``tangents`` and the result are tuples like it. With ``has_aux``, ``f`` returns
    ``(result, aux)`` and the return is ``(product, aux)``.

    >>> import numpy as np, funcgrad as fg
    >>> (product,) = fg.hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.ones(2),))
    >>> product
    array([ 6., 12.])
    """
    arguments, given = _checked("hvp", f, primals, tangents, "tangents", "hvp(f, (x,), (v,))")
    gradient = gradient_for("hvp", f, arguments.positions, has_aux)
    trace = Dual(f, "hvp")
    _, structure, product, aux = push_forward(trace, gradient, arguments, given, has_aux)
    product = tree.unflatten(structure, product)
    return (product, aux) if has_aux else product


def vhp(
    f: Callable[..., Any],
    primals: tuple[Any, ...],
    cotangents: tuple[Any, ...],
    has_aux: bool = False,
) -> Any:
    """The product v·H of ``cotangents`` with the Hessian of the scalar function ``f``.

    It is the pullback of the gradient: reverse over reverse mode. The Hessian is symmetric, and so
    this is ``hvp`` by another way, which needs no forward rules and takes more time and memory.
    Arguments and results are those of ``hvp``.

    >>> import numpy as np, funcgrad as fg
    >>> (product,) = fg.vhp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.ones(2),))
    >>> product
    array([ 6., 12.])
    """
    arguments, given = _checked("vhp", f, primals, cotangents, "cotangents", "vhp(f, (x,), (v,))")
    gradient = gradient_for("vhp", f, arguments.positions, has_aux)
    _, pullback, *aux = vjp(gradient, *primals, has_aux=has_aux)
    product = pullback(arguments.like(given))
    return (product, *aux) if has_aux else product


def ggnvp(
    model: Callable[..., Any],
    loss: Callable[[Any], Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    has_aux: bool = False,
) -> Any:
    """The product G·v of the generalised Gauss–Newton matrix of ``loss(model(*primals))``.

    G = Jᵀ·H·J with the Jacobian J of ``model`` and the Hessian H of ``loss``, a scalar function of
    the model's result (Schraudolph 2002, Fast curvature matrix-vector products for second-order
    gradient descent, Neural Computation 14, §3). It is the Hessian without the curvature of the
    model, and positive semidefinite where ``loss`` is convex. ``primals`` is the tuple of the
    model's arguments, and ``tangents`` and the result are tuples like it. With ``has_aux``,
    ``model`` returns ``(result, aux)`` and the return is ``(product, aux)``.

    >>> import numpy as np, funcgrad as fg
    >>> x = np.array([[1.0, 2.0], [0.0, 1.0]])
    >>> (product,) = fg.ggnvp(lambda w: x @ w, lambda z: np.sum(z**2), (np.ones(2),), (np.ones(2),))
    >>> product  # 2·xᵀx·v
    array([ 6., 14.])
    """
    check_function("ggnvp", loss, "ggnvp(model, loss, (x,), (v,))")
    _checked("ggnvp", model, primals, tangents, "tangents", "ggnvp(model, loss, (x,), (v,))")
    out, pullback, *aux = vjp(model, *primals, has_aux=has_aux)
    pushed = jvp(model, primals, tangents, has_aux)[1]
    slope = gradient_for("ggnvp", loss, 0, False)
    product = pullback(jvp(slope, (out,), (pushed,))[1])
    return (product, *aux) if has_aux else product


def elementwise_grad(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns the derivative of ``f`` at each element of its argument.

    Each element of f's result must depend on the one element of the argument at its place, and
    structure and shapes of the two are the same; the derivative is like the argument. Elements that
    mix raise a ``ValueError``: random weights on the results must come back as weights on the
    derivatives, to half of the digits, so that what mixes by less is not seen. With ``has_aux``,
    ``f`` returns ``(result, aux)`` and the derivative function ``(derivative, aux)``.

    >>> import numpy as np, funcgrad as fg
    >>> fg.elementwise_grad(lambda x: x**3)(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> fg.elementwise_grad(np.cumsum)(np.array([1.0, 2.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: elementwise_grad of cumsum: ...
    """

    @named("elementwise_grad", f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        arguments = Arguments(Dual(f, "elementwise_grad"), args, kwargs, argnums)
        return _diagonal(f, arguments, has_aux)

    return derivative


def _checked(
    transform: str, f: Any, primals: Any, vectors: Any, name: str, instead: str
) -> tuple[Arguments, list[Any]]:
    """The arguments of ``f``, with the leaves of the vectors, which are like them."""
    trace = Dual(f, transform)
    check_function(transform, f, instead)
    check_tuple("primals", primals, trace.label, instead)
    check_tuple(name, vectors, trace.label, instead)
    arguments = Arguments(trace, primals, {}, range(len(primals)))
    return arguments, check_tangents(arguments, vectors)


def _diagonal(f: Callable[..., Any], arguments: Arguments, has_aux: bool) -> Any:
    """The derivatives of f's result by the leaves of ``arguments``, element by element."""
    label = arguments.trace.label

    def of_leaves(*leaves: Any) -> Any:
        return f(*arguments.filled(leaves), **arguments.kwargs)

    of_leaves.__name__ = name_of(f)
    out, pullback, *aux = vjp(of_leaves, *arguments.leaves, has_aux=has_aux)
    outs, structure = tree.flatten(out)
    for position in arguments.positions:
        argument = arguments.args[position]
        tree.check_same(structure, argument, f"argument {position}", "the result", label)
    keys = random.split(random.key(0), max(len(outs), 1))
    weights = []
    for i, x in enumerate(arguments.leaves):
        out = outs[i % len(outs)]
        if not is_real(out) or np.shape(out) != np.shape(x):
            raise ValueError(
                f"{label}: {arguments.name(i)} is {described(x)}, and the result at its place "
                f"{described(out)}. Both must be floats of one shape; funcgrad.jacobian takes any."
            )
    for key, out in zip(keys, outs):
        weights.append(random.normal(key, np.shape(out), Like(out).dtype))
    ones = [np.ones(np.shape(out), Like(out).dtype) for out in outs]
    slopes = pullback(tree.unflatten(structure, ones))
    probes = pullback(tree.unflatten(structure, weights))
    for i, (slope, probe) in enumerate(zip(slopes, probes)):
        if not _alike(raw(probe), raw(slope * weights[i % len(outs)])):
            raise ValueError(
                f"{label}: elements of the result depend on more than the element of "
                f"{arguments.name(i)} at their place. Write funcgrad.jacobian for all of these "
                f"derivatives, funcgrad.grad for those of the sum."
            )
    derivative = arguments.like(slopes)
    return (derivative, *aux) if has_aux else derivative


def _alike(x: Any, y: Any) -> bool:
    """Whether two arrays are equal up to rounding: half of the digits of each element, or a
    hundredfold unit of the largest."""
    eps = float(np.finfo(y.dtype).eps)
    largest = np.max(np.abs(y), initial=0.0, where=np.isfinite(y))
    return np.allclose(x, y, rtol=eps**0.5, atol=100 * eps * largest, equal_nan=True)
