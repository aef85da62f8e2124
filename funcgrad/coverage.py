"""What becomes of every public callable of NumPy under a transform; prints docs/coverage.md.

A callable that traced values find in the registry is differentiated, unless a list here says that
its derivative is zero or that it is a question about shapes. The lists also name what refuses
traced values and what takes no arrays. Whatever is in none of these is ``None``, for which a test
fails, with every release of NumPy. ::

    python -m funcgrad.coverage > docs/coverage.md
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from .core import FUNCTIONS, UFUNCS, Tracer

#: Works; what it gives has derivative zero and is not followed.
ZERO = frozenset(
    """ceil floor rint trunc fix round around sign signbit spacing floor_divide heaviside isfinite
    isinf isnan isneginf isposinf isreal iscomplex isclose isin allclose array_equal array_equiv
    equal not_equal less less_equal greater greater_equal logical_and logical_not logical_or
    logical_xor all any argmax argmin argpartition argsort argwhere nanargmax nanargmin nonzero
    flatnonzero count_nonzero digitize searchsorted lexsort bitwise_and bitwise_or bitwise_xor
    bitwise_invert bitwise_not bitwise_left_shift bitwise_right_shift invert left_shift right_shift
    matrix_rank
    __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __bool__ __int__ __index__ __contains__
    __floordiv__ __rfloordiv__ __ifloordiv__ __and__ __or__ __xor__ __invert__ __lshift__
    __rshift__ __rand__ __ror__ __rxor__ __rlshift__ __rrshift__ __iand__ __ior__ __ixor__
    __ilshift__ __irshift__""".split()
)

#: Answers from shapes and dtypes, or makes an array that depends on nothing traced.
STRUCTURAL = frozenset(
    """zeros ones empty zeros_like ones_like empty_like eye identity arange indices ix_ tri
    diag_indices diag_indices_from tril_indices tril_indices_from triu_indices triu_indices_from
    mask_indices unravel_index ravel_multi_index broadcast_shapes shape ndim size iscomplexobj
    isrealobj isscalar iterable result_type promote_types min_scalar_type common_type can_cast
    isdtype issubdtype einsum_path may_share_memory shares_memory bartlett blackman hamming hanning
    fftfreq rfftfreq array2string array_repr array_str
    dtype itemsize nbytes device to_device __array_namespace__ __len__ __repr__ __str__
    __format__""".split()
)

#: Does not ask a traced argument, which then refuses; funcgrad.numpy has what stands in for some.
REFUSED = frozenset(
    """vectorize asanyarray ascontiguousarray asfortranarray asarray_chkfinite require fromfunction
    kaiser isfortran bitwise_count gcd lcm isnat packbits unpackbits busday_count busday_offset
    is_busday datetime_as_string bmat asmatrix save savez savez_compressed savetxt
    item tolist tobytes tofile dump dumps byteswap getfield setfield setflags base ctypes data
    flags strides __array__ __float__ __complex__ __hash__ __reduce__ __reduce_ex__ __setstate__
    __delitem__ __dlpack__ __dlpack_device__ __array_interface__ __array_struct__
    in1d trapz itemset newbyteorder tostring""".split()
)

#: Takes no arrays of numbers, or is how Python and NumPy find the others.
NO_ARRAYS = frozenset(
    """base_repr binary_repr datetime_data format_float_positional format_float_scientific
    from_dlpack frombuffer fromfile fromiter frompyfunc fromregex fromstring genfromtxt get_include
    get_printoptions getbufsize geterr geterrcall info load loadtxt mintypecode nested_iters
    printoptions set_printoptions setbufsize seterr seterrcall show_config show_runtime test
    typename __array_ufunc__ __array_function__ __array_finalize__ __array_priority__
    __array_wrap__ __class_getitem__ __sizeof__""".split()
)

#: Asks nobody, and is code over functions that do.
FORWARDED = frozenset({"row_stack"})

_LISTS = {
    "differentiated": FORWARDED,
    "zero": ZERO,
    "structural": STRUCTURAL,
    "refused": REFUSED,
    "no arrays": NO_ARRAYS,
}

NAMESPACES: dict[str, Any] = {
    "numpy": np,
    "numpy.linalg": np.linalg,
    "numpy.fft": np.fft,
    "numpy.emath": np.emath,
    "ndarray": np.ndarray,
}
#: What every ufunc of two operands has.
UFUNC_METHODS = "reduce accumulate reduceat outer at".split()


def names(namespace: str) -> list[str]:
    """The public callables of a namespace, for ``ndarray`` its members and operators too."""
    place = NAMESPACES[namespace]
    if place is np.ndarray:
        shown = (name for name in dir(place) if name.startswith("__") or name[0] != "_")
        return sorted(set(shown) - _OF_CLASSES)
    found = (name for name in dir(place) if not name.startswith("_"))
    return [name for name in found if callable(getattr(place, name))]


#: What classes have for the sake of Python.
_OF_CLASSES = frozenset(
    """__buffer__ __class__ __delattr__ __dir__ __doc__ __getattribute__ __getstate__ __init__
    __init_subclass__ __new__ __setattr__ __subclasshook__""".split()
)


def class_of(namespace: str, name: str) -> str | None:
    """``differentiated``, ``zero``, ``structural``, ``refused`` or ``no arrays``, else None."""
    listed = next((title for title, members in _LISTS.items() if name in members), None)
    if listed is not None:
        return listed
    thing = getattr(NAMESPACES[namespace], name)
    if isinstance(thing, type):
        return "no arrays"
    if namespace == "ndarray" and name == "ptp":  # which NumPy 2.0 has, to raise an error
        return "refused"
    if namespace == "ndarray":
        return "differentiated" if hasattr(Tracer, name) or _falls_back(name) else None
    return "differentiated" if thing in UFUNCS or thing in FUNCTIONS else None


def _falls_back(name: str) -> bool:
    """Whether Python turns ``t += v`` into ``t = t + v``."""
    return name.startswith("__i") and hasattr(Tracer, name.replace("__i", "__", 1))


_TITLES = {
    "differentiated": "Differentiated",
    "zero": "Derivative zero",
    "structural": "Answered from shapes and dtypes",
    "refused": "Refused by name",
    "no arrays": "Takes no arrays of numbers",
}


def page() -> str:
    """The text of docs/coverage.md, for the NumPy that is installed."""
    release = ".".join(np.__version__.split(".")[:2])
    found = {
        space: {t: [n for n in names(space) if class_of(space, n) == t] for t in _TITLES}
        for space in NAMESPACES
    }
    lines = [
        "# Coverage of NumPy",
        "",
        *_INTRODUCTION.format(release=release).strip().splitlines(),
        "",
        "| | " + " | ".join(_TITLES.values()) + " |",
        "|---" * (len(_TITLES) + 1) + "|",
    ]
    for space, by_title in found.items():
        counts = " | ".join(str(len(members)) for members in by_title.values())
        lines.append(f"| `{space}` | {counts} |")
    lines += ["", *_METHODS.strip().splitlines()]
    for space, by_title in found.items():
        lines += ["", f"## {space}"]
        for title, members in by_title.items():
            if members:
                words = f"**{_TITLES[title]}:** " + " ".join(f"`{n}`" for n in members)
                lines += ["", textwrap.fill(words, 100, break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


_INTRODUCTION = """
What becomes of every public callable of NumPy {release} when a traced value reaches it. The page is
written by `python -m funcgrad.coverage` from the registry of rules, and a test keeps it in step.

