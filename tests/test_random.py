"""Keyed draws: the same bits everywhere, the right distributions, and keys that do not mix."""

import itertools
import math

import numpy as np
import pytest

from funcgrad import grad, random, vmap

KEY = random.key(2024)
FLOATS = [np.float16, np.float32, np.float64]
SIZE = 200_000

# For a fixed key a statistic is a fixed number. Five standard deviations of what chance allows
# is far enough to hold and near enough to fail on a wrong formula.
SIGMAS = 5.0


def philox(key, counter):
    """Philox4x64-10 written out from the paper."""
    (k0, k1), (c0, c1, c2, c3) = key, counter
    for _ in range(10):
        a, b = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (b >> 64) ^ c1 ^ k0, b % 2**64, (a >> 64) ^ c3 ^ k1, a % 2**64
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) % 2**64, (k1 + 0xBB67AE8584CAA73B) % 2**64
    return [c0, c1, c2, c3]


def test_the_reference_gives_the_published_words():
    assert philox((0, 0), (0, 0, 0, 0)) == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]


def test_words_are_philox_of_key_and_counter():
    seed = (5 << 64) + 2024
    key = random.key(seed)
    assert key.tolist() == [5, 2024]
    assert random.bits(key, 8).tolist() == philox(key.tolist(), (1, 0, 0, 0)) + philox(
        key.tolist(), (2, 0, 0, 0)
    )
    assert random.split(key).ravel().tolist() == philox(key.tolist(), (1, 0, 0, 1))
    assert random.fold_in(key, 41).tolist() == philox(key.tolist(), (42, 0, 0, 2))[:2]


def test_golden_values():
    """Numbers that must never change: people's results are repeated from them."""
    assert random.bits(KEY, 2).tolist() == [0xF51C01B5A9891ACB, 0x55835AB68762DC80]
    assert random.split(KEY)[1].tolist() == [0x64D9D1BA8CB72665, 0x87C16597CC9A9C3D]
    assert random.fold_in(KEY, 7).tolist() == [0x29B54B7D1AE6FB10, 0x5F7826C2AD7FF347]
    assert [float(v).hex() for v in random.uniform(KEY, 2)] == [
        "0x1.ea38036b53123p-1",
        "0x1.560d6ada1d8b6p-2",
    ]
    assert [float(v).hex() for v in random.uniform(KEY, 2, np.float32)] == [
        "0x1.ea38020000000p-1",
        "0x1.560d680000000p-2",
    ]
    assert random.permutation(KEY, 8).tolist() == [4, 5, 7, 2, 3, 1, 6, 0]
    assert random.randint(KEY, 8, -5, 5).tolist() == [0, -1, -1, -1, 1, 0, 4, 4]
    assert random.bernoulli(KEY, 0.5, 4).tolist() == [False, True, True, True]


