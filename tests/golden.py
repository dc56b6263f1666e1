"""Golden numbers, each with its origin."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """Reward and Swish read-out of an exact optimum, with the tolerance of the digits given."""

    classes: int
    sigma: float
    reward: float
    r2: float
    beta: float | None = None
    x0: float | None = None
    beta_tolerance: float = 0.02


# SCIENCE.md section 1, "Default experiment": float64 prototype, 33 knots on [-3, 3], standardised, unweighted fit
DEFAULT_EXPERIMENT = {
    "sigma-0.6": Curve(20, 0.6, 0.25582, 0.9874, beta=4.00, x0=0.29),
    "sigma-1": Curve(20, 1.0, 0.12368, 0.9946, beta=2.50, x0=0.27),
    "sigma-10": Curve(20, 10.0, 0.00032, 0.992),
}

# the same optimum with one more digit than the table: solve_eigen, confirmed by analytic Adam (2026-11-22)
REWARD_20_CLASSES_SIGMA_1 = 0.1236769

# SCIENCE.md section 1, fact 6: K = 20, means on [-3, 3], sigma = 1, raw, 33 knots on [-3, 3]
REWARD_RAW = 0.281975

# `sample` on the default experiment (K = 20, sigma = 1), 500 steps of 10,000, seeds 0..4 (2026-11-22)
SAMPLE_BETAS = (2.52, 2.46, 2.59, 2.50, 2.53)
SAMPLE_REWARDS = (0.123662, 0.123667, 0.123653, 0.123666, 0.123663)

# Abramowitz and Stegun, Handbook of Mathematical Functions, table 26.1: phi(1) and Q(1) = 1 - P(1)
PHI_1 = 0.241970724519143
Q_1 = 0.158655253931457

# d/dx, closed form: silu(1) = 1 / (1 + exp(-1)); gelu(1) = P(1); table 26.1 and any table of exp
STARTS_AT_1 = {
    "relu": 1.0,
    "leaky_relu": 1.0,
    "silu": 0.7310585786300049,
    "swish": 0.7310585786300049,
    "gelu": 0.841344746068543,
    "elu": 1.0,
    "mish": 0.8650983882673103,
    "hardswish": 2 / 3,
    "softplus": 1.3132616875182228,
    "tanh": 0.7615941559557649,
    "sigmoid": 0.7310585786300049,
    "identity": 1.0,
    "abs": 1.0,
    "zero": 0.0,
}
STARTS_AT_MINUS_1 = {
    "relu": 0.0,
    "leaky_relu": -0.01,
    "silu": -0.2689414213699951,
    "swish": -0.2689414213699951,
    "gelu": -0.158655253931457,
    "elu": -0.6321205588285577,
    "mish": -0.3034014613741089,
    "hardswish": -1 / 3,
    "softplus": 0.3132616875182228,
    "tanh": -0.7615941559557649,
    "sigmoid": 0.2689414213699951,
    "identity": -1.0,
    "abs": 1.0,
    "zero": 0.0,
}
