"""The Swish family and its least-squares fit."""

from pwlact.swish.fit import PARAMETERS, SwishFit, fit_swish, swish

__all__ = ["PARAMETERS", "SwishFit", "fit_swish", "swish"]
