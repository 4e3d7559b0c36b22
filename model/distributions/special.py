"""Special functions: those that every answer needs, and SciPy's where rarer ones are.

`scipy.special` takes a fifth of a second and 13 MiB to be imported, since it asks which array
libraries there are; for almost all that a server is asked it needs a few functions of a few lines.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", bound=np.floating[Any])

_CENTRE, _NEAR_TAIL = 0.425, 5.0
# Wichura (1988), algorithm AS 241, PPND16: numerators and denominators, the highest power first.
_IN_CENTRE = (
    (
        *(2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4),
        *(4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3),
        *(1.3314166789178437745e2, 3.3871328727963666080e0),
    ),
    (
        *(5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4),
        *(2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2),
        *(4.2313330701600911252e1, 1.0),
    ),
)
_IN_NEAR_TAIL = (
    (
        *(7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1),
        *(1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0),
        *(4.63033784615654529590e0, 1.42343711074968357734e0),
    ),
    (
        *(1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2),
        *(1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0),
        *(2.05319162663775882187e0, 1.0),
    ),
)
_IN_FAR_TAIL = (
    (
        *(2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3),
        *(2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0),
        *(5.46378491116411436990e0, 6.65790464350110377720e0),
    ),
    (
        *(2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5),
        *(7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1),
        *(5.99832206555887937690e-1, 1.0),
    ),
)


def scipy_special() -> Any:
    """SciPy's module, for what is not here."""
    return import_module("scipy.special")


def expit(logits: NDArray[Real]) -> NDArray[Real]:
    """The probability of log odds."""
    small = np.exp(-np.abs(logits))
    found: NDArray[Real] = np.where(logits >= 0, 1, small) / (1 + small)
    return found


def log_expit(logits: NDArray[Real]) -> NDArray[Real]:
    """The logarithm of the probability of log odds."""
    found: NDArray[Real] = np.minimum(logits, 0) - np.log1p(np.exp(-np.abs(logits)))
    return found


def softmax(logits: NDArray[Real]) -> NDArray[Real]:
    """(..., K) the shares of K log weights."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[Real] = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def log_softmax(logits: NDArray[Real]) -> NDArray[Real]:
    """(..., K) the logarithms of the shares of K log weights."""
    below = logits - logits.max(axis=-1, keepdims=True)
    logs: NDArray[Real] = below - np.log(np.exp(below).sum(axis=-1, keepdims=True))
    return logs


def ndtri(levels: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """The quantiles of the standard normal distribution."""
    levels = np.asarray(levels, dtype=np.float64)
    from_half = levels - 0.5
    is_central = np.abs(from_half) <= _CENTRE
    square = _CENTRE**2 - np.where(is_central, from_half, 0.0) ** 2
    central = from_half * _ratio(_IN_CENTRE, square)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.sqrt(-np.log(np.where(is_central, 0.5, np.minimum(levels, 1 - levels))))
        near = _ratio(_IN_NEAR_TAIL, depth - 1.6)
        far = np.where(np.isinf(depth), np.inf, _ratio(_IN_FAR_TAIL, depth - _NEAR_TAIL))
    tail = np.copysign(np.where(depth <= _NEAR_TAIL, near, far), from_half)
    return np.where(is_central, central, tail)


def _ratio(
    powers: tuple[tuple[float, ...], tuple[float, ...]], number: NDArray[np.float64]
) -> NDArray[np.float64]:
    above, below = powers
    top, bottom = np.full_like(number, above[0]), np.full_like(number, below[0])
    for up, down in zip(above[1:], below[1:], strict=True):
        top, bottom = top * number + up, bottom * number + down
    return top / bottom
