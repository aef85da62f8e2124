"""Calls of NumPy's functions that are put together from primitives, one or more a function.

``EXAMPLES`` maps the name of a function to calls with float64 arguments. Each is differentiated in
both modes and twice, run in float32 and batched, like the rows of ``table.py``; what those call
needs no example here. ``NO_VMAP`` are calls that vmap refuses.
"""

import numpy as np
from table import MASK, A, B, C, V, W, draw

POS = draw((3, 4), 0.5, 3.0, seed=8)
MODES = ("full", "same", "valid")
HOLES = np.where(MASK, A, np.nan)
FAR = np.array([-2.3, -1.4, 0.6, 1.7])
Q = np.array([0.1, 0.5, 0.83])

EXAMPLES = {
    "sort": [(lambda x: np.sort(x, axis=0), C), (lambda x: np.sort(x, axis=None), A)],
    "partition": [(lambda x: np.partition(x, 2, axis=0), A)],
    "median": [
        (np.median, A),
        (lambda x: np.median(x, axis=1, keepdims=True), C),
        (lambda x: np.median(x, (0, -1)), C),
    ],
    "quantile": [
        (lambda x: np.quantile(x, 0.3, axis=-1), A),
        (lambda x: np.quantile(x, 0.3), A),
        (lambda x: np.quantile(x, Q, axis=0, keepdims=True), A),
        (lambda x, q: np.quantile(x, q, axis=1), A, Q),
        *[
            (lambda x, m=m: np.quantile(x, Q[:2], axis=(0, 2), method=m), C)
            for m in """inverted_cdf averaged_inverted_cdf closest_observation hazen weibull linear
            interpolated_inverted_cdf median_unbiased normal_unbiased lower higher midpoint
            nearest""".split()
        ],
    ],
    "percentile": [(lambda x: np.percentile(x, [10, 33.0], axis=0), A)],
    "average": [
        (np.average, A),
        (lambda x, w: np.average(x, weights=w), A, POS),
        (lambda x, w: np.average(x, axis=1, weights=w, keepdims=True), A, POS[0]),
        (lambda x, w: np.average(x, axis=(2, 0), weights=w), C, draw((4, 2), 0.5, 2.0)),
        (lambda x, w: np.average(x, axis=0, weights=w, returned=True)[1], A, POS),
    ],
    "cov": [
        (np.cov, A),
        (np.cov, V),
        (lambda x, y: np.cov(x, y, rowvar=False, bias=True), A, A**2),
        (lambda x, w: np.cov(x, aweights=w, fweights=[1, 2, 1, 3]), A, POS[0]),
        (lambda x: np.cov(x, ddof=0, dtype=np.float64), A),
    ],
    "corrcoef": [
        (np.corrcoef, A),
        (lambda x, y: np.corrcoef(x, y, rowvar=False), A, np.cos(5 * A)),
    ],
    "histogram": [
        (lambda x, w: np.histogram(x, 4, weights=w)[0] + 0 * x[0, 0], A, POS),
        (lambda x, w: np.histogram(x, 4, weights=w, density=True)[0], A, POS),
        (lambda x: np.histogram(x, 3)[1], A),
        (lambda w: np.histogram(A, [-2.0, 0.0, 1.0], weights=w)[0], POS),
    ],
    "histogram_bin_edges": [(lambda x: np.histogram_bin_edges(x, 4), A)],
    "histogram2d": [(lambda w: np.histogram2d(V, W, 3, weights=w)[0], POS[0])],
    "histogramdd": [
        (lambda w: np.histogramdd((V, W, V), (2, 3, 2), weights=w, density=True)[0], POS[0])
    ],
    "bincount": [
        (lambda w: np.bincount([0, 2, 2, 1], weights=w, minlength=5), V),
    ],
    "nansum": [
        (lambda x: np.nansum(x, axis=0), HOLES),
        (lambda x: np.nansum(x, 1, keepdims=True, initial=x[0, 0] ** 2, where=A > -1), HOLES),
    ],
    "nanprod": [(lambda x: np.nanprod(x, axis=0), HOLES)],
    "nanmean": [(np.nanmean, HOLES), (lambda x: np.nanmean(x, (0, 1), keepdims=True), HOLES)],
    "nanmax": [(lambda x: np.nanmax(x, axis=0), HOLES)],
    "nanmin": [(lambda x: np.nanmin(x, axis=-1, keepdims=True), HOLES)],
    "nanvar": [(lambda x: np.nanvar(x, axis=1, ddof=1), HOLES)],
    "nanstd": [(np.nanstd, HOLES), (lambda x: np.nanstd(x, axis=1, correction=1), HOLES)],
    "nanmedian": [(lambda x: np.nanmedian(x, axis=1), HOLES)],
    "nanquantile": [(lambda x: np.nanquantile(x, Q, axis=1, method="hazen"), HOLES)],
    "nanpercentile": [(lambda x: np.nanpercentile(x, 33, axis=1, keepdims=True), HOLES)],
    "nancumsum": [(lambda x: np.nancumsum(x, axis=1), HOLES)],
    "nancumprod": [(lambda x: np.nancumprod(x), HOLES)],
    "sum": [
        (lambda x: np.sum(x, axis=0, initial=x[0, 1] ** 2), A),
        (lambda x: np.sum(x, axis=0, initial=np.float64(0.3)), A),
    ],
    "prod": [(lambda x: np.prod(x, initial=2.0), A)],
    "max": [(lambda x: np.max(x, axis=0, initial=x[0, 1] / 3, where=MASK), A)],
    "min": [(lambda x: np.min(x, axis=0, initial=x[0, 1] / 3), A)],
    "var": [(lambda x, m: np.var(x, axis=0, mean=m, correction=1), A, A[:1] * 0.1)],
    "std": [(lambda x, m: np.std(x, axis=0, mean=m), A, A[:1] * 0.1)],
    "cumulative_sum": [(lambda x: np.cumulative_sum(x, axis=1, include_initial=True), A)],
    "cumulative_prod": [(lambda x: np.cumulative_prod(x), V)],
    "trapezoid": [
        (lambda y: np.trapezoid(y, dx=0.3), A),
        (lambda y, x: np.trapezoid(y, x), A, W),
        (lambda y, x: np.trapezoid(y, x, axis=0), A, C[:, :, 0][0]),
        (lambda y, dx: np.trapezoid(y, dx=dx), A, V[0]),
    ],
    "gradient": [
        (np.gradient, V),
        (lambda x: np.gradient(x, 0.5, axis=1), A),
        (lambda x: np.gradient(x, edge_order=2, axis=(1,))[0], A),
        (lambda x, h: np.gradient(x, h, edge_order=2), V, np.sort(W)),
        (lambda x, h, k: np.gradient(x, h, k)[1], A, np.array(0.4), np.sort(W)),
        (lambda x: np.gradient(x, axis=-1), A),
    ],
    "interp": [
        (lambda x, xp, fp: np.interp(x, xp, fp), A, np.sort(1.1 * W), V),
        (lambda x, fp: np.interp(x, [-1.0, 0.0, 1.0, 1.5], fp, left=0.0), A, V),
        (lambda x: np.interp(x, [-1.0, 0, 1], [1.0, 2, 5], x[0, 0], x[0, 1] ** 2), A),
        (lambda x: np.interp(x, [-1.0, 0, 1], [1.0, 2, 5]), np.array(0.3)),
        (lambda x, fp: np.interp(x, [-0.9, 0.2, 0.4, 1.5], fp, period=3.0), A, V),
    ],
    "unwrap": [
        (lambda x: np.unwrap(5 * x), A),
        (lambda x: np.unwrap(5 * x, axis=0, period=4.0, discont=2.5), A),
    ],
    "ediff1d": [(lambda x, y: np.ediff1d(x, to_end=y, to_begin=[1.0, 2.0]), A, V)],
    "diff": [
        (lambda x, y: np.diff(x, prepend=y, append=2.0), A, V[0]),
        (lambda x, y: np.diff(x, 2, axis=0, append=y), A, A[:2]),
    ],
    "convolve": [
        *[(lambda x, y, m=m: np.convolve(x, y, m), V, A[0, :3]) for m in MODES],
        (lambda x, y: np.convolve(x, y, "same"), A[0, :3], V),
    ],
    "correlate": [
        *[
            (lambda x, y, m=m: np.correlate(x, y, m), V, A[0, :3])
            for m in ("full", "same", "valid")
        ],
        *[
            (lambda x, y, m=m: np.correlate(x, y, m), A[0, :3], V)
            for m in ("full", "same", "valid")
        ],
        *[
            (lambda x, y, m=m: np.correlate(x, y, m), A[0, :2], V)
            for m in ("full", "same", "valid")
        ],
    ],
    "cross": [
        (np.cross, A.T, A.T + 1.0),
        (lambda x, y: np.cross(x, y, axis=0), A, A[:, :1] * 2.0),
        (lambda x, y: np.cross(x, y, axisa=1, axisb=0, axisc=0), C, A),
    ],
    "kron": [(np.kron, A, B), (np.kron, V, A), (np.kron, C, V)],
    "linspace": [
        (lambda x, y: np.linspace(x, y, 5), V[0], W[0]),
        (lambda x, y: np.linspace(x, y, 4, endpoint=False, axis=1), V, A),
        (lambda x: np.linspace(x, 2, 3, retstep=True)[1], V),
        (lambda x: np.linspace(0, x, 1), V),
    ],
    "logspace": [
        (lambda x, y: np.logspace(x, y, 4), V[0], W[0]),
        (lambda x, y, b: np.logspace(x, y, 4, base=b), V, W, POS[0]),
    ],
    "geomspace": [
        (lambda x, y: np.geomspace(x, y, 5), POS[0, 0], POS[1, 1]),
        (lambda x, y: np.geomspace(x, y, 4, endpoint=False, axis=-1), -POS[0], -POS[1]),
    ],
    "i0": [(np.i0, A), (lambda x: np.i0(8 * x), A)],
    "nan_to_num": [(lambda x: np.nan_to_num(x, nan=2.0), HOLES)],
    "real_if_close": [(np.real_if_close, A)],
    "vander": [(np.vander, V), (lambda x: np.vander(x, 3, increasing=True), V)],
    "select": [
        (lambda x, y: np.select([x > 1, x < -1], [y, x**2], x + y), A, A + 0.1),
        (lambda x: np.select([[True, False, True, False]], [x], 7.0), V),
    ],
    "piecewise": [
        (lambda x: np.piecewise(x, [x < 0, x > 1], [np.exp, lambda t: t**2, 0.5]), A),
        (lambda x: np.piecewise(x, [MASK], [np.sin, np.cos]), A),
        (lambda x: np.piecewise(x, [x < 0], [lambda t, y: t + y, lambda t, y: t * y], 3.0), V),
    ],
    "choose": [
        (lambda x, y: np.choose([0, 1, 1, 0], [x, y]), V, W),
        (lambda x, y: np.choose(np.array([-3, 5, 1, 0]), (x, y), mode="wrap"), V, W),
        (lambda x: np.choose([4, 1, 0, -1], (x, 2.0), mode="clip"), V),
    ],
    "extract": [(lambda x: np.extract(MASK, x), A)],
    "delete": [
        (lambda x: np.delete(x, 1), A),
        (lambda x: np.delete(x, [0, -1], axis=1), A),
        (lambda x: np.delete(x, slice(None, None, 2), axis=-1), A),
        (lambda x: np.delete(x, [True, False, True], axis=0), A),
    ],
    "insert": [
        (lambda x, y: np.insert(x, 2, y), V, V[0]),
        (lambda x, y: np.insert(x, 1, y, axis=1), A, V[:3]),
        (lambda x, y: np.insert(x, [1, 1, 0], y, axis=0), A, A),
        (lambda x, y: np.insert(x, [0, -1], y), V, W[:2]),
        (lambda x, y: np.insert(x, 1, y), V, W),
        (lambda x, y: np.insert(x, slice(1, 3), y, axis=1), A, A[:, :2]),
        (lambda x: np.insert(x, 1, 5.0, axis=0), A),
    ],
    "resize": [(lambda x: np.resize(x, (3, 5)), V), (lambda x: np.resize(x, 2), A)],
    "apply_along_axis": [
        (lambda x: np.apply_along_axis(np.sum, 1, x), C),
        (lambda x: np.apply_along_axis(lambda r: r[:2] * np.max(r), 0, x), C),
        (lambda x: np.apply_along_axis(np.diag, 1, x), A),
    ],
    "apply_over_axes": [(lambda x: np.apply_over_axes(np.sum, x, [0, -1]), C)],
    "block": [
        (lambda x, y: np.block([[x, y], [y, x]]), A, A + 1.0),
        (lambda x, y: np.block([x, 2.0, y]), V, V[0]),
        (lambda x, y: np.block([[x], [y]]), V, W),
    ],
    "meshgrid": [
        (lambda x, y: np.meshgrid(x, y)[0] * np.meshgrid(x, y)[1], V, W[:3]),
        (lambda x, y: np.multiply(*np.meshgrid(x, y, indexing="ij", sparse=True)), V, W[:3]),
    ],
    "broadcast_arrays": [(lambda x, y: np.broadcast_arrays(x, y)[1], A, V)],
    "rollaxis": [
        (lambda x: np.rollaxis(x, 2), C),
        (lambda x: np.rollaxis(x, 0, 3), C),
        (lambda x: np.rollaxis(x, -1, -2), C),
    ],
    "unstack": [(lambda x: np.unstack(x, axis=1)[2], A)],
    "poly": [(np.poly, V)],
    "polyadd": [(np.polyadd, V, W[:2]), (lambda p: np.polyadd(2.0, p), V)],
    "polysub": [(np.polysub, W[:3], V)],
    "polymul": [(np.polymul, V, W[:3])],
    "polydiv": [
        (lambda u, v: np.polydiv(u, v)[0], V, W[:2]),
        (lambda u, v: np.polydiv(u, v)[1], V, W[:3]),
    ],
    "polyval": [(np.polyval, V, A), (lambda x: np.polyval([1, 0, 2.0], x), A)],
    "polyder": [(lambda p: np.polyder(p, 2), V)],
    "polyint": [(lambda p: np.polyint(p, 2, p[1:3]), V), (np.polyint, V)],
    "polyfit": [
        (lambda x, y: np.polyfit(x, y, 2), V, W),
        (lambda y, w: np.polyfit(V, y, 1, w=w), W, POS[0]),
        (lambda y: np.polyfit(V, y, 1, cov=True)[1], W),
    ],
    "roots": [(np.roots, np.array([1.0, -0.5, -3.0, 1.0]))],
    "pad": [
        *[
            (lambda x, k=k: np.pad(x, ((2, 1), (0, 3)), **k), A)
            for k in (
                {"constant_values": ((1.0, 2.0), (3.0, 4.0))},
                {"mode": "maximum"},
                {"mode": "minimum", "stat_length": 2},
                {"mode": "median", "stat_length": (3, 2)},
                {"mode": "mean"},
                {"mode": "mean", "stat_length": ((1, 2), (3, 1))},
                {"mode": "linear_ramp", "end_values": (5.0, -4.0)},
                {"mode": "reflect", "reflect_type": "odd"},
                {"mode": "symmetric", "reflect_type": "odd"},
            )
        ],
        (lambda x: np.pad(x, 2, constant_values=x[0]), V),
        (lambda x: np.pad(x, (1, 2), "linear_ramp", end_values=x[0] ** 2), V),
        (lambda x: np.pad(x, 1), np.array(1.5)),
    ],
    "amax": [(lambda x: np.amax(x, axis=0), A)],
    "amin": [(lambda x: np.amin(x, axis=0), A)],
    "angle": [(lambda x, y: np.angle(x + 1j * y, deg=True), A, POS)],
    "atleast_1d": [(np.atleast_1d, V[0]), (lambda x, y: np.atleast_1d(x, y)[1], V, V[0])],
    "copy": [(np.copy, A), (lambda x: np.copy(x, order="F"), A)],
    "divmod": [(lambda x: np.divmod(x, 0.7)[1], A), (lambda x: divmod(x, 0.7)[1], A)],
    "modf": [(lambda x: np.modf(x)[0], A)],
    "dsplit": [(lambda x: np.dsplit(x, 2)[1], C)],
    "matvec": [(lambda x, y: np.matvec(x, y), C, V)],
    "vecmat": [(lambda x, y: np.vecmat(x, y), V, np.moveaxis(C, 2, 1))],
    "sort_complex": [(lambda x: np.real(np.sort_complex(x)), A)],
    "lib.stride_tricks.sliding_window_view": [
        (lambda x: np.lib.stride_tricks.sliding_window_view(x, 2), V),
        (lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(1, 2)), C),
    ],
    "take": [(lambda x: np.take(x, [0, 0], axis=0), np.array(1.5))],
    "repeat": [(lambda x: np.repeat(x, 3, axis=0), np.array(1.5))],
}


