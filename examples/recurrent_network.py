"""A recurrent network by `scan`, which learns to repeat what it heard a while ago.

    python examples/recurrent_network.py [--quick]

The input is a sequence of random bits. At each step the network must say the bit of five steps
before, which it can only do by carrying it in its state. `scan` runs one step over the sequence;
the gradient goes back through all of them, and so the network learns what to keep.
"""

import argparse

import numpy as np

from funcgrad import nn, optim, random, scan, training

DELAY, STEPS, BATCH, WIDTH = 5, 20, 50, 32


def init(key):
    state, inputs, outputs = random.split(key, 3)
    return {
        "state": random.normal(state, (WIDTH, WIDTH)) / np.sqrt(WIDTH),
        "input": random.normal(inputs, (WIDTH,)),
        "bias": np.zeros(WIDTH),
        "output": random.normal(outputs, (WIDTH, 2)) / np.sqrt(WIDTH),
    }


def network(params, bits):
    """Logits of shape (steps, batch, 2), for bits of shape (steps, batch)."""

    def step(h, bit):
        heard = (2.0 * bit - 1.0)[:, None] * params["input"]
        h = np.tanh(h @ params["state"] + heard + params["bias"])
        return h, h

    _, states = scan(step, np.zeros((bits.shape[1], WIDTH)), bits)
    return states @ params["output"]


def loss_fn(params, bits):
    logits = network(params, bits)[DELAY:]
    return nn.cross_entropy(logits.reshape(-1, 2), bits[:-DELAY].ravel())


def accuracy(params, bits):
    """The part of bits that is repeated rightly."""
    logits = network(params, bits)[DELAY:]
    return training.accuracy(logits.reshape(-1, 2), bits[:-DELAY].ravel())


def sequences(key, steps=STEPS):
    return random.randint(key, (steps, BATCH), 0, 2)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="take 100 steps, not 200")
    rounds = 100 if parser.parse_args(argv).quick else 200

    init_key, test_key, train_key = random.split(random.key(0), 3)
    params = init(init_key)
    optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.005))
    state = optimizer.init(params)
    step = training.make_step(loss_fn, optimizer)
    test = sequences(test_key)
    print(f"before: {accuracy(params, test):.1%} of the bits are right")
    for i, key in enumerate(random.split(train_key, rounds), 1):
        params, state, loss = step(params, state, sequences(key))
        if i % (rounds // 10) == 0:
            print(f"step {i}: loss {loss:.4f}, {accuracy(params, test):.1%} are right")

    longer = accuracy(params, sequences(test_key, 10 * STEPS))
    print(f"on sequences ten times as long: {longer:.1%}")
    assert longer > 0.99
    return longer


if __name__ == "__main__":
    main()
