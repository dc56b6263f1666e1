"""Independent computations that the library is held against: mpmath, quadrature, enumeration, numpy.

Nothing here imports pwlact, so no bug of the library can hide in its own oracle.
"""

import itertools

import mpmath
import numpy as np
import scipy.linalg
import scipy.optimize
from scipy.special import roots_legendre

# the polynomials below cancel up to (38 knots)^4 / (1e-6 spacings)^2; 120 digits leave more than 80
DIGITS = 120


def normal_interval(a, b):
    """int_a^b z^j phi(z) dz for j = 0, 1, 2 in mpmath; mirrored to the right, where erfc does not cancel."""
    if a + b < 0:
        m0, m1, m2 = normal_interval(-b, -a)
        return m0, -m1, m2
    pdf = [mpmath.npdf(z) if mpmath.isfinite(z) else mpmath.mpf(0) for z in (a, b)]
    edge = [z * p if mpmath.isfinite(z) else mpmath.mpf(0) for z, p in zip((a, b), pdf, strict=True)]
    m0 = (mpmath.erfc(a / mpmath.sqrt(2)) - mpmath.erfc(b / mpmath.sqrt(2))) / 2
    return m0, pdf[0] - pdf[1], m0 + edge[0] - edge[1]


def tail_moment(n, z):
    """K_n(z) = int_z^inf (t - z)^n / n! phi(t) dt by the moments of t, in mpmath."""
    with mpmath.workdps(DIGITS):
        z = mpmath.mpf(z)
        m = normal_interval(z, mpmath.inf)
        return (m[0], m[1] - z * m[0], (m[2] - 2 * z * m[1] + z * z * m[0]) / 2)[n]


def interval_moment(j, start, width):
    """T_j = int_0^width s^j phi(start + s) ds, in mpmath."""
    with mpmath.workdps(DIGITS):
        a, w = mpmath.mpf(start), mpmath.mpf(width)
        m = normal_interval(a, a + w)
        return (m[0], m[1] - a * m[0], m[2] - 2 * a * m[1] + a * a * m[0])[j]


def hat_moments(mean, sigma, positions):
    """Moments of the hats on `positions` under N(mean, sigma^2), each as a list of its parts, in mpmath.

    A part is the integral over one segment or tail. Returns (first, square, neighbour): lists, a knot (a pair)
    of lists of parts; a moment is the sum of its parts, its scale the sum of their magnitudes.
    """
    with mpmath.workdps(DIGITS):
        mu, s = mpmath.mpf(mean), mpmath.mpf(sigma)
        t = [mpmath.mpf(float(p)) for p in positions]
        count = len(t)
        first, square = [[] for _ in t], [[] for _ in t]
        neighbour = [[] for _ in t[1:]]
        z = [(p - mu) / s for p in t]
        pieces = [(0, -mpmath.inf, z[0]), (count - 2, z[-1], mpmath.inf)]
        pieces += [(i, z[i], z[i + 1]) for i in range(count - 1)]
        for i, a, b in pieces:
            m0, m1, m2 = normal_interval(a, b)
            h = t[i + 1] - t[i]
            # w = c + d z is the position within segment i
            c, d = (mu - t[i]) / h, s / h
            w1, w2 = c * m0 + d * m1, c * c * m0 + 2 * c * d * m1 + d * d * m2
            first[i].append(m0 - w1)
            first[i + 1].append(w1)
            square[i].append(m0 - 2 * w1 + w2)
            square[i + 1].append(w2)
            neighbour[i].append(w1 - w2)
        return first, square, neighbour


def hats(x, positions):
    """Dense matrix phi_s(x_n) of shape (n, N), by linear interpolation of unit vectors, tails extended."""
    x, t = np.asarray(x, np.float64), np.asarray(positions, np.float64)
    eye = np.eye(len(t))
    matrix = np.stack([np.interp(x, t, row) for row in eye], axis=-1)
    left, right = x < t[0], x > t[-1]
    below, above = (x[left] - t[0]) / (t[1] - t[0]), (x[right] - t[-1]) / (t[-1] - t[-2])
    matrix[left] = np.outer(1 - below, eye[0]) + np.outer(below, eye[1])
    matrix[right] = np.outer(1 + above, eye[-1]) - np.outer(above, eye[-2])
    return matrix


def mixture_statistics(means, sigmas, priors, positions):
    """c_ks = E[phi_s | k], m and G of a mixture by Gauss-Legendre on pieces of half a sigma, 14 sigma wide."""
    node, weight = roots_legendre(12)
    c, g = [], 0.0
    for mu, sigma, p in zip(means, sigmas, priors, strict=True):
        reach = mu + 14 * sigma * np.array([-1, 1])
        inner = [t for t in positions if reach[0] < t < reach[1]]
        edges = np.unique([*np.linspace(*reach, 57), *inner])
        half = np.diff(edges)[:, None] / 2
        x = ((edges[:-1, None] + half) + half * node).ravel()
        density = np.exp(-(((x - mu) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
        mass = (half * weight).ravel() * density
        phi = hats(x, positions)
        c.append(mass @ phi)
        g = g + p * (phi.T * mass) @ phi
    c = np.array(c)
    return c, np.asarray(priors) @ c, g


def rayleigh_parts(c, m, g, priors):
    """D_k and B with the first knot's value held at 0: both annihilate constants, so nothing is lost."""
    p = np.asarray(priors)
    d = np.sqrt(p / (1 - p))[:, None] * (c - m)
    return d[:, 1:], (g - np.outer(m, m))[1:, 1:]


def reward(y, d, b, objective="signed"):
    """R of the values y of all knots but the first."""
    rho = d @ y / np.sqrt(y @ b @ y)
    return np.sum(rho * np.abs(rho)) if objective == "signed" else np.sum(rho**2)


def best_of_patterns(d, b, objective="signed", roughness=None):
    """Highest R less penalty over the top generalised eigenvectors of all sign patterns: the global optimum.

    Near a maximum with no rho_k = 0 the signs are constant, so R is a Rayleigh quotient there and its local
    maximum is the top eigenvector of its own pattern.
    """
    patterns = itertools.product((-1, 1), repeat=len(d)) if objective == "signed" else [np.ones(len(d))]
    penalty = np.zeros_like(b) if roughness is None else roughness
    found = []
    for s in patterns:
        a = (d.T * np.asarray(s)) @ d - penalty
        y = scipy.linalg.eigh(a, b, subset_by_index=[len(b) - 1, len(b) - 1])[1][:, 0]
        cost = y @ penalty @ y / (y @ b @ y)
        found += [reward(y, d, b, objective) - cost, reward(-y, d, b, objective) - cost]
    return max(found)


def best_of_random_starts(d, b, rng, starts=12):
    """Highest R that BFGS with numerical gradients reaches from random starts, in coordinates where B = 1."""
    factor = np.linalg.cholesky(b)
    white = np.linalg.solve(factor, d.T).T
    one = np.eye(len(b))
    runs = [
        scipy.optimize.minimize(lambda y: -reward(y, white, one), rng.standard_normal(len(b))).fun
        for _ in range(starts)
    ]
    return -min(runs)