- *Differentiated* functions have the right value and derivative in reverse and forward mode, to
  every order, and under `vmap`. A keyword without a rule is refused by name.
- *Derivative zero*: they work; `grad` and `jvp` do not follow what they give.
- *Answered from shapes and dtypes*: queries, and arrays that depend on nothing traced.
- *Refused by name*: an error says what to write instead. [What is refused](numpy-code.md) has the
  list of remedies; [`funcgrad.numpy`](in-place.md) replaces `array`, `asarray`, `arange`,
  `full` and `vectorize`, which NumPy does not hand to a traced value.
- *Takes no arrays of numbers*: types, files, formatting and settings.

Of the 276 differentiable functions in `numpy`, `numpy.linalg` and `numpy.fft` (NumPy 2.4), autograd
1.9.1 has 159 right in reverse mode and 135 in forward mode, JAX 0.10.2 has 259 through a namespace
of its own, and MyGrad 2.5.0 has 81.
"""

_METHODS = """
The methods `reduce`, `accumulate`, `reduceat`, `outer` and `at` of a ufunc are differentiated where
the ufunc is. Functions whose result has a size that depends on the values (`unique`, `nonzero`,
`x[mask]` …) cannot be batched by `vmap`, which says so.
"""


if __name__ == "__main__":
    print(page(), end="")
