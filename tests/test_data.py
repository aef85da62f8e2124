"""Files are believed only when whole; downloads leave all or nothing; batches lose no row."""

import gzip
import hashlib
import http.server
import struct
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from funcgrad import data, random

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx(array):
    """An array as the bytes of an IDX file."""
    codes = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
    big_endian = array.astype(array.dtype.newbyteorder(">"))
    magic = struct.pack(">BBBB", 0, 0, codes[array.dtype.str[1:]], array.ndim)
    return magic + struct.pack(f">{array.ndim}I", *array.shape) + big_endian.tobytes()


# IDX files.


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (0, 28, 28), (2, 3, 4)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_read_idx(tmp_path, dtype, shape, pack):
    array = (np.arange(np.prod(shape)) - 1).reshape(shape).astype(dtype)
    path = tmp_path / "array"  # the name does not tell whether it is compressed
    path.write_bytes(pack(idx(array)))
    for spelling in (path, str(path)):
        read = data.read_idx(spelling)
        np.testing.assert_array_equal(read, array, strict=True)
        assert read.dtype.isnative
        assert read.flags.writeable


WHOLE = idx(IMAGES)
PACKED = gzip.compress(WHOLE)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "begins with 00 00.*got an empty file"),
        (b"\0\0\x08", "begins with 00 00.*got 00 00 08"),
        (b"\x89PNG" + WHOLE, "begins with 00 00.*got 89 50 4e 47"),
        (b"\0\0\x0a\x01" + WHOLE, "one of 08, 09, 0b, 0c, 0d, 0e.*got 00 00 0a 01"),
        (WHOLE[:10], "truncated: expected a header of 16 bytes for 3 dimensions, got 10"),
        (WHOLE[:-1], r"truncated: expected 40 bytes for uint8 of shape \(2, 3, 4\), got 39"),
        (WHOLE + b"\n", r"trailing bytes: expected 40 bytes for uint8 of shape .*, got 41"),
        (gzip.compress(WHOLE[:-1]), "truncated: expected 40 bytes"),
        (PACKED[:-9], "expected a whole gzip file"),
        (PACKED[:5], "expected a whole gzip file, got 5 bytes"),
        (PACKED[:-6] + b"\xff" + PACKED[-5:], "expected a whole gzip file.*CRC"),
        (PACKED[:10] + b"\xff" * 9 + PACKED[19:], "expected a whole gzip file"),
        (PACKED + b"more", "expected a whole gzip file"),
    ],
)
def test_a_broken_file_is_named_with_what_was_expected(tmp_path, content, expected):
    path = tmp_path / "images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(data.DataError, match=f"(?s)images-idx3-ubyte.gz: .*{expected}"):
        data.read_idx(path)


def test_a_file_that_is_not_there():
    with pytest.raises(FileNotFoundError, match="nowhere-idx1-ubyte"):
        data.read_idx("nowhere-idx1-ubyte")


# MNIST.

TINY = {
    "train-images-idx3-ubyte": idx(IMAGES),
    "train-labels-idx1-ubyte": idx(np.array([3, 9], np.uint8)),
    "t10k-images-idx3-ubyte": idx(IMAGES[:1] + 100),
    "t10k-labels-idx1-ubyte": idx(np.array([7], np.uint8)),
}
NAMES = list(TINY)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """A tiny MNIST instead of the real one, a cache of its own, no mirror and no proxy."""
    sums = {name: hashlib.md5(content).hexdigest() for name, content in TINY.items()}
    monkeypatch.setattr(data, "MNIST_MD5", sums)
    monkeypatch.setattr(data, "MNIST_MIRRORS", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("FUNCGRAD_DATA", raising=False)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "funcgrad"


def put(folder, names=NAMES, suffix="", pack=bytes):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}{suffix}").write_bytes(pack(TINY[name]))
    return folder


def put_packed(folder, names=NAMES):
    return put(folder, names, ".gz", gzip.compress)


def assert_tiny(mnist):
    np.testing.assert_array_equal(mnist.train_images, IMAGES, strict=True)
    np.testing.assert_array_equal(mnist.train_labels, np.array([3, 9]), strict=True)
    np.testing.assert_array_equal(mnist.test_images, IMAGES[:1] + np.uint8(100), strict=True)
    np.testing.assert_array_equal(mnist.test_labels, np.array([7]), strict=True)


@pytest.mark.parametrize("place", [put, put_packed])
def test_mnist_from_a_path(tmp_path, place):
    folder = place(tmp_path / "here")
    assert_tiny(data.load_mnist(folder))
    assert_tiny(data.load_mnist(str(folder)))


