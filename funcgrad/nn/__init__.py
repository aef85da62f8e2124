"""Neural networks out of pure functions: layers, activations, losses and initialisers."""

from .activations import log_softmax, logsumexp, relu, sigmoid, softmax, tanh
from .initializers import glorot, he, normal, zeros
from .layers import Layer, linear, mlp, serial
from .losses import cross_entropy, mse_loss, nll_loss, one_hot

__all__ = [
    "Layer",
    "cross_entropy",
    "glorot",
    "he",
    "linear",
    "log_softmax",
    "logsumexp",
    "mlp",
    "mse_loss",
    "nll_loss",
    "normal",
    "one_hot",
    "relu",
    "serial",
    "sigmoid",
    "softmax",
    "tanh",
    "zeros",
]
