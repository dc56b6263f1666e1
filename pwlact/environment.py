"""What a result was computed with: versions, threads, device."""

import platform
from importlib.metadata import version
from typing import Any


def environment(device: str = "cpu") -> dict[str, Any]:
    """JSON-able record of the software and the machine that a result stands on.

    Args:
        device: name of the device that did the work.
    """
    import torch

    return {
        "pwlact": version("pwlact"),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": device,
    }
