"""How fast, against what: FLOPs per second beside the data sheet's and beside a matrix product measured here."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import torch

WARM_STEPS = 3
"""Steps at the start that do not count for the speed: compilation, memory, caches."""


def device_name(device: torch.device) -> str:
    """What the device calls itself."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def measure_peak(device: torch.device, kind: torch.dtype) -> float:
    """FLOP/s of a square matrix product: the median of the best third of 15 measurements after a warm-up.

    8,192 rows on a GPU, 512 on a CPU (about 0.1 s there).
    """
    size = 8192 if device.type == "cuda" else 512
    left, right = (torch.ones(size, size, dtype=kind, device=device) for _ in range(2))
    repeat = 4 if device.type == "cuda" else 1
    rates = []
    for number in range(18):
        _synchronize(device)
        begin = perf_counter()
        for _ in range(repeat):
            left @ right
        _synchronize(device)
        if number >= 3:
            rates.append(repeat * 2 * size**3 / (perf_counter() - begin))
    return median(sorted(rates)[-5:])


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass
class Speed:
    """Seconds and tokens of steps, per process; the first few steps are left out of the rates."""

    flops_per_token: int
    processes: int
    measured_peak: float | None
    listed_peak: float | None
    seconds: float = 0.0
    steps: int = 0
    _tokens: int = 0
    _steady: float = 0.0
    _waited: float = 0.0
    _recent: list[float] = field(default_factory=list)

    def add(self, seconds: float, tokens: int, waited: float) -> None:
        """Count a step: its seconds, its positions over all processes, and the seconds it waited for data."""
        self.seconds += seconds
        self.steps += 1
        if self.steps > WARM_STEPS:
            self._tokens += tokens
            self._steady += seconds
            self._waited += waited
            self._recent = [*self._recent, seconds][-20:]

    @property
    def tokens_per_second(self) -> float | None:
        """Over all processes."""
        return self._tokens / self._steady if self._steady else None

    @property
    def waiting(self) -> float | None:
        """Share of the time in which training waited for data."""
        return self._waited / self._steady if self._steady else None

    def utilization(self, peak: float | None) -> float | None:
        """Model FLOPs utilization, as a share of `peak` FLOP/s per process."""
        rate = self.tokens_per_second
        return None if rate is None or not peak else rate * self.flops_per_token / (peak * self.processes)

    def left(self, steps: int) -> float | None:
        """Seconds that so many more steps will take, by the last 20."""
        return steps * sum(self._recent) / len(self._recent) if self._recent else None

    def describe(self) -> dict[str, float | None]:
        """For log and report: rates and shares, four digits."""
        values = {
            "tokens_per_second": self.tokens_per_second,
            "mfu": self.utilization(self.listed_peak),
            "mfu_measured": self.utilization(self.measured_peak),
            "waiting": self.waiting,
        }
        return {name: None if value is None else float(f"{value:.4g}") for name, value in values.items()}
