"""Programs as people bring them: NumPy code that was written to compute, not to be differentiated.

Each is a scalar function of parameters and data, both pytrees. Four are those of the examples.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from loading import load

RNG = np.random.default_rng(0)


class Program(NamedTuple):
    f: Callable[[Any, Any], Any]
    params: Any
    data: Any


gaussian_process = load("gaussian_process")
black_scholes = load("black_scholes")
heat_equation = load("heat_equation")
kalman_filter = load("kalman_filter")


def survival(params, data):
    """−log p of lifetimes with Weibull's distribution, some of which were not seen to end."""
    scale = np.exp(data["features"] @ params["weights"] + params["bias"])
    shape = np.exp(params["log_shape"])
    ratio = data["times"] / scale
    log_hazard = np.log(shape / scale) + (shape - 1.0) * np.log(ratio)
    return np.sum(ratio**shape) - log_hazard[data["ended"]].sum()


def filtered(params, data):
    return kalman_filter.negative_log_likelihood(params, data["measured"])


def marginal_likelihood(params, data):
    return gaussian_process.negative_log_likelihood(params, data["x"], data["y"])


def pagerank(params, data):
    """How much of a random surfer's time the pages in question get, by power iteration."""
    weights = np.where(data["links"], np.exp(params["preferences"]), 0.0)
    jumps = weights / weights.sum(axis=0)
    damping = 1.0 / (1.0 + np.exp(-params["stay"]))
    pages = len(jumps)
    rank = np.ones_like(jumps[0]) / pages
    for _ in range(60):
        rank = damping * (jumps @ rank) + (1.0 - damping) / pages
        rank /= np.sum(rank)
    return -np.log(rank[data["asked"]]).mean()


def heat(params, data):
    return heat_equation.sum_of_squares(params, data["initial"], data["measured"])


def orbits(params, data):
    """How far bodies end from where they were seen, after leapfrog's steps under their gravity."""
    masses = np.exp(params["log_masses"])

    def acceleration(places):
        apart = places[None, :, :] - places[:, None, :]
        distances = np.sqrt((apart**2).sum(axis=-1) + data["softening"] ** 2)
        return (masses[:, None] * apart / distances[..., None] ** 3).sum(axis=1)

    step = data["step"]
    places, velocities = params["places"].copy(), params["velocities"].copy()
    velocities += 0.5 * step * acceleration(places)
    for _ in range(100):
        places += step * velocities
        velocities += step * acceleration(places)
    return ((places - data["seen"]) ** 2).sum()


def option_chain(params, data):
    """The squared distance of a chain of options from its prices in the market."""
    volatility = np.exp(params["level"] + params["slope"] * np.log(data["strikes"] / data["spot"]))
    prices = black_scholes.call_price(
        data["spot"], data["strikes"], volatility, params["rate"], data["years"]
    )
    return np.sum((prices - data["prices"]) ** 2)


def spline(params, data):
    """The misfit of a natural cubic spline through knots that may move in both directions."""
    knots = np.cumsum(np.exp(params["log_gaps"]))
    heights = params["heights"]
    gaps = np.diff(knots)
    slopes = np.diff(heights) / gaps

    # The second derivatives at the knots, by elimination in a tridiagonal system.
    count = len(knots)
    upper, right = np.zeros_like(knots), np.zeros_like(knots)
    for i in range(1, count - 1):
        pivot = 2.0 * (gaps[i - 1] + gaps[i]) - gaps[i - 1] * upper[i - 1]
        upper[i] = gaps[i] / pivot
        right[i] = (6.0 * (slopes[i] - slopes[i - 1]) - gaps[i - 1] * right[i - 1]) / pivot
    bends = np.zeros_like(knots)
    for i in range(count - 2, 0, -1):
        bends[i] = right[i] - upper[i] * bends[i + 1]

    i = np.clip(np.searchsorted(knots, data["x"]) - 1, 0, count - 2)
    t = data["x"] - knots[i]
    slope = slopes[i] - gaps[i] * (2.0 * bends[i] + bends[i + 1]) / 6.0
    y = heights[i] + t * (slope + t * (bends[i] / 2.0 + t * np.diff(bends)[i] / (6.0 * gaps[i])))
    return ((y - data["y"]) ** 2).mean()


