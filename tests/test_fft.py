"""numpy.fft: laws of the transforms, dtypes, and what is refused. The table has the derivatives."""

import numpy as np
import pytest
from table import draw

import funcgrad as fg
from funcgrad import grad, jvp, vmap

X = draw((4, 6))
Z = X + 1j * draw((4, 6), seed=1)


def near(got, want):
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
def test_a_transform_and_its_inverse_are_the_identity(norm):
    def there_and_back(x):
        y = np.fft.irfft2(np.fft.rfft2(x, norm=norm), norm=norm)
        return y + np.fft.ifft2(np.fft.fft2(x, norm=norm), norm=norm).real

    _, pullback = fg.vjp(there_and_back, X)
    near(pullback(X)[0], 2.0 * X)
    near(jvp(there_and_back, (X,), (X,))[1], 2.0 * X)


@pytest.mark.parametrize("n", [5, 6])
def test_energy(n):
    # Parseval: the energy is the same on both sides, so its gradient is 2x, or 2z̄.
    def energy(z):
        return np.sum(np.abs(np.fft.fft(z, norm="ortho")) ** 2)

    near(grad(energy)(X[:, :n]), 2.0 * X[:, :n])
    near(grad(energy)(Z[:, :n]), 2.0 * np.conj(Z[:, :n]))


def test_convolution():
    def convolved(x, kernel):
        return np.fft.irfft(np.fft.rfft(x, 9) * np.fft.rfft(kernel, 9), 9)

    x, kernel, w = X[0], X[1, :4], draw((9,), seed=2)
    _, pullback = fg.vjp(convolved, x, kernel)
    near(convolved(x, kernel), np.convolve(x, kernel))
    for got, want in zip(pullback(w), [(w, kernel), (w, x)]):
        near(got, np.correlate(*want, mode="valid"))


def test_single_precision_stays():
    x = X.astype(np.float32)
    for name in ("fft", "ifft", "rfft", "ihfft"):
        f = getattr(np.fft, name)
        out, pullback = fg.vjp(f, x)
        assert out.dtype == np.complex64
        assert pullback(out)[0].dtype == np.float32
        assert jvp(f, (x,), (x,))[1].dtype == np.complex64
    for name in ("irfft", "hfft"):
        out, pullback = fg.vjp(getattr(np.fft, name), Z.astype(np.complex64))
        assert out.dtype == np.float32
        assert pullback(out)[0].dtype == np.complex64


def test_axes_of_examples():
    for f in (np.fft.fft2, np.fft.rfftn, lambda x: np.fft.fftshift(x, axes=0)):
        near(vmap(f)(draw((2, 4, 6))), [f(x) for x in draw((2, 4, 6))])


@pytest.mark.parametrize("name", ["fft", "irfft", "fft2", "irfftn"])
def test_a_result_is_written_to_what_can_hold_it(name):
    transform = getattr(np.fft, name)
    plain = transform(X)

    def f(x, like):
        z = np.zeros(plain.shape, plain.dtype, like=like)
        transform(x, out=z)
        return np.sum(np.abs(z) ** 3)

    near(grad(lambda x: f(x, x))(X), grad(lambda x: np.sum(np.abs(transform(x)) ** 3))(X))
    with pytest.raises(fg.DerivativeLostError, match=f"{name} with out="):
        grad(lambda x: f(x, X))(X)


def test_bad_arguments_get_numpys_errors():
    for error, f in [
        (ValueError, lambda x: np.fft.fft(x, norm="other")),
        (ValueError, lambda x: np.fft.fft(x, n=0)),
        (ValueError, lambda x: np.fft.fftn(x, s=(2,), axes=(0, 1))),
        (np.exceptions.AxisError, lambda x: np.fft.fft2(x, axes=(0, 2))),
        (TypeError, lambda x: np.fft.rfft(x + 0j)),
        (ValueError, lambda x: np.fft.fftfreq(x[0, 0])),
    ]:
        with pytest.raises(error):
            grad(lambda x, f=f: np.sum(np.abs(f(x))))(X)


def test_frequencies_follow_the_spacing():
    near(grad(lambda d: np.sum(np.fft.rfftfreq(4, d) ** 2))(0.5), -2.0 * (0.5**2 + 1.0) / 0.5)
