"""The errors that funcgrad raises where NumPy has none of its own.

Each is also one of Python's built-in kinds, so ``except TypeError`` goes on working.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
from typing import Any

import numpy as np


class TreeError(ValueError):
    """Two pytrees do not match, or a tree is malformed."""


class LeakedTracerError(RuntimeError):
    """A traced value was used after the transform that made it had ended."""


class DerivativeLostError(TypeError):
    """An operation would have turned a traced value into a plain number and lost its derivative."""


class UnsupportedError(NotImplementedError):
    """A NumPy function, ufunc method or keyword has no derivative rule."""


class LoopWarning(UserWarning):
    """An operation has no batch rule, so that vmap runs it one example at a time."""


# The line that is to blame, and what to write in its place.

_NUMPY = os.path.dirname(np.__file__) + os.sep
_OURS = (os.path.dirname(__file__) + os.sep, _NUMPY)
_STDLIB = os.path.dirname(os.__file__) + os.sep
_INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]")

#: What a line, or a call that NumPy made on its way, has in it that loses a derivative, and the
#: remedy; the first that is found counts.
_REMEDIES = {
    r"\bmath\.fsum\(": r"np.sum(np.stack([...])) for math.fsum([...])",
    r"\b(c?math)\.(\w+)\(": r"np.\2(t) for \1.\2(t)",
    r"\bstatistics\.f?(mean|median)\(": r"np.\1(np.stack([...])) for statistics.\1([...])",
    r"\bcomplex\([^)]+,": r"t + 1j * u for complex(t, u)",
    r"\b(float|int|complex)\(": r"t itself for \1(t)",
    r"[\"'] *% ": r"f'{t:.2f}' for '%.2f' % t",
    r"\bnp\.(float|complex)(\d+)\(": r"t.astype(np.\1\2) for np.\1\2(t)",
    r"\b(assert_\w+)\(": r"\1(funcgrad.value(t), ...)",
    r"\bma\.\w+\(": r"np.where(mask, t, 0.0), or where=mask, for a masked array",
    r"\b(vectorize|frompyfunc|_vectorize_call)\(": r"funcgrad.numpy.vectorize(f), funcgrad.vmap(f)",
    r"\bnp\.fromiter\(": r"np.stack(list(...)) for np.fromiter(...)",
    r"\bnp\.([rc]_)\[": r"np.concatenate, np.column_stack or funcgrad.numpy.\1 for np.\1",
    r"\bnp\.[mo]grid\[": r"np.meshgrid of np.linspace or funcgrad.numpy.arange",
    r"\bnp\.(ndenumerate|nditer)\(": r"t[i] for i in np.ndindex(t.shape), not np.\1(t)",
    r"\bas_strided\(": r"np.lib.stride_tricks.sliding_window_view, or an index",
    r"\bnp\.(asarray_chkfinite|as(?:any|\w+ous|\w+ran)array|require)\(": r"t for np.\1(t)",
    r"\bnp\.(array|asarray)\(": r"np.stack([t, u]) for np.\1([t, u]), t for np.\1(t), or "
    r"funcgrad.numpy.\1 for either",
    r"\bnp\.full\(": r"np.broadcast_to(t, shape), or funcgrad.numpy.full to write to",
    r"\bnp\.(full_like|arange)\(": r"funcgrad.numpy.\1",
    r"\bnp\.kaiser\(": r"np.i0(t * np.sqrt(1 - x**2)) / np.i0(t) for np.kaiser(n, t), with x = "
    r"np.linspace(-1, 1, n)",
    r"\b(?:random|rng)\.\w+\(": r"a + b * rng.normal(size=n) for a draw that depends on t",
    r"\binterp\(.*(left|right)=": r"np.where(x < xp[0], t, np.interp(x, xp, fp)) for left=t",
    r"\bnp\.(pad|polyint)\(": r"np.\1(x + 0 * t, ...) for np.\1(x, ...), which asks x alone",
    r"\binitial=": r"t + np.sum(x) for np.sum(x, initial=t)",
    r"(?<!\bnp)\.(dot|clip|searchsorted)\(": r"np.\1(x, t) for x.\1(t), which does not ask t",
    r"\bpoly1d\(": r"np.polyval(c, x) for np.poly1d(c)(x)",
    r"\bpolynomial\.polyval\(|\bPolynomial\(": r"np.polyval(c[::-1], x) for Polynomial(c)(x)",
    r"\b(cheb|leg|lag|herme?)val\(": r"\1vander(x, len(c) - 1) @ c for \1val(x, c)",
    r"\] *(?:[-+*/%@&|^]|//|\*\*|<<|>>)?=[^=]|\.(fill|put)\(": r"z = np.zeros(n, like=t) for "
    r"z = np.zeros(n), np.array(z, like=t) for any other plain z, funcgrad.numpy.zeros(n) if "
    r"t may be a number, or z = np.stack([...]) of all its elements",
    r"\bnp\.([\w.]+)\(\[": r"np.\1(np.stack([t, u])) for np.\1([t, u])",
}

#: The same for lines that call other libraries, which want plain arrays.
_IN_LIBRARIES = {
    r"\b(logsumexp|softmax|log_softmax)\(": r"funcgrad.nn.\1",
    r"\b(odeint|solve_ivp)\(": r"funcgrad.odeint for \1",
    r"\b(minimize|root|root_scalar|fsolve|brentq)\(": r"funcgrad.implicit_root, with \1 to solve",
    r"\b(solve_triangular|cho_solve|lu_solve)\(": r"np.linalg.solve for \1",
    r"\blinalg\.(solve|inv|det|norm|cholesky|qr|svd|eigh?|pinv|lstsq)\(": r"np.linalg.\1",
    r"\bfft\.(\w+)\(": r"np.fft.\1",
    r"": r"it in NumPy functions, or give what is called there a rule by funcgrad.custom_vjp",
}


def blamed() -> tuple[str, str]:
    """Where the user's code is, as in " at model.py:3, z[1] = x[0],", and what to write in the
    place of that line; each is empty where it is not known."""
    frame: Any = sys._getframe(1)
    found = None
    calls = ""
    remedies = _REMEDIES
    while frame is not None:
        name = frame.f_code.co_filename
        if found is None and name.startswith(_NUMPY):
            calls += f"np.{frame.f_code.co_name}() "
        if found is None and not name.startswith(_OURS):
            found = frame
            if _INSTALLED.search(name):
                remedies = _IN_LIBRARIES
        if not name.startswith((*_OURS, _STDLIB)) and not _INSTALLED.search(name):
            found = frame
            break
        frame = frame.f_back
    if found is None:
        return "", ""
    name, number = found.f_code.co_filename, found.f_lineno
    line = linecache.getline(name, number).strip()
    if not line:
        return "", ""
    matches = (
        (re.search(pattern, text), remedy)
        for text in (line, calls)
        for pattern, remedy in remedies.items()
    )
    expanded = (match.expand(remedy) for match, remedy in matches if match)
    return f" at {os.path.basename(name)}:{number}, {line},", next(expanded, "")
