"""Public figures of processors: what their makers state, and the share of it that is reached."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A processor as a roofline: it is bound by memory or by arithmetic.

    Attributes:
        name: as its maker calls it.
        source: where the peaks are stated.
        bytes_per_second: peak memory bandwidth.
        flops_per_second: peak arithmetic, dense, in bfloat16 on a GPU and in float32 on a CPU.
        memory_bytes: of one device; 0 where the machine's is meant.
        cores: of a CPU; 1 for a GPU, which is had whole.
        core_bytes_per_second: bandwidth that a single core draws.
        efficiency: share of the peaks that real kernels reach.
        launch_seconds: what a module takes however small it is (kernel launches, interpreter).
        link_bytes_per_second: to the host's memory; None for a CPU.
    """

    name: str
    source: str
    bytes_per_second: float
    flops_per_second: float
    memory_bytes: float = 0.0
    cores: float = 1.0
    core_bytes_per_second: float = math.inf
    efficiency: float = 0.6
    launch_seconds: float = 5e-5
    link_bytes_per_second: float | None = None

    def __post_init__(self) -> None:
        for name in ("bytes_per_second", "flops_per_second", "cores", "core_bytes_per_second"):
            if not getattr(self, name) > 0:
                raise ValueError(f"device {self.name}: {name} must be > 0")
        if not 0 < self.efficiency <= 1:
            raise ValueError(f"device {self.name}: efficiency must be in 0..1")

    @property
    def is_gpu(self) -> bool:
        return self.link_bytes_per_second is not None

    def seconds(self, weight_bytes: float, flops: float, cores: float | None = None) -> float:
        """The longer of reading so many bytes and doing so much arithmetic.

        Args:
            weight_bytes: bytes read.
            flops: multiplications and additions.
            cores: of a CPU's cores, those that take part; all of them by default.
        """
        part = min(1.0, (cores or self.cores) / self.cores)
        reading = min(self.bytes_per_second, part * self.cores * self.core_bytes_per_second)
        bound = max(weight_bytes / reading, flops / (part * self.flops_per_second))
        return bound / self.efficiency + self.launch_seconds


A100 = Device(
    name="NVIDIA A100 80 GB SXM",
    source="NVIDIA A100 datasheet: 2,039 GB/s, 312 TFLOPS bfloat16 dense, PCIe 4.0 x16",
    bytes_per_second=2.039e12,
    flops_per_second=312e12,
    memory_bytes=80e9,
    link_bytes_per_second=25e9,
)
"""The paper's GPU."""

H100 = Device(
    name="NVIDIA H100 80 GB SXM",
    source="NVIDIA H100 datasheet: 3.35 TB/s, 989 TFLOPS bfloat16 dense, PCIe 5.0 x16",
    bytes_per_second=3.35e12,
    flops_per_second=989e12,
    memory_bytes=80e9,
    link_bytes_per_second=50e9,
)

XEON_6348 = Device(
    name="Intel Xeon Gold 6348",
    source=(
        "Intel ARK: 28 cores, 2.6 GHz, 2 AVX-512 units a core, 8 channels of DDR4-3200 "
        "(204.8 GB/s); 12 GB/s for one core is an assumption"
    ),
    bytes_per_second=204.8e9,
    flops_per_second=28 * 2.6e9 * 64,
    cores=28.0,
    core_bytes_per_second=12e9,
    launch_seconds=2e-5,
)
"""One socket of the paper's server."""

XEON_8480 = Device(
    name="Intel Xeon Platinum 8480+",
    source=(
        "Intel ARK: 56 cores, 2.0 GHz, 2 AVX-512 units a core, 8 channels of DDR5-4800 "
        "(307.2 GB/s); its matrix units are not counted; 12 GB/s for one core is an assumption"
    ),
    bytes_per_second=307.2e9,
    flops_per_second=56 * 2.0e9 * 64,
    cores=56.0,
    core_bytes_per_second=12e9,
    launch_seconds=2e-5,
)
"""One socket of an H100's usual host."""

DEVICES = {"a100": A100, "h100": H100, "xeon-6348": XEON_6348, "xeon-8480": XEON_8480}
"""By the names that options use."""
