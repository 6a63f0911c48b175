"""Loss spikes: steps that are not taken, and when to go back and leave batches out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class SpikeDetector:
    """Judges each step by the loss and the gradient norm of those before it.

    A step is not taken when either lies more than `sigma` standard deviations above the mean of the last `window`
    taken steps (once there are half as many), as OLMo 2's SkipStepAdamW does it, or is not finite. When `patience`
    of the last 2 x `patience` steps were not taken, skipping does not help: PaLM's remedy is to restart earlier
    and leave batches out (Chowdhery et al. 2022, arXiv 2204.02311, section 5.1).
    """

    sigma: float
    window: int
    patience: int
    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    """the last steps that were not taken"""

    def take(self, step: int, loss: float, norm: float) -> bool:
        """Whether to take this step."""
        usual = not self._outlier(self.losses, loss) and not self._outlier(self.norms, norm)
        if math.isfinite(loss) and math.isfinite(norm) and usual:
            self.losses = [*self.losses, loss][-self.window :]
            self.norms = [*self.norms, norm][-self.window :]
            return True
        self.refused = [other for other in self.refused if other > step - 2 * self.patience] + [step]
        return False

    @property
    def lasting(self) -> bool:
        """Whether so many of the last steps were refused that one must go back. Ask after a refused step."""
        return len(self.refused) >= self.patience

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {"losses": list(self.losses), "norms": list(self.norms), "refused": list(self.refused)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.losses, self.norms = list(state["losses"]), list(state["norms"])
        self.refused = list(state["refused"])

    def _outlier(self, past: list[float], value: float) -> bool:
        if not self.sigma or len(past) < max(2, self.window // 2):
            return False
        mean = math.fsum(past) / len(past)
        variance = math.fsum((one - mean) ** 2 for one in past) / (len(past) - 1)
        return value > mean + self.sigma * math.sqrt(variance)


@dataclass
class SkippedBatches:
    """Which batch a step takes: the step's own number, plus what was left out before it."""

    gaps: list[list[int]] = field(default_factory=list)
    """[first step, number of batches left out before it], in the order in which they were decided"""

    def batch(self, step: int) -> int:
        """The batch for a step."""
        return step + sum(count for first, count in self.gaps if first <= step)

    def leave_out(self, step: int, least: int, seen: int) -> range:
        """Go on from `step` behind batch `seen`, leaving out `least` batches or more; which these are."""
        first = self.batch(step)
        last = max(first + least, seen + 1)
        self.gaps = [gap for gap in self.gaps if gap[0] <= step] + [[step, last - first]]
        return range(first, last)
