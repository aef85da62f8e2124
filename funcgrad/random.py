"""Random numbers from keys: the same key gives the same numbers, always.

A key is a plain ``uint64`` array of shape ``(2,)``, and nothing here remembers anything: a draw
is a function of its key, so a program says where its randomness comes from by passing keys and
makes fresh ones with `split` and `fold_in`. The words behind every draw are those of the
counter-based generator Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
3", SC 2011), which takes a 128-bit key and a 256-bit counter. The top word of the counter tells
draws, splits and folds apart, so a key's children have nothing in common with what is drawn from
the key itself. Values are made from the words by the formulas given below and not by NumPy's
distributions, whose streams may change between releases: `bits`, `uniform`, `randint`,
`bernoulli` and `permutation` are the same to the last bit on every platform and NumPy version,
`normal` to a few units in the last place (the sine and logarithm are the platform's).

Under ``vmap`` each key gives what it gives alone, so ``vmap(normal)(split(key, 8))`` is eight
independent draws.

Use a key once. Two draws from one key are made of the same words:

>>> from funcgrad import random
>>> weights_key, noise_key = random.split(random.key(0))
>>> random.normal(weights_key, (784, 10), np.float32).shape
(784, 10)
"""

import math
import operator
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .batching import each
from .core import Primitive, Tracer, operand, raw
from .rules.indexing import getitem
from .verbs import constant

Key = NDArray[np.uint64]
Shape = int | Sequence[int]

_DRAW, _SPLIT, _FOLD = range(3)  # the counter's top word

_PRECISION: Final = {  # bits in the significand
    np.dtype(np.float16): 11,
    np.dtype(np.float32): 24,
    np.dtype(np.float64): 53,
}


def key(seed: int) -> Key:
    """The key of an integer seed, ``0 <= seed < 2**128``: its high and its low 64 bits.

    >>> key(784).tolist()
    [0, 784]
    """
    number = _integer("seed", seed, 128)
    return np.array([number >> 64, number & (2**64 - 1)], np.uint64)


def split(key: Key, num: Shape = 2) -> Key:
    """`num` independent keys, shape ``(num, 2)``, or ``(*num, 2)`` where `num` is a shape.

    >>> first, second = split(key(0))
    >>> split(key(0), (3, 4)).shape
    (3, 4, 2)
    """
    shape = _shape(num)
    return _WORDS(key, 0, count=2 * math.prod(shape), domain=_SPLIT).reshape(*shape, 2)


def fold_in(key: Key, data: int) -> Key:
    """The key that belongs to `key` and an integer, ``0 <= data < 2**64``, such as a step number.

    >>> keys = [fold_in(key(0), step) for step in range(3)]
    """
    return _WORDS(key, data, count=2, domain=_FOLD)


def bits(key: Key, shape: Shape = ()) -> NDArray[np.uint64]:
    """Independent 64-bit words, every value equally likely.

    >>> bits(key(0), 3).dtype
    dtype('uint64')
    """
    shape = _shape(shape)
    return _WORDS(key, 0, count=math.prod(shape), domain=_DRAW).reshape(shape)


def uniform(
    key: Key,
    shape: Shape = (),
    dtype: DTypeLike = np.float64,
    minval: float = 0.0,
    maxval: float = 1.0,
) -> NDArray[Any]:
    """Numbers spread evenly over ``minval <= x < maxval``.

    The leading bits of a word, as many as `dtype` (float16, float32 or float64) has precision,
    are the digits of a fraction below 1, which is scaled. The bounds hold as rounded to `dtype`.

    >>> draws = uniform(key(0), 1000, np.float32, minval=-2.0, maxval=2.0)
    >>> bool((draws >= -2.0).all() and (draws < 2.0).all())
    True
    """
    dtype, shape = _real(dtype), _shape(shape)
    with np.errstate(over="ignore"):
        low, high = np.array([minval, maxval], dtype)
        span = high - low
    if not 0.0 < span < np.inf:
        raise ValueError(
            f"uniform needs minval < maxval and a finite distance between them in {dtype}, "
            f"got minval={minval!r}, maxval={maxval!r}"
        )
    return _UNIFORM(key, shape=shape, low=low, high=high)