@pytest.mark.parametrize("dtype", FLOATS)
def test_golden_normals(dtype):
    golden = [0.17612985443799958, -0.5252311305734979, 0.23648228577210184]
    np.testing.assert_allclose(random.normal(KEY, 3, dtype), golden, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("draw", [random.normal, random.uniform])
def test_shape_and_dtype(draw, dtype):
    for shape, expected in [((), ()), (3, (3,)), ((0, 2), (0, 2)), ([2, 3], (2, 3))]:
        values = draw(KEY, shape, dtype)
        assert type(values) is np.ndarray
        assert values.shape == expected
        assert values.dtype == dtype
        assert values.flags.writeable


def test_every_draw_of_shape_nothing_is_an_array():
    draws = [
        random.bits(KEY),
        random.normal(KEY),
        random.uniform(KEY),
        random.randint(KEY, (), 0, 9),
        random.bernoulli(KEY),
    ]
    assert [(type(draw), draw.shape) for draw in draws] == [(np.ndarray, ())] * 5


def test_a_draw_is_a_function_of_its_key():
    before = KEY.copy()
    first = random.normal(KEY, 5)
    random.uniform(random.key(1), 100)
    np.testing.assert_array_equal(random.normal(KEY, 5), first)
    np.testing.assert_array_equal(KEY, before)


def test_keys_unpack_index_and_take_a_shape():
    first, second = random.split(KEY)
    grid = random.split(KEY, (2, 3))
    assert grid.shape == (2, 3, 2)
    assert grid.dtype == np.uint64
    np.testing.assert_array_equal(grid[0, 0], first)
    np.testing.assert_array_equal(grid[0, 1], second)
    assert random.normal(grid[1, 2], 4).shape == (4,)


def test_keys_of_one_family_are_all_different():
    children = random.split(KEY, 1000)
    folds = [random.fold_in(KEY, n) for n in [*range(1000), 2**64 - 1]]
    grandchildren = random.split(children[0], 1000)
    family = [tuple(k.tolist()) for k in itertools.chain([KEY], children, folds, grandchildren)]
    assert len(set(family)) == len(family) == 3002


def correlation(x, y):
    return float(np.corrcoef(x, y)[0, 1]) * math.sqrt(len(x))


def test_children_parent_and_neighbouring_seeds_are_independent():
    keys = [KEY, *random.split(KEY, 3), random.fold_in(KEY, 0), random.key(2025)]
    draws = [random.normal(k, SIZE) for k in keys]
    for x, y in itertools.combinations(draws, 2):
        assert abs(correlation(x, y)) < SIGMAS
        assert abs(correlation(x[1:], y[:-1])) < SIGMAS


def kolmogorov_smirnov(draws, cdf):
    """√n × the largest distance between the empirical and the true distribution function."""
    n = len(draws)
    expected = np.array([cdf(x) for x in np.sort(draws).astype(float)])
    gaps = np.maximum(np.arange(1, n + 1) / n - expected, expected - np.arange(n) / n)
    return math.sqrt(n) * gaps.max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_has_the_normal_distribution(dtype):
    draws = random.normal(KEY, SIZE, dtype)
    wide = draws.astype(np.float64)
    assert abs(wide.mean()) < SIGMAS / math.sqrt(SIZE)
    assert abs(wide.var() - 1.0) < SIGMAS * math.sqrt(2 / SIZE)
    assert abs((wide**4).mean() - 3.0) < SIGMAS * math.sqrt(96 / SIZE)
    assert 4.0 < abs(wide).max() < 6.5
    assert abs(correlation(wide[: SIZE // 2], wide[SIZE // 2 :])) < SIGMAS  # the two of a pair
    # P(√n·D > 2) is about 7e-4
    assert kolmogorov_smirnov(draws, lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2)))) < 2.0


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_has_the_uniform_distribution(dtype):
    draws = random.uniform(KEY, SIZE, dtype, minval=-1.0, maxval=3.0).astype(np.float64)
    step = 4.0 * np.finfo(dtype).eps  # draws lie at the lower end of their cell
    assert abs(draws.mean() - 1.0) < SIGMAS * math.sqrt(16 / 12 / SIZE) + step
    assert abs(draws.var() - 16 / 12) < SIGMAS * math.sqrt(256 / 180 / SIZE) + step
    assert kolmogorov_smirnov(draws, lambda x: (x + 1) / 4) < 2.0 + math.sqrt(SIZE) * step


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-0.1, 0.1), (1000.0, 1001.0), (0.0, 1e-5)])
def test_uniform_keeps_below_its_upper_bound(dtype, bounds):
    """Near 1000 a float16 step is 0.5: half of the draws round up to 1001 before the bound."""
    low, high = np.array(bounds, dtype)
    draws = random.uniform(KEY, SIZE, dtype, *bounds)
    assert draws.min() >= low
    assert draws.max() < high


def test_randint_is_even_and_reaches_both_ends():
    draws = random.randint(KEY, SIZE, -3, 4)
    values, counts = np.unique(draws, return_counts=True)
    assert draws.dtype == np.int64
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    expected = SIZE / 7
    assert ((counts - expected) ** 2 / expected).sum() < 6 + SIGMAS * math.sqrt(12)  # χ², 6 degrees


