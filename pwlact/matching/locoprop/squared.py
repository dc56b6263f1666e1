"""LocoProp-S: the minimiser of a layer's squared loss to its target, near the present weights, in closed form."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks


def preconditioned(
    inputs: Float[Tensor, "g n k"], gradients: Float[Tensor, "g n o"], eta: float
) -> Float[Tensor, "g o k"]:
    """dL/dW (I + eta Y Y')^-1 with dL/dW = sum over rows of dL/da y', by one Cholesky solve.

    Of

        W_new = argmin_V ||V Y - A + gamma dL/dA||^2 / 2 + ||V - W||^2 / (2 eta)
              = W - eta gamma dL/dW (I + eta Y Y')^-1

    this is the direction. With fewer rows than columns the system is that of the rows:
    dL/dA' Y (I + eta Y'Y)^-1 = dL/dA' (I + eta Y Y')^-1 Y.

    Args:
        inputs: Y, a row a sample.
        gradients: dL/dA.
        eta: weight of the squared loss against the distance of the weights, above 0.

    Returns:
        the direction, in the shape of the weights.

    Raises:
        InputError: the inputs are not finite.

    References:
        Amid, Anil and Warmuth, "LocoProp: enhancing BackProp via local loss optimization", 2022, section 3.
    """
    if inputs.shape[1] < inputs.shape[2]:
        factor = cholesky(inputs @ inputs.mT, eta)
        return torch.cholesky_solve(gradients, factor).mT @ inputs
    return solve_right(gradients.mT @ inputs, inputs.mT @ inputs, eta)


def solve_right(gradient: Float[Tensor, "g o k"], gram: Float[Tensor, "g k k"], eta: float) -> Float[Tensor, "g o k"]:
    """gradient (I + eta gram)^-1.

    Raises:
        InputError: the matrix is not finite.
    """
    return torch.cholesky_solve(gradient.mT, cholesky(gram, eta)).mT


def cholesky(gram: Float[Tensor, "g k k"], eta: float) -> Float[Tensor, "g k k"]:
    """The lower factor of I + eta gram.

    Raises:
        InputError: it has none, because the matrix is not finite or rounding has eaten the I.
    """
    matrix = eta * gram
    matrix.diagonal(dim1=-2, dim2=-1).add_(1)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed.any():
        raise checks.InputError(
            f"I + eta Y Y' has no Cholesky factor at eta={eta:g}: the inputs of the layer are not finite, or eta is "
            "too large for their type; lower eta, or compute in float64"
        )
    return factor