def into(shape, call):
    """``call`` with an array of ``shape``, which it writes its result to, as its last argument."""

    def f(x, *others):
        z = np.zeros(shape, x.dtype, like=np.atleast_1d(sum(map(np.sum, (x, *others)))))
        call(x, *others, z)
        return z

    return f


DOUBLE = {"dtype": np.float64}
SINGLE = {"dtype": np.float32, "casting": "same_kind"}

#: Keywords that many functions share: dtypes, axes of ufuncs, and arrays to write to.
KEYWORDS = {
    "add": [
        (lambda x, y: np.add(x, y, **DOUBLE), A, V),
        (lambda x: np.add(x, POS, where=MASK, out=np.ones_like(x)), A),
        (into((3, 4), lambda x, z: np.add(1.0, x, z, order="F", subok=False)), A),
        (lambda x: np.add.reduce(x, axis=0, initial=2.0, where=MASK, **DOUBLE), A),
        (lambda x: np.add.accumulate(x, axis=1, **DOUBLE), A),
        (into((4,), lambda x, z: np.add.reduce(x, axis=0, where=MASK, out=z)), A),
    ],
    "multiply": [
        (lambda x: np.multiply(x, 2, signature="dd->d"), A),
        (into((3, 4, 4), lambda x, y, z: np.multiply.outer(x, y, out=z)), A, V),
    ],
    "divide": [
        (into((3, 4), lambda x, y, z: np.divide(x, y, out=z, where=y > 1)), A, POS),
        (lambda x: np.divide.reduce(x, axis=1, initial=3.0, where=MASK), POS),
    ],
    "maximum": [(lambda x: np.maximum(x, 0.1, dtype=np.float64, casting="safe"), A)],
    "float_power": [(lambda x: np.float_power(x, 1.5, signature=(None, None, "d")), POS)],
    "modf": [(lambda x: np.modf(x, **DOUBLE)[0], A)],
    "hypot": [(lambda x: np.hypot.reduce(x, axis=1, initial=1.5, where=MASK), A)],
    "fmax": [(lambda x: np.fmax.reduce(x, axis=1, initial=-9.0, where=MASK), A)],
    "matmul": [
        (lambda x, y: np.matmul(x, y, axes=[(1, 0), (1, 0), (0, 1)]), A.T, B.T),
        (lambda x, y: np.matmul(x, y, axes=[(0, 2), 0, 1], **DOUBLE), C, V),
        (into((3, 2), np.matmul), A, B),
    ],
    "vecdot": [
        (lambda x, y: np.vecdot(x, y, axis=1, keepdims=True), C, C[:, :, :1]),
        (lambda x, y: np.vecdot(x, y, axes=[1, 0]), C, A),
    ],
    "vecmat": [(lambda x, y: np.vecmat(x, y, axes=[0, (0, 1), 0]), C[:, 0], C)],
    "clip": [
        (into((3, 4), lambda x, z: np.clip(x, -0.5, 0.7, out=z, where=MASK)), A),
        (lambda x: x.clip(-0.5, **DOUBLE), A),
    ],
    "sum": [
        (into((4,), lambda x, z: np.sum(x, 0, None, z)), A),
        (into((), lambda x, z: np.sum(x, initial=x[0, 0], out=z, where=MASK)), A),
    ],
    "mean": [
        (lambda x: np.mean(x, axis=0, **DOUBLE), A),
        (into((3,), lambda x, z: np.mean(x, axis=1, out=z)), A),
    ],
    "std": [(into((3,), lambda x, z: x.std(axis=1, ddof=1, dtype=np.float64, out=z)), A)],
    "max": [(into((3, 1), lambda x, z: np.max(x, axis=1, keepdims=True, out=z)), A)],
    "cumsum": [(into((3, 4), lambda x, z: np.cumsum(x, axis=1, out=z)), A)],
    "nanvar": [(into((3,), lambda x, z: np.nanvar(x, axis=1, out=z, mean=A[:, :1])), HOLES)],
    "median": [(into((3,), lambda x, z: np.median(x, axis=1, out=z)), A)],
    "quantile": [
        *[
            (
                lambda x, k=k, q=q: np.quantile(x, q, method="inverted_cdf", **k),
                A,
            )
            for q in (0.3, Q)
            for k in (
                {"weights": POS},
                {"weights": POS, "axis": 0},
                {"weights": POS[0], "axis": -1, "keepdims": True},
            )
        ],
        (lambda x: np.nanquantile(x, 0.6, 0, weights=POS, method="inverted_cdf"), HOLES),
    ],
    "percentile": [
        (lambda x: np.percentile(x, 20, weights=[0, 2, 0, 1], axis=1, method="inverted_cdf"), A)
    ],
    "dot": [(into((3, 2), np.dot), A, B)],
    "outer": [(into((4, 4), np.outer), V, W)],
    "einsum": [
        (lambda x, y: np.einsum("ij,jk", x, y, casting="safe", **DOUBLE), A, B),
        (into((2,), lambda x, y, z: np.einsum("ij,jk->k", x, y, out=z, optimize=True)), A, B),
        (
            lambda x, y: np.einsum("ij,jk,lk", x, y, y, optimize=["einsum_path", (1, 2), (0, 1)]),
            A,
            B,
        ),
    ],
    "trace": [
        (lambda x: np.trace(x, 1, 1, 2, np.float64), C),
        (into((2,), lambda x, z: np.trace(x, 0, 1, 2, out=z)), C),
    ],
    "take": [(into((3, 2), lambda x, z: np.take(x, [1, 1], axis=1, out=z)), A)],
    "choose": [(into((4,), lambda x, z: np.choose([0, 1, 1, 0], [x, x**2], out=z)), V)],
    "concatenate": [
        (lambda x, y: np.concatenate([x, y], **SINGLE).astype(float) * 0 + np.append(x, y), V, W),
        (into((8,), lambda x, y, z: np.concatenate([x, y], out=z)), V, W),
    ],
    "stack": [
        (lambda x, y: np.stack([x, y], axis=1, **DOUBLE), V, W),
        (into((2, 4), lambda x, y, z: np.stack([x, y], out=z)), V, W),
    ],
    "hstack": [(lambda x, y: np.hstack([x, y], **DOUBLE), V, W)],
    "vstack": [(lambda x, y: np.vstack([x, y], dtype=np.float64, casting="safe"), V, W)],
    "linspace": [(lambda x: x * np.linspace(x, -3.0, 4, dtype=int), V)],
    "astype": [(lambda x: x.astype(np.float64, "K", "safe", copy=False), A)],
    "reshape": [(lambda x: np.reshape(x, 12, "F"), A)],
    "interp": [
        (lambda x, p: np.interp(x * p, [-0.9, 0.2, 1.5], V[:3], period=p), A, np.array(3.0))
    ],
    "nan_to_num": [(lambda x: np.nan_to_num(x, nan=x[0, 0], posinf=x[1, 1]), HOLES)],
    "polyfit": [
        *[(lambda x, y, i=i: np.polyfit(x, y, 1, full=True)[i], V, W) for i in (0, 1)],
        (lambda x: np.polyfit(x, W, 1, full=True, w=POS[0])[3], V),
    ],
}

