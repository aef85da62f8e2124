"""Do funcgrad and JAX agree on sixty compositions of transforms? They are those of the tests.

For each, the value and the gradient of a scalar are compared in float64; what counts is agreement,
not time, of which JAX takes some minutes. It pushes no tangents through a ``custom_vjp`` function:
where a composition asks for that, the function goes without its rule in JAX, which leaves the same
derivative.
"""

import sys
from typing import Any

import numpy as np

import funcgrad
from benchmarks import peers
from benchmarks.timing import table
from tests.compositions import POINT, Composition, Library, Unruled, compositions

#: In proportion to the largest element: thousands of roundings, through four derivatives.
TOLERANCE = 1e-12
QUICK = 6  # a rough look takes every sixth

FUNCGRAD = Library(np, *[getattr(funcgrad, name) for name in Library._fields[1:]])


def library(jax: Any, composition: Composition) -> Library:
    """JAX, where a tangent would go through a custom_vjp function without such rules."""
    transforms = composition.transforms
    refused = any(
        name == "custom_vjp" and {"jvp", "custom_jvp"} & set(transforms[i + 1 :])
        for i, name in enumerate(transforms)
    )
    names = {name: getattr(jax, name) for name in Library._fields[1:] if name != "scan"}
    names |= {"custom_vjp": Unruled} if refused else {}
    return Library(np=jax.numpy, scan=jax.lax.scan, **names)


def distance(jax: Any, composition: Composition) -> float:
    """The largest difference of value or gradient, in proportion to the largest element."""
    theirs = jax.value_and_grad(composition.loss(library(jax, composition)), argnums=(0, 1))
    ours = funcgrad.value_and_grad(composition.loss(FUNCGRAD), argnums=(0, 1))
    pairs = zip(funcgrad.tree.leaves(ours(*POINT)), jax.tree.leaves(theirs(*POINT)), strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)


def report(quick: bool) -> int:
    """0 where all agree, and where there is no JAX to ask."""
    present = {peers.key(peer): peer for peer in peers.load()[0]}
    if "jax" not in present:
        print("\ncompositions of transforms: not compared, since JAX is not installed")
        return 0
    jax = present["jax"].jax
    chosen = compositions()[:: QUICK if quick else 1]
    differences = {composition: distance(jax, composition) for composition in chosen}
    apart = {key: found for key, found in differences.items() if not found <= TOLERANCE}
    print(
        f"\n{len(chosen) - len(apart)} of {len(chosen)} compositions of transforms agree with JAX "
        f"to {TOLERANCE:g}"
    )
    if apart:
        rows = [[str(composition), f"{found:.1e}"] for composition, found in apart.items()]
        table("Those that differ", ["", "difference"], rows)
    return int(bool(apart))


if __name__ == "__main__":
    sys.exit(report("--quick" in sys.argv))