def test_randint_has_no_bias_where_the_span_does_not_divide_the_words():
    """The remainder of a word alone would put 2/3 of these into the lower half."""
    span = 3 * 2**62
    draws = random.randint(KEY, SIZE, -(2**63), span - 2**63)
    lower = (draws < span // 2 - 2**63).mean()
    assert abs(lower - 0.5) < SIGMAS * 0.5 / math.sqrt(SIZE)


def test_randint_takes_the_widest_bounds():
    draws = random.randint(KEY, SIZE, -(2**63), 2**63 - 1)
    assert abs((draws < 0).mean() - 0.5) < SIGMAS * 0.5 / math.sqrt(SIZE)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_bernoulli(p):
    draws = random.bernoulli(KEY, p, SIZE)
    assert draws.dtype == np.bool_
    assert abs(draws.mean() - p) <= SIGMAS * math.sqrt(p * (1 - p) / SIZE)


def test_permutation_of_a_number_is_each_integer_once():
    order = random.permutation(KEY, 1000)
    assert sorted(order.tolist()) == list(range(1000))
    assert abs(correlation(order, np.arange(1000))) < SIGMAS
    assert random.permutation(KEY, 0).shape == (0,)


def test_permutation_of_an_array_shuffles_rows_and_leaves_the_argument():
    rows = np.arange(12.0).reshape(6, 2)
    shuffled = random.permutation(KEY, rows)
    np.testing.assert_array_equal(shuffled, rows[random.permutation(KEY, 6)])
    np.testing.assert_array_equal(rows, np.arange(12.0).reshape(6, 2))
    assert not np.shares_memory(rows, shuffled)


def test_every_order_of_three_is_equally_likely():
    orders = [tuple(random.permutation(k, 3).tolist()) for k in random.split(KEY, 6000)]
    counts = np.array([orders.count(order) for order in itertools.permutations(range(3))])
    assert ((counts - 1000) ** 2 / 1000).sum() < 5 + SIGMAS * math.sqrt(10)  # χ², 5 degrees


@pytest.mark.parametrize(
    ("bad", "got"),
    [
        (0, "int 0"),
        (None, "NoneType None"),
        (np.zeros(2), "float64 and shape (2,)"),
        (np.zeros(3, np.uint64), "uint64 and shape (3,)"),
        ([0, 1], "list [0, 1]"),
    ],
)
def test_what_is_not_a_key_is_named(bad, got):
    draws = [
        lambda: random.normal(bad),
        lambda: random.uniform(bad),
        lambda: random.bits(bad),
        lambda: random.permutation(bad, 3),
        lambda: random.split(bad),
        lambda: random.fold_in(bad, 1),
    ]
    for draw in draws:
        with pytest.raises(TypeError, match=r"random\.key\(seed\)") as error:
            draw()
        assert got in str(error.value)


def test_an_array_of_keys_is_refused():
    with pytest.raises(ValueError, match=r"array of keys of shape \(3, 2\).*one at a time"):
        random.normal(random.split(KEY, 3), 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: random.key(1.5), TypeError, "seed must be an integer, got float 1.5"),
        (lambda: random.key(-1), ValueError, r"0 <= seed < 2\*\*128, got -1"),
        (lambda: random.key(2**128), ValueError, r"0 <= seed < 2\*\*128"),
        (lambda: random.fold_in(KEY, -1), ValueError, r"0 <= data < 2\*\*64, got -1"),
        (lambda: random.fold_in(KEY, "a"), TypeError, "data must be an integer, got str"),
        (lambda: random.normal(KEY, (2, -1)), ValueError, "length in shape"),
        (lambda: random.normal(KEY, 1e3), TypeError, "length in shape must be an integer"),
        (lambda: random.normal(KEY, 3, np.int32), TypeError, "float64, got int32"),
        (lambda: random.uniform(KEY, 3, complex), TypeError, "float64, got complex128"),
        (lambda: random.uniform(KEY, minval=1, maxval=1), ValueError, "minval < maxval"),
        (lambda: random.uniform(KEY, minval=math.nan), ValueError, "minval < maxval"),
        (lambda: random.uniform(KEY, (), np.float16, 0, 1e6), ValueError, "finite .* in float16"),
        (lambda: random.randint(KEY, 3, 5, 5), ValueError, "minval=5, maxval=5"),
        (lambda: random.randint(KEY, 3, 0, 2**64), ValueError, "both in int64"),
        (lambda: random.bernoulli(KEY, 1.5), ValueError, "0 <= p <= 1, got 1.5"),
        (lambda: random.permutation(KEY, 2.5), TypeError, "x must be an integer, got float"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


DRAWS = {
    "split": random.split,
    "fold_in": lambda key: random.fold_in(key, 7),
    "bits": lambda key: random.bits(key, 3),
    "uniform": lambda key: random.uniform(key, (2,), np.float32, -1.0, 3.0),
    "normal": random.normal,
    "randint": lambda key: random.randint(key, (3,), 0, 2**63 - 5),
    "bernoulli": lambda key: random.bernoulli(key, 0.3, 4),
    "permutation": lambda key: random.permutation(key, 5),
    "permutation of rows": lambda key: random.permutation(key, np.arange(6.0).reshape(3, 2)),
    "a key of a split": lambda key: random.normal(random.split(key)[1], 2),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("count", [3, 0])
def test_under_vmap_each_key_gives_what_it_gives_alone(draw, count):
    keys = random.split(KEY, 3)
    want = np.stack([draw(key) for key in keys])[:count]
    got = vmap(draw)(keys[:count])
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(vmap(vmap(draw))(keys[None, :count]), want[None])


def test_step_numbers_and_probabilities_may_differ_between_examples():
    steps, chances = np.arange(3), np.array([0.0, 0.5, 1.0])
    keys = vmap(random.fold_in, (None, 0))(KEY, steps)
    np.testing.assert_array_equal(keys, [random.fold_in(KEY, step) for step in range(3)])
    draws = vmap(lambda key, p: random.bernoulli(key, p, 5))(keys, chances)
    assert not draws[0].any() and draws[2].all()


def test_noise_for_each_example_is_differentiated_through():
    keys = random.split(KEY, 3)
    noise = vmap(random.normal)(keys)
    per_key = vmap(grad(lambda scale, key: scale * random.normal(key)), (None, 0))
    np.testing.assert_array_equal(per_key(2.0, keys), noise)
