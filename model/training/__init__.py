"""Training: everything that needs torch beyond the network itself."""

from model.training.fit import fit

__all__ = ["fit"]
