"""Activations as gradients of convex potentials: matching losses, Bregman divergences, LocoProp."""

from pwlact.matching.divergences import relative_entropy, squared_euclidean
from pwlact.matching.learned import PiecewiseLinear, isotonic
from pwlact.matching.locoprop import LocoProp
from pwlact.matching.loss import MatchingLoss, matching_loss
from pwlact.matching.saturating import Arctan, Sigmoid, Softplus, Tanh
from pwlact.matching.softmax import Softmax
from pwlact.matching.straight import Elu, LeakyRelu, Linear, Step
from pwlact.matching.table import TRANSFERS, transfer_of
from pwlact.matching.tempered import BiTemperedLoss, bi_tempered_loss, exp_t, log_t, tempered_softmax
from pwlact.matching.transfer import TransferFunction

__all__ = [
    "TRANSFERS",
    "Arctan",
    "BiTemperedLoss",
    "Elu",
    "LeakyRelu",
    "Linear",
    "LocoProp",
    "MatchingLoss",
    "PiecewiseLinear",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Step",
    "Tanh",
    "TransferFunction",
    "bi_tempered_loss",
    "exp_t",
    "isotonic",
    "log_t",
    "matching_loss",
    "relative_entropy",
    "squared_euclidean",
    "tempered_softmax",
    "transfer_of",
]
