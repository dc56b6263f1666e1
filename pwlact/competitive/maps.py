"""The competitive maps in one table, each with its Jacobian and its facts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from torch import Tensor

from pwlact.competitive.entmax import ENTMAX_FACTS, entmax, entmax_jacobian
from pwlact.competitive.entmax15 import ENTMAX15_FACTS, entmax15, entmax15_jacobian
from pwlact.competitive.facts import Facts
from pwlact.competitive.gated import GATED_RELU_SOFTMAX_FACTS, gated_relu_softmax, gated_relu_softmax_jacobian
from pwlact.competitive.groups import (
    GROUPED_SOFTMAX_FACTS,
    LWTA_FACTS,
    grouped_softmax,
    grouped_softmax_jacobian,
    lwta,
    lwta_jacobian,
)
from pwlact.competitive.log_softmax import LOG_SOFTMAX_FACTS, log_softmax, log_softmax_jacobian
from pwlact.competitive.norm_direction import (
    NORM_DIRECTION_SOFTMAX_FACTS,
    norm_direction_softmax,
    norm_direction_softmax_jacobian,
)
from pwlact.competitive.parallel_paths import PARALLEL_PATHS_FACTS, parallel_paths, parallel_paths_jacobian
from pwlact.competitive.relu_times_softmax import (
    MASKED_RELU_TIMES_SOFTMAX_FACTS,
    RELU_TIMES_SOFTMAX_FACTS,
    relu_times_softmax,
    relu_times_softmax_jacobian,
)
from pwlact.competitive.relumax import RELUMAX_FACTS, relumax, relumax_jacobian
from pwlact.competitive.softmax import SOFTMAX_FACTS, softmax, softmax_jacobian
from pwlact.competitive.sparsemax import SPARSEMAX_FACTS, sparsemax, sparsemax_jacobian
from pwlact.competitive.temperature import (
    TEMPERATURE_SOFTMAX_FACTS,
    temperature_softmax,
    temperature_softmax_jacobian,
)
from pwlact.competitive.z_plus_softmax import Z_PLUS_SOFTMAX_FACTS, z_plus_softmax, z_plus_softmax_jacobian
from pwlact.competitive.z_times_softmax import Z_TIMES_SOFTMAX_FACTS, z_times_softmax, z_times_softmax_jacobian


@dataclass(frozen=True)
class Map:
    """A map of rows.

    Attributes:
        function: (z, dim=-1) -> f(z).
        jacobian: z (..., K) -> df_i / dz_j, shape (..., K, K), in closed form.
        facts: what is true of it.
    """

    function: Callable[..., Tensor]
    jacobian: Callable[[Tensor], Tensor]
    facts: Facts


MAPS: Mapping[str, Map] = MappingProxyType(
    {
        "softmax": Map(softmax, softmax_jacobian, SOFTMAX_FACTS),
        "log-softmax": Map(log_softmax, log_softmax_jacobian, LOG_SOFTMAX_FACTS),
        "z-times-softmax": Map(z_times_softmax, z_times_softmax_jacobian, Z_TIMES_SOFTMAX_FACTS),
        "z-plus-softmax": Map(z_plus_softmax, z_plus_softmax_jacobian, Z_PLUS_SOFTMAX_FACTS),
        "grouped-softmax": Map(
            partial(grouped_softmax, groups=2), partial(grouped_softmax_jacobian, groups=2), GROUPED_SOFTMAX_FACTS
        ),
        "sparsemax": Map(sparsemax, sparsemax_jacobian, SPARSEMAX_FACTS),
        "entmax15": Map(entmax15, entmax15_jacobian, ENTMAX15_FACTS),
        "entmax": Map(partial(entmax, alpha=1.3), partial(entmax_jacobian, alpha=1.3), ENTMAX_FACTS),
        "temperature-softmax": Map(
            partial(temperature_softmax, temperature=0.5),
            partial(temperature_softmax_jacobian, temperature=0.5),
            TEMPERATURE_SOFTMAX_FACTS,
        ),
        "relu-times-softmax": Map(relu_times_softmax, relu_times_softmax_jacobian, RELU_TIMES_SOFTMAX_FACTS),
        "masked-relu-times-softmax": Map(
            partial(relu_times_softmax, masked=True),
            partial(relu_times_softmax_jacobian, masked=True),
            MASKED_RELU_TIMES_SOFTMAX_FACTS,
        ),
        "norm-direction-softmax": Map(
            norm_direction_softmax, norm_direction_softmax_jacobian, NORM_DIRECTION_SOFTMAX_FACTS
        ),
        "parallel-paths": Map(parallel_paths, parallel_paths_jacobian, PARALLEL_PATHS_FACTS),
        "gated-relu-softmax": Map(gated_relu_softmax, gated_relu_softmax_jacobian, GATED_RELU_SOFTMAX_FACTS),
        "lwta": Map(partial(lwta, groups=2), partial(lwta_jacobian, groups=2), LWTA_FACTS),
        "relumax": Map(relumax, relumax_jacobian, RELUMAX_FACTS),
    }
)
"""name -> map, where it takes parameters at one example: 2 groups, alpha 1.3, tau 0.5, b 1, gate 0.5."""