#: Calls whose result has a size or a dtype that depends on the values, which vmap refuses.
NO_VMAP = {
    "unique": [(np.unique, A), (lambda x: np.unique(x[[0, 2, 0]], axis=0), A)],
    "unique_all": [(lambda x: np.unique_all(x).values, A)],
    "unique_counts": [(lambda x: np.unique_counts(x).values, A)],
    "unique_inverse": [(lambda x: np.unique_inverse(x).values, A)],
    "unique_values": [(lambda x: np.sort(np.unique_values(x)), A)],
    "union1d": [(np.union1d, V, 1.1 * W)],
    "setdiff1d": [(lambda x: np.setdiff1d(x, [9.0, 8.0]), A)],
    "setxor1d": [(lambda x: np.setxor1d(x, A[0, :2] + 1e-3), V)],
    "intersect1d": [(lambda x: np.intersect1d(x, x[1:]), V)],
    "trim_zeros": [
        (lambda x: np.trim_zeros(np.concatenate([[0.0], x, [0.0, 0.0]])), V),
        (lambda x: np.trim_zeros(x * [0, 1, 0, 1], "f"), V),
    ],
    "emath.sqrt": [(np.emath.sqrt, POS), (lambda x: np.real(np.emath.sqrt(x)), FAR)],
    "emath.log": [(np.emath.log, POS), (lambda x: np.real(np.emath.log(x)), FAR)],
    "emath.log2": [(np.emath.log2, POS)],
    "emath.log10": [(np.emath.log10, POS)],
    "emath.logn": [(np.emath.logn, POS + 1.7, POS)],
    "emath.power": [(np.emath.power, POS, A), (lambda x: np.imag(np.emath.power(x, 1.5)), FAR)],
    "emath.arccos": [(np.emath.arccos, A / 3), (lambda x: np.imag(np.emath.arccos(x)), FAR)],
    "emath.arcsin": [(np.emath.arcsin, A / 3), (lambda x: np.imag(np.emath.arcsin(x)), FAR)],
    "emath.arctanh": [(np.emath.arctanh, A / 3), (lambda x: np.real(np.emath.arctanh(x)), FAR)],
}

#: The methods of ufuncs, by calls of the ufunc.
METHODS = {
    "ufunc.reduce": [
        (lambda f, x: f.reduce(x), A),
        (lambda f, x: f.reduce(x, axis=-1, keepdims=True), A),
        (lambda f, x: f.reduce(x, axis=1, initial=x[0, 0]), A),
        (lambda f, x: f.reduce(x, axis=1, initial=2.3, where=MASK, dtype=np.float64), A),
    ],
    "ufunc.accumulate": [
        (lambda f, x: f.accumulate(x), A),
        (lambda f, x: f.accumulate(x, axis=1, dtype=np.float64), A),
    ],
    "ufunc.reduceat": [
        (lambda f, x: f.reduceat(x, [0, 2, 1], axis=1), A),
        (lambda f, x: f.reduceat(x, [1, 0, 1]), A),
    ],
    "ufunc.outer": [(lambda f, x, y: f.outer(x, y, dtype=np.float64), A, V)],
}


def listed(examples):
    """One row a call, of the functions that this NumPy has."""
    return [
        (name, *row)
        for name, rows in examples.items()
        for row in rows
        if "." in name or hasattr(np, name)
    ]