def registration(params, data):
    """What is left between two clouds of points, after five rounds of iterated closest points."""
    fixed, moving = params["fixed"], data["moving"]
    for _ in range(5):
        squares = ((moving[:, None, :] - fixed[None, :, :]) ** 2).sum(axis=-1)
        partners = fixed[squares.argmin(axis=1)]
        a, b = moving - moving.mean(axis=0), partners - partners.mean(axis=0)
        u, _, vt = np.linalg.svd(a.T @ b)
        handedness = np.sign(np.linalg.det(u @ vt))
        u = np.concatenate([u[:, :-1], handedness * u[:, -1:]], axis=1)
        moving = a @ u @ vt + partners.mean(axis=0)
    return ((moving - partners) ** 2).sum() + ((moving - data["goal"]) ** 2).sum()


def deblurring(params, data):
    """How badly a sharp image, blurred by a lens, explains what was seen; rough images cost."""
    image, width = params["image"], np.exp(params["log_width"])
    distances = data["offsets"][:, None] ** 2 + data["offsets"][None, :] ** 2
    lens = np.exp(-0.5 * distances / width**2)
    lens /= lens.sum()
    blurred = np.fft.irfft2(np.fft.rfft2(image) * np.fft.rfft2(lens), s=image.shape)
    rough = (np.diff(image, axis=0) ** 2).sum() + (np.diff(image, axis=1) ** 2).sum()
    return ((blurred - data["seen"]) ** 2).sum() + 0.01 * rough


def turned(points, angle):
    """Points in space turned around the last axis, and a little around the first."""
    c, s = np.cos(angle), np.sin(angle)
    about_last = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    about_first = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    return points @ about_last.T @ about_first.T


def programs():
    normal, uniform = RNG.normal, RNG.uniform
    x = np.linspace(0.0, 4.0, 20)
    initial = np.repeat([1.0, 0.0, 1.0, 0.0], 4)
    links = uniform(size=(8, 8)) < 0.4
    links[np.arange(8), np.arange(1, 9) % 8] = True
    strikes = np.linspace(80.0, 120.0, 7)
    cloud = normal(size=(12, 3))
    offsets = np.fft.fftfreq(12, 1.0 / 12)
    return {
        "survival": Program(
            survival,
            {"weights": np.array([0.5, -0.3]), "bias": 0.2, "log_shape": 0.3},
            {
                "features": normal(size=(30, 2)),
                "times": uniform(0.2, 3.0, 30),
                "ended": uniform(size=30) < 0.6,
            },
        ),
        "kalman_filter": Program(
            filtered, np.array([-1.0, 0.2]), {"measured": normal(size=(20, 2)).cumsum(axis=0)}
        ),
        "gaussian_process": Program(
            marginal_likelihood, np.array([-0.5, 0.2, -1.0]), {"x": x, "y": np.sin(3.0 * x)}
        ),
        "pagerank": Program(
            pagerank,
            {"preferences": 0.3 * normal(size=(8, 8)), "stay": 1.5},
            {"links": links, "asked": np.array([1, 4])},
        ),
        "heat_equation": Program(
            heat,
            np.log([0.8, 0.4, 0.5, 0.3]),
            {
                "initial": initial,
                "measured": heat_equation.temperatures(heat_equation.TRUTH, initial),
            },
        ),
        "orbits": Program(
            orbits,
            {
                "log_masses": np.array([0.0, -2.0, -4.0]),
                "places": np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.1], [0.0, 1.6, 0.0]]),
                "velocities": np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.8, 0.0, 0.1]]),
            },
            {"step": 0.02, "softening": 0.05, "seen": np.eye(3)},
        ),
        "option_chain": Program(
            option_chain,
            {"level": -1.2, "slope": -0.3, "rate": 0.02},
            {
                "spot": 100.0,
                "years": 0.75,
                "strikes": strikes,
                "prices": np.maximum(100.0 - strikes, 0.0) + 6.0,
            },
        ),
        "spline": Program(
            spline,
            {"log_gaps": 0.2 * normal(size=6) - 0.5, "heights": normal(size=6)},
            {"x": np.linspace(0.75, 3.5, 25), "y": np.cos(np.linspace(0.75, 3.5, 25))},
        ),
        "registration": Program(
            registration,
            {"fixed": turned(cloud, 0.2) + 0.1 + 0.05 * normal(size=(12, 3))},
            {"moving": cloud, "goal": turned(cloud, 0.3)},
        ),
        "deblurring": Program(
            deblurring,
            {"image": uniform(size=(12, 12)), "log_width": 0.1},
            {"offsets": offsets, "seen": uniform(size=(12, 12))},
        ),
    }


PROGRAMS = programs()
