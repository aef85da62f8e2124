"""Newton's method without a Hessian: conjugate gradients that only multiply by it.

    python examples/newton_hvp.py [--quick]

A Newton step solves H·p = −g. The method of conjugate gradients needs products H·v for that, which
`hvp` gives at the cost of a few gradients, so that the Hessian is never formed. Where it finds a
direction of negative curvature, it stops with what it has. (Nocedal and Wright, "Numerical
Optimization", 2006, algorithm 7.1.) The function is Rosenbrock's chain, a curved valley in which
gradient descent hardly moves; its minimum is 0, where all coordinates are 1.
"""

import argparse

import numpy as np

from funcgrad import grad, hvp, value_and_grad


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def newton_direction(f, x, gradient):
    """A direction p with H·p ≈ −gradient, along which f falls, and the number of products."""
    size = np.linalg.norm(gradient)
    p, residual = np.zeros_like(x), gradient
    direction = -residual
    for product in range(1, len(x) + 1):
        (curved,) = hvp(f, (x,), (direction,))
        curvature = direction @ curved
        if curvature <= 0.0:
            return (p if product > 1 else direction), product
        step = residual @ residual / curvature
        p, before, residual = p + step * direction, residual, residual + step * curved
        # The nearer the minimum, the more exactly a step is worth solving for.
        if np.linalg.norm(residual) <= min(0.5, np.sqrt(size)) * size:
            break
        direction = residual @ residual / (before @ before) * direction - residual
    return p, product


def minimise(f, x, tolerance=1e-8, steps=500):
    """The minimum near x, and for each step the value, the gradient's length and the products."""
    path = []
    for _ in range(steps):
        value, gradient = value_and_grad(f)(x)
        size = np.linalg.norm(gradient)
        if size < tolerance:
            return x, path
        p, products = newton_direction(f, x, gradient)
        path.append((float(value), float(size), products))
        rate, slope = 1.0, gradient @ p
        while f(x + rate * p) > value + 1e-4 * rate * slope:
            rate /= 2.0
        x = x + rate * p
    raise RuntimeError(f"no minimum within {steps} steps")


def descend(f, x, steps, rate=1e-3):
    for _ in range(steps):
        x = x - rate * grad(f)(x)
    return x


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="in 10 dimensions, not in 100")
    dimensions = 10 if parser.parse_args(argv).quick else 100

    start = np.zeros(dimensions)
    x, path = minimise(rosenbrock, start)
    print("step  value      |gradient|  products with the Hessian")
    for i in [0, *range(len(path) - 5, len(path))]:
        value, size, products = path[i]
        print(f"{i:4}  {value:.3e}  {size:.3e}   {products}")
    total = sum(products for _, _, products in path)
    error = float(np.max(np.abs(x - 1.0)))
    print(f"{len(path)} steps with {total} products: {error:.1e} from the minimum")
    assert error < 1e-8

    steps = len(path) + total  # a product costs a few gradients
    descended = descend(rosenbrock, start, steps)
    print(f"{steps} steps of gradient descent leave a value of {rosenbrock(descended):.1e}")
    return x, path


if __name__ == "__main__":
    main()
