"""The correlation objective: statistics of an input, the reward of a function, solvers."""

from pwlact.correlation.class_moments import ClassMoments
from pwlact.correlation.estimators import ESTIMATORS, EstimatorName
from pwlact.correlation.learner import SOLVERS, CorrelationLearner, Solver
from pwlact.correlation.objective import OBJECTIVES, Objective, is_degenerate, reward, signs
from pwlact.correlation.problem import Problem, Sampler, Snapshot, Solution
from pwlact.correlation.solvers import GradientOptions, hat_gram, solve_analytic, solve_eigen, solve_sample
from pwlact.correlation.statistics import HatStatistics

__all__ = [
    "ESTIMATORS",
    "OBJECTIVES",
    "SOLVERS",
    "ClassMoments",
    "CorrelationLearner",
    "EstimatorName",
    "GradientOptions",
    "HatStatistics",
    "Objective",
    "Problem",
    "Sampler",
    "Snapshot",
    "Solution",
    "Solver",
    "hat_gram",
    "is_degenerate",
    "reward",
    "signs",
    "solve_analytic",
    "solve_eigen",
    "solve_sample",
]
