"""Activations whose units compete: the softmax family, sparse maps onto the simplex, and their losses."""

from pwlact.competitive.entmax import Entmax, entmax, entmax_jacobian
from pwlact.competitive.entmax15 import Entmax15, entmax15, entmax15_jacobian
from pwlact.competitive.facts import Facts
from pwlact.competitive.fenchel_young import (
    Entmax15Loss,
    EntmaxLoss,
    SoftmaxLoss,
    SparsemaxLoss,
    entmax15_loss,
    entmax_loss,
    softmax_loss,
    sparsemax_loss,
)
from pwlact.competitive.gated import GatedReLUSoftmax, gated_relu_softmax, gated_relu_softmax_jacobian
from pwlact.competitive.groups import (
    LWTA,
    GroupedSoftmax,
    grouped_softmax,
    grouped_softmax_jacobian,
    lwta,
    lwta_jacobian,
)
from pwlact.competitive.log_softmax import LogSoftmax, log_softmax, log_softmax_jacobian
from pwlact.competitive.maps import MAPS, Map
from pwlact.competitive.norm_direction import (
    NormDirectionSoftmax,
    norm_direction_softmax,
    norm_direction_softmax_jacobian,
)
from pwlact.competitive.parallel_paths import ParallelPaths, parallel_paths, parallel_paths_jacobian
from pwlact.competitive.registry import ACTIVATIONS, make, output_width
from pwlact.competitive.relu_times_softmax import ReLUTimesSoftmax, relu_times_softmax, relu_times_softmax_jacobian
from pwlact.competitive.relumax import Relumax, b_star, relumax, relumax_jacobian
from pwlact.competitive.smoothed_loss import relumax_loss, smoothed_nll, support_hinge
from pwlact.competitive.softmax import Softmax, softmax, softmax_jacobian
from pwlact.competitive.sparsemax import Sparsemax, sparsemax, sparsemax_jacobian
from pwlact.competitive.temperature import TemperatureSoftmax, temperature_softmax, temperature_softmax_jacobian
from pwlact.competitive.z_plus_softmax import ZPlusSoftmax, z_plus_softmax, z_plus_softmax_jacobian
from pwlact.competitive.z_times_softmax import ZTimesSoftmax, z_times_softmax, z_times_softmax_jacobian

__all__ = [
    "ACTIVATIONS",
    "LWTA",
    "MAPS",
    "Entmax",
    "Entmax15",
    "Entmax15Loss",
    "EntmaxLoss",
    "Facts",
    "GatedReLUSoftmax",
    "GroupedSoftmax",
    "LogSoftmax",
    "Map",
    "NormDirectionSoftmax",
    "ParallelPaths",
    "ReLUTimesSoftmax",
    "Relumax",
    "Softmax",
    "SoftmaxLoss",
    "Sparsemax",
    "SparsemaxLoss",
    "TemperatureSoftmax",
    "ZPlusSoftmax",
    "ZTimesSoftmax",
    "b_star",
    "entmax",
    "entmax15",
    "entmax15_jacobian",
    "entmax15_loss",
    "entmax_jacobian",
    "entmax_loss",
    "gated_relu_softmax",
    "gated_relu_softmax_jacobian",
    "grouped_softmax",
    "grouped_softmax_jacobian",
    "log_softmax",
    "log_softmax_jacobian",
    "lwta",
    "lwta_jacobian",
    "make",
    "norm_direction_softmax",
    "norm_direction_softmax_jacobian",
    "output_width",
    "parallel_paths",
    "parallel_paths_jacobian",
    "relu_times_softmax",
    "relu_times_softmax_jacobian",
    "relumax",
    "relumax_jacobian",
    "relumax_loss",
    "smoothed_nll",
    "softmax",
    "softmax_jacobian",
    "softmax_loss",
    "sparsemax",
    "sparsemax_jacobian",
    "sparsemax_loss",
    "support_hinge",
    "temperature_softmax",
    "temperature_softmax_jacobian",
    "z_plus_softmax",
    "z_plus_softmax_jacobian",
    "z_times_softmax",
    "z_times_softmax_jacobian",
]
