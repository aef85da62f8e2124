"""Jacobians and Hessians: the columns are pushed forward together, or the rows pulled back.

A stack of basis vectors goes through forward mode, or backwards along one tape, as the examples of
``vmap``. Forward costs as many pushes as the arguments have elements, reverse as many pulls as the
result has. All results are arranged alike: shaped like f's result, with in place of each leaf a
pytree like the differentiated argument (a tuple of them where ``argnums`` is a sequence), whose
leaves have the shape ``result.shape + argument.shape``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import tree
from .arguments import Arguments
from .core import Tracer, raw
from .forward import Dual, push_forward
from .pull import Like
from .reverse import Recording
from .trace import name_of
from .transform import Argnums, check_outputs, named, plain
from .vmap import check_count, vmap


def jacfwd(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """A function that returns the Jacobian of ``f``, by forward mode: one push for each element of
    the arguments, in the memory of a few calls of ``f``.

    The pushes run together, or with ``chunk_size`` no more than so many at once, each time calling
    ``f``. The leaves have the dtype of the result. With ``has_aux``, ``f`` returns
    ``(result, aux)`` and the Jacobian function ``(jacobian, aux)``. With ``holomorphic``, arguments
    and results are complex; without it the arguments are real.

    >>> import numpy as np, funcgrad as fg
    >>> fg.jacfwd(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @named("jacfwd", f)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        return _by_columns("jacfwd", f, args, kwargs, argnums, has_aux, chunk_size, holomorphic)

    _check(chunk_size, jacobian.__name__)
    return jacobian


def jacrev(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """A function that returns the Jacobian of ``f``, by reverse mode: one pull for each element of
    the result, all along one tape.

    The pulls run together, or with ``chunk_size`` no more than so many at once. The leaves have the
    dtype of the argument. With ``has_aux``, ``f`` returns ``(result, aux)`` and the Jacobian
    function ``(jacobian, aux)``. With ``holomorphic``, arguments and results are complex; without
    it the results are real.

    >>> import numpy as np, funcgrad as fg
    >>> fg.jacrev(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @named("jacrev", f)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        rows = _Rows("jacrev", f, args, kwargs, argnums, has_aux, holomorphic)
        return rows.jacobian(chunk_size)

    _check(chunk_size, jacobian.__name__)
    return jacobian


def jacobian(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """A function that returns the Jacobian of ``f``, by the mode that takes fewer steps.

    That is ``jacrev`` where the result has no more elements than the arguments, else ``jacfwd``.
    The sizes are known when ``f`` has run, so that for ``jacfwd`` it runs once more.
    With ``holomorphic``, arguments and results are complex; without it both are real.

    >>> import numpy as np, funcgrad as fg
    >>> fg.jacobian(lambda x: x * np.ones(3))(2.0)
    array([1., 1., 1.])
    """

    @named("jacobian", f)
    def cheaper(*args: Any, **kwargs: Any) -> Any:
        rows = _Rows("jacobian", f, args, kwargs, argnums, has_aux, holomorphic)
        rows.run.arguments.check_holomorphic(holomorphic)
        if rows.count <= sum(Like(x).size for x in rows.run.arguments.leaves):
            return rows.jacobian(chunk_size)
        rows.run.release()
        return _by_columns("jacobian", f, args, kwargs, argnums, has_aux, chunk_size, holomorphic)

    _check(chunk_size, cheaper.__name__)
    return cheaper


def hessian(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """A function that returns the second derivatives of ``f``, by forward over reverse mode.

    Each leaf of the Jacobian has in its place a pytree like the differentiated argument again; for
    a scalar function of one array that is one symmetric array of shape ``x.shape + x.shape``.
    ``chunk_size``, ``has_aux`` and ``holomorphic`` are those of ``jacfwd``.

    >>> import numpy as np, funcgrad as fg
    >>> fg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """

    def first(*args: Any, **kwargs: Any) -> Any:
        rows = _Rows("hessian", f, args, kwargs, argnums, has_aux, holomorphic)
        return rows.jacobian(chunk_size=None)

    first.__name__ = name_of(f)  # for errors

    @named("hessian", f)
    def second(*args: Any, **kwargs: Any) -> Any:
        return _by_columns(
            "hessian", first, args, kwargs, argnums, has_aux, chunk_size, holomorphic
        )

    _check(chunk_size, second.__name__)
    return second


def _by_columns(
    transform: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    argnums: Argnums,
    has_aux: bool,
    chunk_size: int | None,
    holomorphic: bool,
) -> Any:
    arguments = Arguments(Dual(f, transform), args, kwargs, argnums)
    arguments.check_holomorphic(holomorphic)
    if not arguments.leaves:  # and so no column to tell the form of the rows
        return _Rows(transform, f, args, kwargs, argnums, has_aux, holomorphic).jacobian(chunk_size)
    likes = [Like(x) for x in arguments.leaves]

    def push(*seeds: Any) -> Any:
        trace = Dual(f, transform)
        out, _, tangents, aux = push_forward(trace, f, arguments, list(seeds), has_aux)
        _check_dtypes(out, "c" if holomorphic else "fc", trace.label)
        return tangents, (out, aux)

    pieces = []
    for seeds in _basis(likes, chunk_size):
        tangents, (out, aux) = vmap(push, out_axes=(0, None))(*seeds)
        pieces.append(tangents)
    columns = []
    for stack in _joined(pieces):
        blocks = [
            np.moveaxis(block, range(like.ndim), range(-like.ndim, 0))
            for block, like in zip(_cut(stack, likes), likes)
        ]
        columns.append(arguments.like([_own(b, x) for b, x in zip(blocks, arguments.leaves)]))
    result = tree.unflatten(tree.structure(out), columns)
    return (result, aux) if has_aux else result


class _Rows:
    """A recorded run of ``f``, whose Jacobian is pulled back."""

    def __init__(
        self,
        transform: str,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: Argnums,
        has_aux: bool,
        holomorphic: bool,
    ) -> None:
        self.run = Recording(
            transform, f, args, kwargs, argnums, has_aux=has_aux, holomorphic=holomorphic
        )
        self.has_aux = has_aux
        self.outs, self.structure = tree.flatten(self.run.out)
        check_outputs(self.outs, self.structure.paths(), self.run.tape.label)
        _check_dtypes(self.run.out, "c" if holomorphic else "f", self.run.tape.label)
        self.likes = [Like(t.value if self.run.owns(t) else t) for t in self.outs]
        self.count = sum(like.size for like in self.likes)

    def jacobian(self, chunk_size: int | None) -> Any:
        run, likes = self.run, self.likes

        def pull(*seeds: Any) -> list[Any]:
            return run.pull(self.outs, list(seeds))

        if not likes:
            rows = []
        elif len(likes) == 1 and likes[0].shape == ():
            rows = [run.arguments.like(pull(likes[0].dtype.type(1)))]
        else:
            pieces = [vmap(pull)(*seeds) for seeds in _basis(likes, chunk_size)]
            cut = [_cut(stack, likes) for stack in _joined(pieces)]
            rows = [
                run.arguments.like([_own(b, x) for b, x in zip(blocks, run.arguments.leaves)])
                for blocks in zip(*cut)
            ]
        run.release()
        result = tree.unflatten(self.structure, rows)
        return (result, plain(run.tape, run.aux)) if self.has_aux else result


def _basis(likes: list[Like], chunk_size: int | None) -> Iterator[list[np.ndarray]]:
    """The standard basis of all leaves together, in stacks of ``chunk_size``, cut into leaves."""
    size = sum(like.size for like in likes)
    step = chunk_size or max(size, 1)
    for start in range(0, max(size, 1), step):
        count = min(step, size - start)
        seeds, offset = [], 0
        for like in likes:
            rows = np.eye(count, like.size, start - offset, like.dtype)
            seeds.append(rows.reshape(count, *like.shape))
            offset += like.size
        yield seeds


def _joined(pieces: list[list[Any]]) -> Iterator[Any]:
    """The stack of each leaf, from those of the chunks, which are let go on the way."""
    columns = [list(stacks) for stacks in zip(*pieces)]
    pieces.clear()
    for stacks in columns:
        whole = np.concatenate(stacks) if len(stacks) > 1 else stacks[0]
        stacks.clear()
        yield whole


def _cut(stack: Any, likes: list[Like]) -> list[Any]:
    """A stack with one entry for each element of the leaves, as one array for each of these."""
    blocks, offset = [], 0
    for like in likes:
        block = stack[offset : offset + like.size]
        blocks.append(np.reshape(block, (*like.shape, *stack.shape[1:])))
        offset += like.size
    return blocks


def _own(block: Any, argument: Any) -> Any:
    """``block`` as an array of the caller's own, a scalar where both sides are."""
    if type(block) is Tracer:
        return block
    return block.copy() if block.shape or isinstance(raw(argument), np.ndarray) else block[()]


def _check_dtypes(out: Any, kinds: str, label: str) -> None:
    for path, leaf in tree.leaves_with_path(out):
        dtype = Like(leaf).dtype
        if dtype.kind not in kinds:
            wanted = {
                "f": "only real floats have a Jacobian, but for holomorphic=True",
                "fc": "only floats have a Jacobian",
                "c": "with holomorphic=True the results must be complex",
            }
            raise TypeError(
                f"{label}: the result{tree.keystr(path)} has dtype {dtype}, and {wanted[kinds]}."
            )


def _check(chunk_size: int | None, label: str) -> None:
    if chunk_size is not None:
        check_count(chunk_size, "chunk_size", 1, label)