def test_mnist_from_the_environment_before_the_cache(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("FUNCGRAD_DATA", str(put(tmp_path / "chosen")))
    put(cache)
    (cache / NAMES[0]).write_bytes(b"never looked at")
    assert_tiny(data.load_mnist())


def test_mnist_from_the_cache(cache):
    put_packed(cache)
    assert_tiny(data.load_mnist())


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", ".cache/funcgrad"),
        ("darwin", "Library/Caches/funcgrad"),
        ("win32", "AppData/Local/funcgrad"),
    ],
)
def test_the_cache_without_xdg_is_the_platforms_own(tmp_path, monkeypatch, platform, expected):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    put(tmp_path / expected)
    monkeypatch.setattr(sys, "platform", platform)
    assert_tiny(data.load_mnist())


def test_a_path_is_never_completed_from_elsewhere(tmp_path, cache, server):
    put(cache)
    server.serve_tiny()
    folder = put(tmp_path / "here", NAMES[:2])
    with pytest.raises(data.MissingDataError) as error:
        data.load_mnist(folder)
    for said in (str(folder), NAMES[2], NAMES[3], ".gz"):
        assert said in str(error.value)
    assert NAMES[0] not in str(error.value)
    assert server.requests == []


def test_a_file_with_other_content_is_named(tmp_path):
    folder = put(tmp_path / "here")
    (folder / NAMES[1]).write_bytes(idx(np.array([3, 8], np.uint8)))
    expected = rf"{NAMES[1]}: corrupted.*MD5 {data.MNIST_MD5[NAMES[1]]}, got"
    with pytest.raises(data.DataError, match=expected):
        data.load_mnist(folder)


def test_a_truncated_file_is_named(cache):
    put(cache)
    (cache / NAMES[0]).write_bytes(TINY[NAMES[0]][:-1])
    with pytest.raises(data.DataError, match=rf"{NAMES[0]}: truncated: expected 40 bytes"):
        data.load_mnist()


