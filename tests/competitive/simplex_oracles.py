"""Independent computations for maps onto the simplex: sorting, bisection, a quadratic programme."""

import numpy as np
import scipy.optimize


def sparsemax_sorted(z):
    """Algorithm 1 of Martins and Astudillo, 2016, on one row."""
    z = np.asarray(z, np.float64) - np.max(z)
    ordered = np.sort(z)[::-1]
    excess = np.cumsum(ordered) - 1
    size = np.nonzero(ordered * np.arange(1, len(z) + 1) > excess)[0][-1] + 1
    return np.maximum(z - excess[size - 1] / size, 0)


def projection_by_programme(z):
    """argmin ||p - z||^2 over the simplex by SLSQP."""
    z = np.asarray(z, np.float64)
    found = scipy.optimize.minimize(
        lambda p: np.sum((p - z) ** 2),
        np.full(len(z), 1 / len(z)),
        jac=lambda p: 2 * (p - z),
        bounds=[(0, 1)] * len(z),
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    # 8: no step lowers it any more, which at this tolerance is as good as 0
    assert found.status in {0, 8}
    return found.x


def entmax_bisected(z, alpha):
    """relu((alpha - 1) z - tau)^(1 / (alpha - 1)) by Brent's method on sum p = 1, one row."""
    v = (alpha - 1) * (np.asarray(z, np.float64) - np.max(z))
    power = 1 / (alpha - 1)

    def shares(tau):
        return np.maximum(v - tau, 0) ** power

    if len(v) == 1:
        return np.ones(1)
    tau = scipy.optimize.brentq(lambda t: shares(t).sum() - 1, -1.0, 0.0, xtol=1e-16, rtol=1e-15, maxiter=500)
    return shares(tau) / shares(tau).sum()
