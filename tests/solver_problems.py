"""Problems, knots and the independent D and B that the tests of the solvers share."""

import numpy as np
import torch
from oracles import mixture_statistics, rayleigh_parts

from pwlact.correlation import HatStatistics, Problem, solve_analytic, solve_eigen
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots

KNOTS = Knots(9, -3.0, 3.0)
SOLVERS = {"eigen": solve_eigen, "analytic": solve_analytic}


def float64(numbers):
    """A float64 tensor of these numbers."""
    return torch.tensor(np.asarray(numbers), dtype=torch.float64)


def mixture(case):
    """The mixture of a case: means, sigmas, priors."""
    return GaussianMixture(*map(float64, case))


def problem(made, knots=KNOTS, **more):
    """The problem that a mixture, or a case of one, poses on these knots."""
    made = made if isinstance(made, GaussianMixture) else mixture(made)
    return Problem(HatStatistics.from_mixture(made, knots), knots, **more)


def oracle(made, knots=KNOTS):
    """D and B by quadrature, for the values of all knots but the first."""
    made = made if isinstance(made, GaussianMixture) else mixture(made)
    means, sigmas, priors = made.means.numpy(), made.sigmas.numpy(), made.priors.numpy()
    return rayleigh_parts(*mixture_statistics(means, sigmas, priors, knots.positions().numpy()), priors)


def random_mixture(seed, classes):
    """Means, sigmas and priors of a lopsided case."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-3, 3, classes), rng.uniform(0.3, 1.5, classes), rng.dirichlet(np.full(classes, 5.0))