# Downloads, from a server on loopback.


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`, path → (body, length it claims to have); remembers what it was asked for.

    Below /silent/ it answers only when the test is over, or after a while.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.requests = []
        self.over = threading.Event()

    def mirror(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}/"

    def serve_tiny(self, mirror="good"):
        for name, content in TINY.items():
            body = gzip.compress(content)
            self.files[f"/{mirror}/{name}.gz"] = (body, len(body))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path.startswith("/silent/") and self.server.over.wait(5.0):
            return
        if self.path not in self.server.files:
            self.send_error(404)
            return
        body, length = self.server.files[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        mirrors = (server.mirror("bad"), server.mirror("good"))
        monkeypatch.setattr(data, "MNIST_MIRRORS", mirrors)
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def files_below(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_download_goes_into_the_cache_once(server, cache):
    server.serve_tiny("bad")
    assert_tiny(data.load_mnist())
    assert files_below(cache) == sorted(f"{name}.gz" for name in NAMES)
    assert server.requests == [f"/bad/{name}.gz" for name in NAMES]
    assert_tiny(data.load_mnist())
    assert len(server.requests) == 4


def test_only_what_is_missing_is_downloaded(server, cache):
    put(cache, NAMES[:3])
    server.serve_tiny("bad")
    assert_tiny(data.load_mnist())
    assert server.requests == [f"/bad/{NAMES[3]}.gz"]


def truncated(body):
    return body[:-5], len(body)


def not_gzip(body):
    return body[:-5], len(body) - 5


def wrong_content(body):
    other = gzip.compress(idx(np.array([1], np.uint8)))
    return other, len(other)


BROKEN = [
    (truncated, "IncompleteRead"),
    (not_gzip, "expected a whole gzip file"),
    (wrong_content, "corrupted, or not the train-images-idx3-ubyte of MNIST: .*MD5"),
    (None, "HTTP Error 404"),
]


@pytest.mark.parametrize("spoil", [spoil for spoil, _ in BROKEN])
def test_a_broken_mirror_gives_way_to_the_next(server, cache, spoil):
    server.serve_tiny("good")
    if spoil:
        for name in NAMES:
            server.files[f"/bad/{name}.gz"] = spoil(gzip.compress(TINY[name]))
    assert_tiny(data.load_mnist())
    assert files_below(cache) == sorted(f"{name}.gz" for name in NAMES)
    assert server.requests[:2] == [f"/bad/{NAMES[0]}.gz", f"/good/{NAMES[0]}.gz"]


def test_a_silent_mirror_gives_way_to_the_next(server, monkeypatch):
    monkeypatch.setattr(data, "_TIMEOUT", 0.05)
    monkeypatch.setattr(data, "MNIST_MIRRORS", (server.mirror("silent"), server.mirror("good")))
    server.serve_tiny("silent")
    server.serve_tiny("good")
    assert_tiny(data.load_mnist())
    assert server.requests[:2] == [f"/silent/{NAMES[0]}.gz", f"/good/{NAMES[0]}.gz"]


@pytest.mark.parametrize(("spoil", "reason"), BROKEN)
def test_a_failed_download_leaves_nothing_behind(server, tmp_path, spoil, reason):
    if spoil:
        for mirror in ("bad", "good"):
            body = spoil(gzip.compress(TINY[NAMES[0]]))
            server.files[f"/{mirror}/{NAMES[0]}.gz"] = body
    with pytest.raises(data.MissingDataError, match=f"neither present nor reachable.*{reason}"):
        data.load_mnist()
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_cannot_be_written_leaves_nothing_behind(server, cache, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device", str(self))

    server.serve_tiny()
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(data.MissingDataError, match="No space left on device"):
        data.load_mnist()
    assert files_below(cache) == []


def test_where_nothing_is_reachable_the_error_says_what_to_do(monkeypatch, tmp_path, cache):
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    monkeypatch.setattr(data, "MNIST_MIRRORS", (f"http://127.0.0.1:{port}/",))
    monkeypatch.setenv("FUNCGRAD_DATA", str(tmp_path / "chosen"))
    with pytest.raises(data.MissingDataError) as error:
        data.load_mnist()
    for said in (
        NAMES[0],
        str(tmp_path / "chosen"),
        str(cache),
        f"http://127.0.0.1:{port}/{NAMES[0]}.gz: ",
        "load_mnist",
        "FUNCGRAD_DATA",
        "load_digits",
    ):
        assert said in str(error.value)


# Digits.


def test_digits():
    digits = data.load_digits()
    assert digits._fields == ("images", "labels")
    assert digits.images.shape == (1797, 8, 8)
    assert digits.images.dtype == np.uint8
    assert (digits.images.min(), digits.images.max()) == (0, 16)
    assert digits.labels.dtype == np.int64
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert digits.images[0, 2].tolist() == [0, 3, 15, 2, 0, 11, 8, 0]
    assert digits.images.sum() == 561718
    assert digits.images.flags.writeable
    assert digits.labels.flags.writeable


# Batches.

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10)
KEY = random.key(0)


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize(
    ("size", "drop_last", "sizes"),
    [
        (4, False, [4, 4, 2]),
        (4, True, [4, 4]),
        (5, True, [5, 5]),
        (10, False, [10]),
        (99, False, [10]),
        (1, False, [1] * 10),
    ],
)
def test_batches_go_through_the_rows_once(key, size, drop_last, sizes):
    batches = data.batches(key, (X, Y), size, drop_last)
    seen = list(batches)
    assert len(batches) == len(seen) == len(sizes)
    assert [len(y) for _, y in seen] == sizes
    for x, y in seen:
        np.testing.assert_array_equal(x, X[y])
    rows = np.concatenate([y for _, y in seen])
    assert len(set(rows.tolist())) == sum(sizes)


def labels(key, size=3):
    return [y.tolist() for y in data.batches(key, Y, size)]


def test_the_key_is_the_order():
    assert labels(None) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert labels(KEY, size=10) == [random.permutation(KEY, 10).tolist()]
    assert labels(KEY) == labels(KEY) != labels(random.key(1))


def test_a_second_iteration_gives_the_same_batches():
    batches = data.batches(KEY, Y, 3)
    assert [y.tolist() for y in batches] == [y.tolist() for y in batches]


def test_two_iterations_at_once_do_not_disturb_each_other():
    batches = data.batches(KEY, Y, 3)
    for first, second in zip(batches, batches, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_batch_is_a_tree_like_the_arrays():
    batch = next(iter(data.batches(KEY, {"x": [X, None], "y": Y}, 4)))
    assert batch.keys() == {"x", "y"}
    assert batch["x"][0].shape == (4, 2)
    assert batch["x"][1] is None
    digits = next(iter(data.batches(KEY, data.load_digits(), 4)))
    assert isinstance(digits, data.Digits)


@pytest.mark.parametrize("key", [KEY, None])
def test_a_batch_is_the_callers_own(key):
    x = X.copy()
    for batch in data.batches(key, x, 4):
        batch[:] = -1.0
    np.testing.assert_array_equal(x, X)


def test_no_rows_give_no_batches():
    batches = data.batches(KEY, np.zeros((0, 2)), 4)
    assert len(batches) == 0
    assert list(batches) == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: data.batches(KEY, {"x": X, "y": [Y, Y[:9]]}, 4),
            ValueError,
            r"arrays\['x'\] has 10, arrays\['y'\]\[0\] has 10, arrays\['y'\]\[1\] has 9",
        ),
        (lambda: data.batches(KEY, (X, 3.0), 4), TypeError, r"arrays\[1\] = 3.0.*np.asarray"),
        (lambda: data.batches(KEY, np.array(3.0), 4), TypeError, r"arrays = array\(3.\)"),
        (lambda: data.batches(KEY, (), 4), ValueError, "at least one array"),
        (lambda: data.batches(KEY, X, 0), ValueError, "batch_size must be at least 1.*got 0"),
        (lambda: data.batches(KEY, X, 11, drop_last=True), ValueError, "at most the 10 rows"),
        (lambda: data.batches(0, X, 4), TypeError, r"random\.key\(seed\)"),
    ],
)
def test_bad_batches_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