def normal(key: Key, shape: Shape = (), dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Numbers of the standard normal distribution, in float16, float32 or float64.

    Two words u, v make two numbers, √(−2 ln u)·cos v and √(−2 ln u)·sin v, with u in (0, 1] and
    v in [−π, π] (Box and Muller, "A note on the generation of random normal deviates", 1958).

    >>> draws = normal(key(0), 10_000, np.float32)
    >>> round(abs(float(draws.mean())), 1), round(float(draws.std()), 1)
    (0.0, 1.0)
    """
    return _NORMAL(key, shape=_shape(shape), dtype=_real(dtype))


def randint(key: Key, shape: Shape, minval: int, maxval: int) -> NDArray[np.int64]:
    """Integers ``minval <= i < maxval`` as int64, every value exactly equally likely.

    >>> sorted(set(randint(key(0), 100, 1, 7).tolist()))
    [1, 2, 3, 4, 5, 6]
    """
    low, high = operator.index(minval), operator.index(maxval)
    if not -(2**63) <= low < high < 2**63:
        raise ValueError(
            f"randint needs minval < maxval, both in int64, got minval={low}, maxval={high}"
        )
    return _RANDINT(key, shape=_shape(shape), low=low, high=high)


def bernoulli(key: Key, p: float = 0.5, shape: Shape = ()) -> NDArray[np.bool_]:
    """Booleans that are True with probability `p`.

    >>> bernoulli(key(0), 0.0, 3).tolist()
    [False, False, False]
    """
    if not np.all((raw(p) >= 0.0) & (raw(p) <= 1.0)):
        raise ValueError(f"bernoulli needs a probability 0 <= p <= 1, got {p!r}")
    below = uniform(key, shape) < p
    return below if type(below) is Tracer else np.asarray(below)


def permutation(key: Key, x: int | ArrayLike) -> NDArray[Any]:
    """The integers below `x` in random order, or a copy of an array shuffled along its first axis.

    The order is that of sorted random words.

    >>> sorted(permutation(key(0), 4).tolist())
    [0, 1, 2, 3]
    """
    if np.ndim(x) > 0:
        return getitem(operand(x), permutation(key, np.shape(x)[0]))
    return np.argsort(bits(key, _integer("x", x, 63)), kind="stable")


# The draws as primitives: what they do for a plain key. Under vmap they run key by key.


def _words(key: Key, start: int, *, count: int, domain: int) -> NDArray[np.uint64]:
    counter = np.array([_integer("data", start, 64), 0, 0, domain], np.uint64)
    return np.random.Philox(key=_checked(key), counter=counter).random_raw(count)


def _uniform(key: Key, *, shape: tuple[int, ...], low: Any, high: Any) -> NDArray[Any]:
    precision = _PRECISION[low.dtype]
    digits = _words(key, 0, count=math.prod(shape), domain=_DRAW) >> np.uint64(64 - precision)
    draws = digits.view(np.int64).astype(low.dtype)
    draws *= 2.0**-precision
    draws *= high - low
    draws += low
    # Adding `low` can round up to `high` itself.
    return np.minimum(draws, np.nextafter(high, low)).reshape(shape)


def _normal(key: Key, *, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    compute = np.result_type(dtype, np.float32)  # a float16 would make few and short tails
    size = math.prod(shape)
    half = (size + 1) // 2
    words = _words(key, 0, count=2 * half, domain=_DRAW)
    fraction = ((words[:half] >> np.uint64(1)) | np.uint64(1)).view(np.int64).astype(compute)
    radius = np.sqrt(-2.0 * np.log(fraction * 2.0**-63))
    angle = words[half:].view(np.int64).astype(compute) * (math.pi * 2.0**-63)
    draws = np.empty(2 * half, dtype)
    draws[:half] = radius * np.cos(angle)
    draws[half:] = radius * np.sin(angle)
    return draws[:size].reshape(shape)


def _randint(key: Key, *, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
    span = high - low
    last = np.uint64(2**64 - 2**64 % span - 1)  # words above it would favour small remainders
    words = bits(key, math.prod(shape))
    while (rejected := words > last).any():
        key = fold_in(key, 0)
        words[rejected] = bits(key, int(rejected.sum()))
    return (words % np.uint64(span) + np.uint64(low % 2**64)).view(np.int64).reshape(shape)


def _key_by_key(primitive: Any, size: int, operands: Any, mine: Any, keywords: Any) -> Any:
    if size:
        return each(primitive, size, operands, mine, keywords)
    # Without examples any key tells the shape of a result.
    some = [np.zeros(x.shape[1:], x.dtype) if own else x for x, own in zip(operands, mine)]
    like = primitive(*some, **keywords)
    return np.empty((0, *like.shape), like.dtype)


_WORDS: Primitive = constant(_words, 2, batch=_key_by_key)
_UNIFORM: Primitive = constant(_uniform, batch=_key_by_key)
_NORMAL: Primitive = constant(_normal, batch=_key_by_key)
_RANDINT: Primitive = constant(_randint, batch=_key_by_key)


def _checked(key: Any) -> Key:
    if isinstance(key, np.ndarray) and key.dtype == np.uint64:
        if key.shape == (2,):
            return key
        if key.shape[-1:] == (2,):
            raise ValueError(
                f"expected one key, of shape (2,), got an array of keys of shape {key.shape}: "
                "take them one at a time, as in vmap(random.normal)(keys)"
            )
    got = (
        f"an array of dtype {key.dtype} and shape {key.shape}"
        if isinstance(key, np.ndarray)
        else f"{type(key).__name__} {key!r}"
    )
    raise TypeError(
        f"expected a key, a uint64 array of shape (2,) as random.key(seed) makes it, got {got}"
    )


def _integer(name: str, value: Any, width: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer, got {type(value).__name__} {value!r}"
        ) from None
    if not 0 <= number < 2**width:
        raise ValueError(f"{name} must satisfy 0 <= {name} < 2**{width}, got {number}")
    return number


def _shape(shape: Any) -> tuple[int, ...]:
    lengths = shape if isinstance(shape, Sequence) else (shape,)
    return tuple(_integer("a length in shape", length, 63) for length in lengths)


def _real(dtype: DTypeLike) -> np.dtype[Any]:
    real = np.dtype(dtype)
    if real not in _PRECISION:
        raise TypeError(f"dtype must be float16, float32 or float64, got {real}")
    return real
