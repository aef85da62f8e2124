"""Define-by-run, step by step: the graph is whatever the function did when it ran.

    python examples/seed_5_step_by_step.py

A function is ordinary Python on NumPy values. `grad(f)(x)` runs it once, writes down what it did
and walks back over that. So there is no graph to build beforehand, nothing to clear afterwards, and
nothing to switch off where no gradient is wanted.
"""

import numpy as np

from funcgrad import debug, grad, value, value_and_grad


def square(x):
    return x**2


def chain(x):
    return square(np.exp(square(x)))


def numerical_derivative(f, x, step=1e-4):
    """The slope between two points around x: off by a multiple of step²."""
    return (f(x + step) - f(x - step)) / (2.0 * step)


def same_variable_twice(x):
    """The derivatives of x + x and of (x + x) + x, one after the other."""
    return grad(lambda x: x + x)(x), grad(lambda x: (x + x) + x)(x)


def diamond(x):
    """2x⁴ on two paths from one square."""
    a = debug.name(square(x), "a")
    left = debug.name(square(a), "left")
    right = debug.name(square(a), "right")
    return debug.name(left + right, "y")


def sum_of_squares(x, y):
    return square(x) + square(y)


# `value(x)` is the plain number inside a traced value. What is computed from it is not recorded.


def share_of_length(x):
    """The sum of x / |x|."""
    return np.sum(x / np.sqrt(np.sum(square(x))))


def share_of_fixed_length(x):
    """The same number, where the length is only a number to divide by."""
    return np.sum(x / np.sqrt(np.sum(square(value(x)))))


def tape_edges(f, *args):
    """How many edges the tape of a run holds."""
    return debug.tape(f)(*args).count("→") - 1  # one arrow is in the heading


# Operators, with a number or an array on either side. Each is a function of t, an array of three.

ROW = np.array([3.0, 2.0, 1.0])
MATRIX = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
OPERATORS = {
    "t + 1": lambda t: t + 1,
    "1 + t": lambda t: 1 + t,
    "t + row": lambda t: t + ROW,
    "row + t": lambda t: ROW + t,
    "t - 1": lambda t: t - 1,
    "1 - t": lambda t: 1 - t,
    "row - t": lambda t: ROW - t,
    "t * 2": lambda t: t * 2,
    "2 * t": lambda t: 2 * t,
    "row * t": lambda t: ROW * t,
    "[3, 2, 1] * t": lambda t: [3, 2, 1] * t,
    "t / 2": lambda t: t / 2,
    "2 / t": lambda t: 2 / t,
    "row / t": lambda t: ROW / t,
    "t ** 2": lambda t: t**2,
    "2 ** t": lambda t: 2**t,
    "row ** t": lambda t: ROW**t,
    "-t": lambda t: -t,
    "t @ row": lambda t: t @ ROW,
    "row @ t": lambda t: ROW @ t,
    "matrix @ t": lambda t: MATRIX @ t,
    "t @ matrix": lambda t: t @ MATRIX,
    "float64(2) * t": lambda t: np.float64(2.0) * t,
}
T = np.array([0.5, 1.0, 2.0])


def operator_gradients():
    """The gradient of the sum of each operator's result at T, by name."""
    return {name: grad(lambda t, f=f: np.sum(f(t)))(T) for name, f in OPERATORS.items()}


def main():
    print("Step 1: f(x) = square(exp(square(x))) at 0.5")
    print(f"  from the tape         {grad(chain)(0.5)}")
    print(f"  from two evaluations  {numerical_derivative(chain, 0.5)}")

    first, second = same_variable_twice(3.0)
    print("Step 2: one variable used again, and two gradients in a row with nothing to clear")
    print(f"  d(x + x)/dx = {first}, then d((x + x) + x)/dx = {second}")

    result, slope = value_and_grad(diamond)(2.0)
    print(f"Step 3: the diamond y = a² + a², a = x², at 2: y = {result}, dy/dx = {slope}")
    print("  The walk comes to each node once, to a when both paths have brought their part.")
    print("  The names in the printout are those that debug.name gave:")
    print(debug.tape(diamond)(2.0))

    result, slopes = value_and_grad(sum_of_squares, argnums=(0, 1))(2.0, 3.0)
    print(f"Step 4: z = x² + y² at (2, 3): z = {result}, dz/dx = {slopes[0]}, dz/dy = {slopes[1]}")

    point = np.array([3.0, 4.0])
    print("Step 5: a value computed without recording costs no tape")
    for f in (share_of_length, share_of_fixed_length):
        edges = tape_edges(f, point)
        print(
            f"  {f.__name__} is {f(point):.2f}, {edges} edges, gradient {grad(f)(point).round(4)}"
        )

    print(f"Step 6: operators with numbers and arrays on either side, at t = {T}")
    for name, gradient in operator_gradients().items():
        print(f"  d sum({name})/dt".ljust(28), gradient.round(4))


if __name__ == "__main__":
    main()
