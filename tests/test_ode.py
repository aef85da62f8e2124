"""odeint: solutions and their derivatives against formulas and differences, and what cannot be."""

import numpy as np
import pytest

import funcgrad as fg
from funcgrad import TreeError, grad, jacrev, jvp, odeint, vmap

TS = np.linspace(0.0, 3.0, 7)


def pendulum(y, t, length):
    return {"angle": y["speed"], "speed": -9.81 / length * np.sin(y["angle"])}


def swing(length, angle=1.0, ts=TS, **tolerances):
    return odeint(pendulum, {"angle": angle, "speed": 0.0}, ts, length, **tolerances)


def end_angle(length, angle=1.0):
    return swing(length, angle, TS[[0, 3]], rtol=1e-10, atol=1e-10)["angle"][-1]


def difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2.0 * h)


def test_the_end_of_a_pendulum_by_its_length():
    expected = difference(end_angle, 2.0, 1e-4)
    np.testing.assert_allclose(grad(end_angle)(2.0), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(jvp(end_angle, (2.0,), (1.0,))[1], expected, rtol=0, atol=1e-6)
    second = difference(grad(end_angle), 2.0, 1e-4)
    np.testing.assert_allclose(grad(grad(end_angle))(2.0), second, rtol=0, atol=1e-5)


def test_a_formula():
    # y' = a·y·cos t with y(0) = b has the solution b·exp(a·sin t).
    def solve(a, b, ts):
        return odeint(lambda y, t: a * y * np.cos(t), b, ts, rtol=1e-10, atol=1e-10)

    grown = np.exp(0.5 * np.sin(TS))
    np.testing.assert_allclose(solve(0.5, 2.0, TS), 2.0 * grown, rtol=1e-8)
    da, db = (jacrev(solve, i)(0.5, 2.0, TS) for i in (0, 1))
    np.testing.assert_allclose(da, 2.0 * np.sin(TS) * grown, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(db, grown, rtol=1e-8)


def test_derivatives_by_the_times():
    # y(t) = b·exp(a·(sin t − sin t₀)), at each time but the first, where y is given.
    def solve(ts):
        return odeint(lambda y, t: y * np.cos(t), 2.0, ts, rtol=1e-10, atol=1e-10)

    def formula(ts):
        return 2.0 * np.exp(np.sin(ts) - np.sin(ts[0]))

    np.testing.assert_allclose(jacrev(solve)(TS), jacrev(formula)(TS), rtol=0, atol=1e-6)


def test_no_step_is_longer_than_hmax():
    # At y = 0 nothing is wrong with any step, but with the derivative of a long one.
    def end(y0):
        return odeint(lambda y, t: -y, y0, TS, hmax=0.1)[-1]

    np.testing.assert_allclose(grad(end)(0.0), np.exp(-3.0), rtol=1e-6)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
def test_tighter_tolerances_give_smaller_errors(tolerance):
    y = odeint(lambda y, t: -2.0 * t * y, 1.0, TS, rtol=tolerance, atol=tolerance)
    assert np.max(np.abs(y - np.exp(-(TS**2)))) < 10.0 * tolerance


def test_order_of_the_step_and_of_what_lies_between():
    between, at_end = [], []
    for h in (0.2, 0.1):
        ts = np.array([0.0, 0.4 * h, h])
        # Tolerances that let everything pass, so that the only step is the whole.
        y = odeint(lambda y, t: y * np.cos(t), 1.0, ts, rtol=1e3, atol=1e3)
        errors = np.abs(y - np.exp(np.sin(ts)))
        between.append(errors[1])
        at_end.append(errors[2])
    assert at_end[0] / at_end[1] > 2**5.5  # a local error of order 6
    assert between[0] / between[1] > 2**4.5  # and of order 5


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5])
def test_polynomials_of_the_order_of_the_method_are_exact(degree):
    # Of degree 5 at the end of a step, of degree 4 in between.
    ts = np.array([0.5, 3.0] if degree == 5 else [0.5, 0.9, 1.7, 2.3, 3.0])
    y = odeint(lambda y, t: degree * t ** (degree - 1), ts[0] ** degree, ts, rtol=1e3, atol=1e3)
    np.testing.assert_allclose(y, ts**degree, rtol=1e-14)


@pytest.mark.parametrize("copies", [(1.0,) * 9, np.ones((4, 5)), {"a": np.ones(7), "b": 1.0}])
def test_copies_of_a_state_take_the_steps_of_one(copies):
    def steps(y0):
        times = []

        def func(y, t):
            times.append(t)
            return fg.tree.map(lambda x: -x * np.cos(5.0 * t), y)

        odeint(func, y0, TS)
        return times

    np.testing.assert_allclose(steps(copies), steps(1.0), rtol=1e-6)


def test_back_in_time():
    forth = swing(2.0)
    y_end = fg.tree.map(lambda x: x[-1], forth)
    back = odeint(pendulum, y_end, TS[::-1], 2.0)
    for name in ("angle", "speed"):
        np.testing.assert_allclose(back[name][::-1], forth[name], rtol=0, atol=1e-6)


