"""Data sets as plain arrays, and batches of them.

`read_idx` reads a file of the MNIST family, `load_mnist` and `load_digits` give whole data sets as
named tuples of arrays, raw as they were published: scale the pixels yourself, for example
``images.astype(np.float32) / 255``. `batches` goes through any pytree of arrays in steps. Bytes are
believed only when they are exactly what was expected; otherwise a `DataError` names the file.

>>> from funcgrad import data, random
>>> digits = data.load_digits()
>>> for images, labels in data.batches(random.key(0), digits, 600):
...     print(images.shape, labels.shape)
(600, 8, 8) (600,)
(600, 8, 8) (600,)
(597, 8, 8) (597,)
"""

import gzip
import hashlib
import http.client
import math
import operator
import os
import sys
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from funcgrad import random, tree

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST_MD5 = {  # of the decompressed files, in the order of the fields of `MNIST`
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_TIMEOUT = 10.0  # seconds for which a mirror may stay silent
_IDX_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


class DataError(ValueError):
    """A file does not hold what it should."""


class MissingDataError(DataError):
    """A data set is neither in the folders searched nor to be had from a mirror."""


class MNIST(NamedTuple):
    """Handwritten digits: 60,000 to train on and 10,000 to test with."""

    train_images: NDArray[np.uint8]  # (60000, 28, 28), 0 is background, 255 is ink
    train_labels: NDArray[np.int64]  # (60000,)
    test_images: NDArray[np.uint8]  # (10000, 28, 28)
    test_labels: NDArray[np.int64]  # (10000,)


class Digits(NamedTuple):
    """Small handwritten digits, without a split into training and test set."""

    images: NDArray[np.uint8]  # (1797, 8, 8), 0 is background, 16 is ink
    labels: NDArray[np.int64]  # (1797,)


def load_digits() -> Digits:
    """The 1,797 handwritten digits of 8 × 8 pixels that come with the package.

    They are the test part of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten
    Digits", UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, licensed under CC BY 4.0.

    >>> images, labels = load_digits()
    >>> images.shape, int(images.max()), labels[:5].tolist()
    ((1797, 8, 8), 16, [0, 1, 2, 3, 4])
    """
    with gzip.open(Path(__file__).with_name("digits.npy.gz")) as file:
        table = np.load(file)  # a row for each pixel, and one for the labels, which packs best
    return Digits(table[:64].T.reshape(-1, 8, 8).copy(), table[64].astype(np.int64))


def load_mnist(path: str | os.PathLike[str] | None = None) -> MNIST:
    """The MNIST data set (Y. LeCun, C. Cortes and C. J. C. Burges), from disk or the network.

    The four IDX files, plain or gzip, are looked for in `path`; without a `path` in the folder
    that the environment variable FUNCGRAD_DATA names and in the user's cache folder, and what is
    in neither is downloaded into the cache. Every file is checked against its MD5 sum. Raises
    `MissingDataError` where a file cannot be had and `DataError` where one is not MNIST's::

        train_images, train_labels, test_images, test_labels = load_mnist()
    """
    folders = [Path(path)] if path is not None else _default_folders()
    files = {name: _find(name, folders) for name in MNIST_MD5}
    missing = [name for name, file in files.items() if file is None]
    if missing and path is not None:
        raise MissingDataError(
            f"load_mnist({os.fspath(path)!r}) looked in that folder, and only there, for "
            f"{', '.join(missing)} (plain, or with .gz) and found no such file"
        )
    for name in missing:
        files[name] = _download(name, folders)
    train_images, train_labels, test_images, test_labels = [
        _read_mnist(name, file) for name, file in files.items() if file is not None
    ]
    return MNIST(
        train_images, train_labels.astype(np.int64), test_images, test_labels.astype(np.int64)
    )


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in an IDX file, the format of MNIST, in its own dtype and native byte order.

    A file that begins as gzip files do is decompressed. Raises `DataError` where the content is
    not exactly one IDX array.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1]) + bytes([0, 0, 0, 3]) + bytes([5, 0, 4]))
    ...     read_idx(path).tolist()
    [5, 0, 4]
    """
    source = os.fspath(path)
    return _parse_idx(_decompress(Path(path).read_bytes(), source), source)


def batches(
    key: random.Key | None, arrays: Any, batch_size: int, drop_last: bool = False
) -> "Batches":
    """A sized iterable of batches of a pytree of arrays of equal length, in the order of `key`.

    Each batch is a pytree like `arrays` whose leaves are copies of `batch_size` rows; the last one
    holds what is left, or is dropped. Without a key (``None``) the rows come in their own order.
    Every iteration gives the same batches: make a new one, from a new key, for every epoch.

    >>> from funcgrad import random
    >>> dataset = {"x": np.arange(10.0).reshape(5, 2), "y": np.arange(5)}
    >>> len(batches(random.key(0), dataset, 2))
    3
    >>> [batch["y"].tolist() for batch in batches(None, dataset, 2)]
    [[0, 1], [2, 3], [4]]
    """
    length = _common_length(arrays)
    size = operator.index(batch_size)
    if size < 1 or (drop_last and size > length):
        raise ValueError(
            f"batch_size must be at least 1, and with drop_last at most the {length} rows there "
            f"are, got {size}"
        )
    order = np.arange(length) if key is None else random.permutation(key, length)
    return Batches(arrays, order[: length - length % size] if drop_last else order, size)


class Batches:
    """What `batches` returns: ``len`` is the number of batches, iteration gives them."""

    def __init__(self, arrays: Any, order: NDArray[np.int64], batch_size: int) -> None:
        self._arrays = arrays
        self._order = order
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self._order), self._batch_size):
            rows = self._order[start : start + self._batch_size]
            yield tree.map(lambda leaf, rows=rows: np.take(leaf, rows, axis=0), self._arrays)


def _common_length(arrays: Any) -> int:
    lengths = {}
    for path, leaf in tree.leaves_with_path(arrays):
        name = f"arrays{tree.keystr(path)}"
        if not isinstance(leaf, np.ndarray) or leaf.ndim == 0:
            raise TypeError(
                f"batches needs arrays with rows, got {name} = {leaf!r}, which has none; "
                "a list of numbers becomes an array with np.asarray"
            )
        lengths[name] = len(leaf)
    if not lengths:
        raise ValueError("batches needs at least one array")
    if len(set(lengths.values())) > 1:
        described = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"batches needs arrays with the same number of rows, but {described}")
    return next(iter(lengths.values()))


def _decompress(content: bytes, source: str) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{source}: expected a whole gzip file, got {len(content)} bytes that are truncated "
            f"or corrupted ({error})"
        ) from error


def _parse_idx(content: bytes, source: str) -> NDArray[Any]:
    magic = content[:4]
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_DTYPES:
        codes = ", ".join(f"{code:02x}" for code in _IDX_DTYPES)
        raise DataError(
            f"{source}: expected an IDX file, which begins with 00 00, one of {codes} and the "
            f"number of dimensions, got {magic.hex(' ') or 'an empty file'}"
        )
    dtype, header = _IDX_DTYPES[magic[2]], 4 + 4 * magic[3]
    if len(content) < header:
        raise DataError(
            f"{source}: truncated: expected a header of {header} bytes for {magic[3]} dimensions, "
            f"got {len(content)} bytes in all"
        )
    shape = tuple(np.frombuffer(content[4:header], ">u4").tolist())
    expected = header + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise DataError(
            f"{source}: {'truncated' if len(content) < expected else 'trailing bytes'}: expected "
            f"{expected} bytes for {dtype.name} of shape {shape}, got {len(content)}"
        )
    flat = np.frombuffer(content[header:], dtype)
    return flat.reshape(shape).astype(dtype.newbyteorder("="))


def _check_mnist(name: str, content: bytes, source: str) -> None:
    expected = MNIST_MD5[name]
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != expected:
        raise DataError(
            f"{source}: corrupted, or not the {name} of MNIST: expected decompressed content of "
            f"MD5 {expected}, got {md5}"
        )


def _read_mnist(name: str, file: Path) -> NDArray[Any]:
    content = _decompress(file.read_bytes(), str(file))
    array = _parse_idx(content, str(file))
    _check_mnist(name, content, str(file))
    return array


def _default_folders() -> list[Path]:
    """Where to look when nobody says where; the last is the cache."""
    chosen = os.environ.get("FUNCGRAD_DATA")
    return [Path(chosen), _cache_folder()] if chosen else [_cache_folder()]


def _cache_folder() -> Path:
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache, "funcgrad")
    if sys.platform == "win32":
        return Path.home() / "AppData" / "Local" / "funcgrad"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "funcgrad"
    return Path.home() / ".cache" / "funcgrad"


def _find(name: str, folders: list[Path]) -> Path | None:
    candidates = [folder / file for folder in folders for file in (name, f"{name}.gz")]
    return next((file for file in candidates if file.is_file()), None)


def _download(name: str, folders: list[Path]) -> Path:
    """Fetch a file from the first mirror that has it whole into the last of the folders."""
    failures = []
    for mirror in MNIST_MIRRORS:
        url = f"{mirror}{name}.gz"
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
                content = response.read()
            _check_mnist(name, _decompress(content, url), url)
            return _store(content, folders[-1] / f"{name}.gz")
        except (OSError, http.client.HTTPException) as error:
            failures.append(f"{url}: {error}")
        except DataError as error:
            failures.append(str(error))
    raise MissingDataError(
        f"MNIST is neither present nor reachable: no {name} (plain, or with .gz) in "
        f"{' or '.join(map(str, folders))}, and no download: {'; '.join(failures)}. "
        "Put the four files into a folder and pass it to load_mnist or name it in the environment "
        "variable FUNCGRAD_DATA; load_digits needs no files"
    )


def _store(content: bytes, file: Path) -> Path:
    """Write a file so that under its own name it is either whole or not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{os.urandom(8).hex()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file
