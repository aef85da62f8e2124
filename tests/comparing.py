"""What several test files compare by."""

import textwrap

import numpy as np


def assert_close(actual, expected, rounding=8):
    """Equal but for a few roundings in the dtype of ``actual``."""
    eps = np.finfo(np.asarray(actual).dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=rounding * eps, atol=rounding * eps)


def assert_printed(what, expected):
    """``what`` prints as the indented text ``expected``."""
    assert str(what) == textwrap.dedent(expected).strip()
