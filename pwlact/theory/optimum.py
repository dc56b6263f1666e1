"""The optimum of the correlation objective over all functions: a posterior mean of |rho_k|."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike

from pwlact import checks
from pwlact.correlation import Objective, is_degenerate, reward
from pwlact.correlation.patterns import Gram
from pwlact.theory.densities import ClassDensities


@dataclass(frozen=True)
class FunctionOptimum:
    """f*(x) = sum_k s_k rho_k (p(k|x) - p_k) / sqrt(p_k (1 - p_k)) / lambda, with E f* = 0 and Var f* = 1.

    s_k = sign(rho_k) under `signed`, so that s_k rho_k = |rho_k|; s_k = 1 under `energy`.

    Attributes:
        rho: class correlations of f*, shape (K,).
        reward: R(f*) = lambda.
        residual: largest deviation from the stationarity condition, |M S rho - lambda rho|, over the classes,
            relative to the largest |rho|.
        priors: class probabilities p_k, shape (K,).
        pattern: the signs s, shape (K,).
        gram: M_kl = E[g_k g_l] of the normalised posteriors g_k, shape (K, K).
        densities: the input's, or None where the optimum was had from posteriors on samples.
    """

    rho: Float[np.ndarray, " classes"]
    reward: float
    residual: float
    priors: Float[np.ndarray, " classes"]
    pattern: Float[np.ndarray, " classes"]
    gram: Float[np.ndarray, "classes classes"] = field(repr=False)
    densities: ClassDensities | None = field(default=None, repr=False)

    def at_posterior(self, posterior: ArrayLike) -> Float[np.ndarray, "*shape"]:
        """f* at inputs whose posteriors are given, shape (*shape, K): any input dimension."""
        weights = self.pattern * self.rho / np.sqrt(self.priors * (1 - self.priors)) / self.reward
        return (np.asarray(posterior) - self.priors) @ weights

    def __call__(self, x: ArrayLike) -> Float[np.ndarray, " points"]:
        """f*(x) at points x of shape (n,).

        Raises:
            InputError: the optimum was had from posteriors on samples: use `at_posterior`.
        """
        if self.densities is None:
            raise checks.InputError("this optimum knows posteriors, not densities: give them to at_posterior")
        return self.at_posterior(self.densities.posterior(np.atleast_1d(np.asarray(x, np.float64))))


def solve_posterior(
    densities: ClassDensities, objective: Objective = "signed", start: ArrayLike | None = None
) -> FunctionOptimum:
    """The best of all square-integrable functions of a scalar input.

    Stationarity of R gives the form of f*; its correlations solve the K x K problem M S rho = lambda rho, whose matrix
    M takes one adaptive quadrature.

    Args:
        densities: p(x | k) and p_k.
        objective: "signed" or "energy".
        start: correlations to take the first sign pattern from, shape (K,); those of a ReLU bent at the mean
            unless given. Its mirror image and every class alone are tried as well, and the best optimum counts;
            ties go to `start`.

    Returns:
        f* with rho, reward and residual.

    Raises:
        InputError: two classes under `signed` (nothing to optimise), or densities that cannot be integrated.
    """
    _refuse_degenerate(len(densities.priors), objective)
    gram = densities.expect(lambda _, posterior: posterior[:, :, None] * posterior[:, None, :])
    if start is None:
        start = _relu_correlations(densities)
    return _solve(gram, densities.priors, objective, start, densities)


def solve_from_posteriors(
    posteriors: ArrayLike, objective: Objective = "signed", start: ArrayLike | None = None
) -> FunctionOptimum:
    """The same for inputs of any dimension, given p(k | x) at samples of x (a network's softmax outputs, say).

    Args:
        posteriors: p(k | x_i), rows that sum to 1, shape (n, K).
        objective: "signed" or "energy".
        start: correlations to take the first sign pattern from, beside those of every class alone.

    Returns:
        f* over these samples; evaluate it with `at_posterior`.

    Raises:
        InputError: rows that are no probabilities, a class that never occurs, or two classes under `signed`.
    """
    posteriors = np.asarray(posteriors, np.float64)
    if posteriors.ndim != 2 or posteriors.size == 0:
        raise checks.InputError(f"posteriors must have shape (n, K), got {posteriors.shape}")
    if not (posteriors >= 0).all() or np.abs(posteriors.sum(-1) - 1).max() > 1e-6:
        raise checks.InputError("posteriors must be probabilities: each row 0 or above, summing to 1")
    classes = checks.at_least("classes", posteriors.shape[1], 2, "a correlation with the label needs two classes")
    _refuse_degenerate(classes, objective)
    priors = posteriors.mean(0)
    if not ((priors > 0) & (priors < 1)).all():
        raise checks.InputError("every class must occur: a posterior is 0 in every row")
    gram = posteriors.T @ posteriors / len(posteriors)
    return _solve(gram, priors, objective, start, None)


def _solve(
    second_moment: np.ndarray,
    priors: np.ndarray,
    objective: Objective,
    start: ArrayLike | None,
    densities: ClassDensities | None,
) -> FunctionOptimum:
    scale = np.sqrt(priors * (1 - priors))
    matrix = (second_moment - np.outer(priors, priors)) / np.outer(scale, scale)
    gram = Gram(torch.from_numpy(matrix))
    starts = gram.single_classes()
    if start is not None:
        first = torch.from_numpy(np.asarray(start, np.float64).copy())
        if first.shape != (len(priors),):
            raise checks.InputError(f"start must be one correlation a class ({len(priors)}), got {tuple(first.shape)}")
        starts = torch.cat([torch.stack([first, -first.flip(0)]), starts])
    found = gram.climb(starts, objective)[-1]
    rho, pattern = found.rho.numpy(), found.pattern.numpy()
    top = float(reward(found.rho, objective))
    residual = np.abs(matrix @ (pattern * rho) - top * rho).max() / np.abs(rho).max()
    return FunctionOptimum(rho, top, float(residual), priors, pattern, matrix, densities)


def _relu_correlations(densities: ClassDensities) -> np.ndarray:
    """Numerators of the class correlations of max(x - E x, 0): their signs are all that is asked of them."""
    mean = densities.expect(lambda x, _: x)
    excess = densities.expect(lambda x, posterior: np.maximum(x - mean, 0)[:, None] * posterior)
    return excess - densities.priors * excess.sum()


def _refuse_degenerate(classes: int, objective: Objective) -> None:
    if is_degenerate(classes, objective):
        raise checks.InputError(
            "two classes under the signed objective have reward 0 whatever f is: use objective `energy`"
        )
