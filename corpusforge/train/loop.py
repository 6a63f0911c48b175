"""The loop: rows in, a trained model out, the same bits after any interruption."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from corpusforge.errors import RunFailedError, UsageError
from corpusforge.train.checkpoint import Checkpoints, check_same_run
from corpusforge.train.data import Batch, Batches, Prefetcher, open_rows
from corpusforge.train.devices import data_sheet_peak
from corpusforge.train.distributed import Parallel, World, joined
from corpusforge.train.journal import LOG_NAME, Board, Display, Journal, read_journal, taken_steps
from corpusforge.train.model import Llama, initialize, weights_hash
from corpusforge.train.optimizer import build_optimizers, set_rate
from corpusforge.train.records import TrainResult, TrainSettings
from corpusforge.train.settings import CHOICES
from corpusforge.train.speed import Speed, device_name, measure_peak
from corpusforge.train.spikes import SkippedBatches, SpikeDetector
from corpusforge.train.verify import Verification, listed_files

__all__ = ["TrainResult", "TrainSettings", "train"]

MICROBATCH_TOKENS = 32768
FINAL_SHARE = 0.05
"""The final loss is the mean over this share of the steps, at least one."""


def train(settings: TrainSettings) -> TrainResult:
    """Train a model. Under `torchrun`, every process calls this and gets the result.

    Deterministic on one CPU: the same settings and data give the same bits, also after a kill and `resume`, as
    long as the number of threads stays. Raises `UsageError` for settings that cannot be, another data set than
    the checkpoint's, or an output folder in use; `ValueError` for damaged rows; `RunFailedError` when spikes do
    not end.
    """
    if settings.parallel not in CHOICES["parallel"]:
        raise UsageError(f"parallel is ddp or fsdp, not {settings.parallel!r}")
    with joined(settings.device) as world:
        run = _Run(settings, world)
        try:
            return run.complete()
        finally:
            run.close()


class _Run:
    def __init__(self, settings: TrainSettings, world: World) -> None:
        self.settings, self.world, self.training = settings, world, settings.training
        training, context = settings.training, settings.model.context
        data = settings.data
        self.reader = open_rows(data, context) if isinstance(data, Path) else data
        self.batches = Batches(self.reader, training.batch, training.seed, settings.model.vocabulary_size)
        if self.batches.length - 1 != context:
            raise UsageError(
                f"rows of {self.batches.length} tokens are for a context of {self.batches.length - 1}, not {context}"
            )
        if training.batch % world.size:
            raise UsageError(f"a batch of {training.batch} rows cannot be shared by {world.size} processes")
        if world.size > 1 and settings.parallel == "fsdp" and training.optimizer == "muon":
            raise UsageError("Muon needs whole matrices: use --parallel ddp with it")
        self.steps = training.steps(context)
        self.share = training.batch // world.size
        self.between = settings.checkpoint_every or min(max(50, self.steps // 20), 1000)
        self.spikes = SpikeDetector(training.spike_sigma, training.spike_window, training.spike_patience)
        self.gaps = SkippedBatches()
        self.step = self.rewinds = self.skipped_steps = 0
        self.seconds_before = 0.0
        self.evaluations: list[dict[str, Any]] = []
        self.curve: list[tuple[int, float | None]] = []
        self.journal = Journal(None)
        self.board: Board | None = None
        self.checkpoints: Checkpoints | None = None
        self.display = Display(self.steps, False)
        first = world.rank * self.share
        self.prefetcher = Prefetcher(self.batches, slice(first, first + self.share))
        listed = settings.verify
        if listed is None:
            listed = listed_files(data) if isinstance(data, Path) else ()
        self.verification = Verification(listed if world.first else ())
        if settings.output is not None:
            distance = training.rewind + 2 * training.spike_patience
            self.checkpoints = Checkpoints(settings.output / "checkpoints", distance)

    def complete(self) -> TrainResult:
        """Build, go on where a checkpoint stands, take all steps."""
        settings, world = self.settings, self.world
        state = self._earlier()
        model = Llama(settings.model)
        initialize(model, self.training.seed)
        self.initial_hash = weights_hash(model)
        model.to(world.device)
        compiled = world.device.type == "cuda" if settings.compile is None else settings.compile
        self.parallel = Parallel(model, world, settings.parallel, self.training.document_mask, compiled)
        self.optimizers = build_optimizers(model, self.training)
        self.kind = self._precision()
        keep = 0
        if state is not None:
            self._restore(state)
            keep = int(state["log_bytes"])
        self._open_log(keep)
        self.speed = self._new_speed()
        self.journal.write(self._start_entry(state is not None))
        if state is None:
            self._save()
        last = self.steps if settings.stop_after is None else min(self.steps, settings.stop_after)
        self.display = Display(self.steps, settings.live and world.first)
        while self.step < last:
            self._take_step()
        self._save()
        return self._result()

    def close(self) -> None:
        """Let go of threads and files, whatever happened."""
        self.display.close()
        self.verification.close()
        self.prefetcher.close()
        self.journal.close()
        if self.board is not None:
            self.board.close()
        if self.checkpoints is not None:
            self.checkpoints.close()

    def _earlier(self) -> dict[str, Any] | None:
        """The newest checkpoint, if the run goes on. Raises `UsageError` where that cannot be."""
        if self.checkpoints is None:
            if self.settings.resume:
                raise UsageError("a run without an output folder cannot go on")
            return None
        steps = self.checkpoints.steps()
        self.world.barrier()
        if steps and not self.settings.resume:
            raise UsageError(f"{self.settings.output} holds a training run: --resume goes on with it")
        if not steps:
            return None
        state = self.checkpoints.load(steps[-1])
        check_same_run(state, self.reader.fingerprint, self._settings())
        return state

    def _settings(self) -> dict[str, dict[str, Any]]:
        return {
            "model": dataclasses.asdict(self.settings.model),
            "training": dataclasses.asdict(self.training),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.parallel.restore(self.optimizers, dict(state))
        self.step = int(state["step"])
        self.spikes.restore(state["spikes"])
        self.gaps.gaps = [list(gap) for gap in state["gaps"]]
        self.rewinds, self.skipped_steps = int(state["rewinds"]), int(state["skipped_steps"])
        self.seconds_before = float(state["seconds"])
        self.evaluations = [dict(json.loads(text)) for text in state["evaluations"]]

    def _save(self) -> None:
        if self.step:
            self.verification.finish()
        if self.checkpoints is None:
            return
        state = self.parallel.state(self.optimizers)
        if not self.world.first:
            return
        self.checkpoints.save(
            self.step,
            {
                **state,
                "fingerprint": self.reader.fingerprint,
                "settings": self._settings(),
                "spikes": self.spikes.state(),
                "gaps": [list(gap) for gap in self.gaps.gaps],
                "rewinds": self.rewinds,
                "skipped_steps": self.skipped_steps,
                "seconds": self.seconds_before + self.speed.seconds,
                "evaluations": [json.dumps(entry) for entry in self.evaluations],
                "log_bytes": self.journal.size(),
            },
        )

    def _open_log(self, keep: int) -> None:
        output = self.settings.output
        if output is None or not self.world.first:
            return
        self.journal = Journal(output / LOG_NAME, keep)
        entries = taken_steps(read_journal(output / LOG_NAME))
        self.curve = [(int(entry["step"]), entry["loss"]) for entry in entries]
        if self.settings.tensorboard:
            self.board = Board(output / "tensorboard", self.step)

    def _precision(self) -> torch.dtype:
        wanted = self.training.precision
        if wanted == "auto":
            wanted = "bfloat16" if self.world.device.type == "cuda" else "float32"
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32

    def _new_speed(self) -> Speed:
        device = self.world.device
        measured = measure_peak(device, self.kind) if self.settings.measure else None
        listed = data_sheet_peak(device_name(device)) if self.kind == torch.bfloat16 else None
        return Speed(self.settings.model.flops_per_token, self.world.size, measured, listed)

    def _start_entry(self, resumed: bool) -> dict[str, Any]:
        return {
            "event": "resume" if resumed else "start",
            "at_step": self.step,
            "steps": self.steps,
            "settings": self._settings(),
            "fingerprint": self.reader.fingerprint,
            "rows": len(self.reader),
            "files_hashed": self.verification.count,
            "initial_weights": self.initial_hash,
            "parameters": self.settings.model.parameters,
            "flops_per_token": self.settings.model.flops_per_token,
            "device": device_name(self.world.device),
            "processes": self.world.size,
            "precision": str(self.kind).removeprefix("torch."),
            "torch": torch.__version__,
            "peak_listed": self.speed.listed_peak,
            "peak_measured": self.speed.measured_peak,
        }

    def _take_step(self) -> None:
        self.verification.look()
        begin = perf_counter()
        waited = self.prefetcher.waited
        number = self.gaps.batch(self.step)
        loss, norm = self._gradients(self.prefetcher.take(number))
        taken = self.spikes.take(self.step, loss, norm)
        rate = self.training.rate(self.step, self.steps)
        if taken:
            set_rate(self.optimizers, rate)
            for optimizer in self.optimizers:
                optimizer.step()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        positions = self.training.batch * self.settings.model.context
        self.speed.add(perf_counter() - begin, positions, self.prefetcher.waited - waited)
        self._note(loss, norm, rate, number, taken)
        if not taken and self.spikes.lasting:
            self._rewind()
            return
        self.step += 1
        self._regular()

    def _gradients(self, batch: Batch) -> tuple[float, float]:
        """Loss per predicted token of the whole batch, and the gradient's norm before clipping."""
        device, training = self.world.device, self.training
        tokens = _moved(batch.tokens.astype("i4"), device)
        documents = _moved(batch.documents, device)
        predicted = torch.tensor(float(batch.predicted), dtype=torch.float64)
        predicted = self.world.sum(predicted.to(device))
        # DDP and FSDP average gradients over processes; the sum over all predictions is wanted, by their number.
        scale = (self.world.size / predicted.clamp(min=1.0)).float()
        length = tokens.shape[1] - 1
        size = training.microbatch or max(1, MICROBATCH_TOKENS // length)
        total = torch.zeros((), dtype=torch.float64, device=device)
        for first in range(0, len(tokens), size):
            rows = slice(first, first + size)
            with (
                self.parallel.accumulating(first + size >= len(tokens)),
                torch.autocast(device.type, self.kind, enabled=self.kind != torch.float32),
            ):
                loss = self.parallel.objective(tokens[rows], documents[rows])
                (loss * scale).backward()
            total += loss.detach()
        loss_sum = self.world.sum(total) / predicted.clamp(min=1.0)
        norm = self.parallel.clip(training.clip)
        # One wait for the device per step: whether to take the step is decided here.
        values = torch.stack([loss_sum, norm.to(loss_sum)]).tolist()
        return float(values[0]), float(values[1])

    def _note(self, loss: float, norm: float, rate: float, batch: int, taken: bool) -> None:
        self.curve.append((self.step, _finite(loss)))
        entry = {
            "step": self.step,
            "loss": _finite(loss),
            "norm": _finite(norm),
            "rate": rate,
            "batch": batch,
            "taken": taken,
            **self.speed.describe(),
        }
        self.journal.write(entry)
        if self.board is not None:
            self.board.write(self.step, entry)
        self.display.show(self.step + 1, entry, self.speed.left(self.steps - self.step - 1))
        if not taken:
            self.skipped_steps += 1
            rows = self.batches.describe(batch) if self.world.first else []
            self.journal.write(
                {"event": "step not taken", "at_step": self.step, "batch": batch, "rows": rows}
            )

    def _regular(self) -> None:
        """Evaluation and checkpoint, where it is time for them."""
        settings, done = self.settings, self.step == self.steps
        every = settings.evaluate_every
        if settings.on_evaluate is not None and (done or (every and self.step % every == 0)):
            with self.parallel.evaluating() as model:
                values = settings.on_evaluate(model, self.step)
            self.evaluations.append({"at_step": self.step, **values})
            self.journal.write({"event": "evaluation", "at_step": self.step, **values})
            if self.board is not None:
                self.board.write(self.step, values)
        if self.step % self.between == 0 and not done:
            self._save()

    def _rewind(self) -> None:
        """Back to a checkpoint before the spike, and past its batches."""
        first = self.spikes.refused[0]
        if self.checkpoints is None or self.rewinds >= self.training.rewinds:
            tried = f"after {self.rewinds} rewinds" if self.rewinds else "and nothing to go back to"
            raise RunFailedError(
                f"the loss spikes at step {first} and does not come back, {tried}: try a lower learning rate"
            )
        self.checkpoints.wait()
        self.world.barrier()
        # Where a run happened to be stopped must not decide how far it goes back.
        steps = [step for step in self.checkpoints.steps() if step % self.between == 0]
        early = [step for step in steps if step <= first - self.training.rewind]
        target = early[-1] if early else steps[0]
        at, rewinds, skipped = self.step, self.rewinds + 1, self.skipped_steps
        past, seconds = self.gaps.gaps, self.seconds_before
        self._restore(self.checkpoints.load(target))
        self.gaps.gaps, self.rewinds, self.skipped_steps = past, rewinds, skipped
        self.seconds_before = seconds
        left_out = self.gaps.leave_out(target, self.training.rewind_skip, self.gaps.batch(at))
        self.curve = [point for point in self.curve if point[0] < target]
        if self.board is not None:
            self.board.go_back(target)
        if self.world.first:
            self.checkpoints.forget_after(target)
        self.world.barrier()
        self.journal.write(
            {
                "event": "rewind",
                "at_step": at,
                "to_step": target,
                "batches": [left_out.start, left_out.stop],
            }
        )
        for number in left_out if self.world.first else ():
            self.journal.write(
                {"event": "batch left out", "batch": number, "rows": self.batches.describe(number)}
            )
        # From here on the checkpoint says what is left out.
        self._save()

    def _result(self) -> TrainResult:
        tail = self.curve[-max(1, math.ceil(FINAL_SHARE * len(self.curve))) :]
        losses = [loss for _, loss in tail if loss is not None]
        tokens = self.step * self.training.batch * self.settings.model.context
        self.display.close()
        if self.checkpoints is not None:
            self.checkpoints.wait()
        self.world.barrier()
        result = TrainResult(
            loss=math.fsum(losses) / len(losses) if losses else math.nan,
            curve=self.curve,
            steps=self.step,
            tokens=tokens,
            seconds=self.seconds_before + self.speed.seconds,
            flops=float(tokens) * self.settings.model.flops_per_token,
            checkpoint=None if self.checkpoints is None else self.checkpoints.path(self.step),
            model=self.parallel.release(),
            fingerprint=self.reader.fingerprint,
            initial_hash=self.initial_hash,
            skipped_steps=self.skipped_steps,
            rewinds=self.rewinds,
            evaluations=self.evaluations,
            speed=self.speed.describe(),
        )
        self.journal.write(
            {
                "event": "end" if self.step == self.steps else "stopped",
                "at_step": self.step,
                "loss": _finite(result.loss),
                "seconds": result.seconds,
                "tokens": tokens,
                **result.speed,
            }
        )
        return result


def _moved(values: Any, device: torch.device) -> torch.Tensor:
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