def test_the_derivative_is_not_asked_beyond_the_end():
    asked = []
    odeint(lambda y, t: asked.append(t) or -y, 1.0, TS)
    assert min(asked) == 0.0
    assert max(asked) == 3.0


def test_a_function_that_works_in_place():
    slope = np.zeros(2)

    def func(y, t):
        y *= -1.0
        slope[:] = y
        return slope

    start = np.ones(2)
    np.testing.assert_allclose(odeint(func, start, TS)[-1], np.exp(-3.0), rtol=1e-6)
    assert start.tolist() == [1.0, 1.0]


def test_an_argument_that_changes_after_its_use():
    rate = np.array([1.0, 2.0])
    _, pullback = fg.vjp(lambda y: odeint(lambda y, t, k: -k * y, y, TS, rate)[-1], np.ones(2))
    (want,) = pullback(np.ones(2))
    rate *= 5.0
    np.testing.assert_array_equal(pullback(np.ones(2))[0], want)


def test_vmap_takes_common_steps():
    lengths = np.array([0.5, 1.0, 4.0])
    alone = np.stack([end_angle(length) for length in lengths])
    np.testing.assert_allclose(vmap(end_angle)(lengths), alone, rtol=0, atol=1e-8)
    slopes = np.stack([grad(end_angle)(length) for length in lengths])
    np.testing.assert_allclose(vmap(grad(end_angle))(lengths), slopes, rtol=0, atol=1e-6)
    by_angle = vmap(end_angle, (None, 0))(2.0, lengths)
    np.testing.assert_allclose(by_angle, [end_angle(2.0, a) for a in lengths], rtol=0, atol=1e-8)
    table = vmap(vmap(end_angle, (None, 0)), (0, None))(lengths, lengths)
    np.testing.assert_allclose(table[2, 1], end_angle(4.0, 1.0), rtol=0, atol=1e-8)


def test_shapes_and_dtypes():
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]], np.float32)
    y0 = (np.eye(2, dtype=np.float32), np.complex64(1.0), 1.0)
    ys = odeint(lambda y, t: (turn @ y[0], y[1] * 1j, -y[2] * t), y0, np.array([0, 1, 2]))
    assert [y.shape for y in ys] == [(3, 2, 2), (3,), (3,)]
    assert [y.dtype for y in ys] == [np.float32, np.complex64, np.float64]
    np.testing.assert_allclose(ys[0][2, 0], [np.cos(2), np.sin(2)], rtol=1e-5)
    np.testing.assert_allclose(ys[1], np.exp(1j * np.arange(3)), rtol=1e-5)
    np.testing.assert_allclose(ys[2], np.exp(-(np.arange(3) ** 2) / 2), rtol=1e-6)


def test_a_constant_slope_and_a_single_time():
    np.testing.assert_allclose(odeint(lambda y, t: 2.0, 1.0, TS), 1.0 + 2.0 * TS)
    assert grad(lambda a: odeint(lambda y, t: a, 1.0, TS)[-1])(2.0) == pytest.approx(3.0)
    assert odeint(lambda y, t: y, 1.0, [0.5]).tolist() == [1.0]


@pytest.mark.parametrize(
    "func, message",
    [
        (lambda y, t: y * y, r"at t = 1 with a step of .* goes to infinity"),
        (lambda y, t: y * np.nan, r"at t = 0 with a step of .* not finite"),
        (lambda y, t: -1e7 * (y - np.cos(t)), r"100 steps did not lead to t = 2; .*Raise mxstep"),
    ],
    ids=["infinite", "nan", "stiff"],
)
def test_what_cannot_be_solved_says_where(func, message):
    mxstep = 100 if "mxstep" in message else 10_000
    with pytest.raises(RuntimeError, match=message):
        odeint(func, 1.0, np.array([0.0, 2.0]), mxstep=mxstep)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: odeint(lambda y, t: -y, {"a": 1}, TS), TypeError, r"y0\['a'\].*int64"),
        (lambda: odeint(lambda y, t: -y, 1.0, 3.0), ValueError, "times in one array"),
        (lambda: odeint(lambda y, t: -y, 1.0, [0.0, 0.0]), ValueError, "each later"),
        (lambda: odeint(lambda y, t: -y, 1.0, TS, hmax=-1.0), ValueError, "hmax must be positive"),
        (
            lambda: odeint(lambda y, t: [y[1], -y[0]], np.ones(2), TS),
            TreeError,
            r"in what func returns is a list of 2, .* Write np.stack",
        ),
        (lambda: odeint(lambda y, t: TS, 1.0, TS), TypeError, r"y has shape \(\).*shape \(7,\)"),
        (lambda: vmap(lambda t: swing(2.0, ts=TS * t))(TS[1:]), ValueError, "Scale time"),
    ],
)
def test_errors_say_what_to_write(call, error, message):
    with pytest.raises(error, match=message):
        call()
