"""What is true of a map, for choosing one and for tests to hold it to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """Properties of f: R^K -> R^K, for K of 3 and more, at finite inputs.

    Attributes:
        shift_invariant: f(z + c 1) = f(z).
        homogeneous: f(c z) = c f(z) for c > 0.
        monotone: f_i never falls when z_i alone rises.
        order_preserving: z_i >= z_j gives f_i >= f_j.
        gradient_field: the Jacobian is symmetric wherever it exists: f is the gradient of a function, so that it
            can have a matching (Fenchel-Young) loss.
        keeps_magnitude: the results grow without bound with the size of z.
        simplex: the results are not negative and sum to 1.
        sparse: some results are exactly 0.
        competitive: f_i depends on other units than i.
        continuous: small changes of z make small changes of f.
    """

    shift_invariant: bool = False
    homogeneous: bool = False
    monotone: bool = False
    order_preserving: bool = False
    gradient_field: bool = False
    keeps_magnitude: bool = False
    simplex: bool = False
    sparse: bool = False
    competitive: bool = True
    continuous: bool = True
