from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import LENGTH, VOCABULARY, toy_model, toy_rows, toy_training  # noqa: E402

from corpusforge.errors import RunFailedError, UsageError  # noqa: E402
from corpusforge.mix.loader import Row, RowReader  # noqa: E402
from corpusforge.train.journal import read_journal, taken_steps  # noqa: E402
from corpusforge.train.loop import TrainResult, TrainSettings, train  # noqa: E402
from corpusforge.train.model import Llama, initialize, weights_hash  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def settings(output: Path | None = None, steps: int = 10, **changes: Any) -> TrainSettings:
    training = {name: changes.pop(name) for name in list(changes) if name in TRAINING}
    return TrainSettings(
        toy_rows(),
        changes.pop("model", toy_model()),
        toy_training(steps, **training),
        output,
        device="cpu",
        measure=False,
        checkpoint_every=changes.pop("checkpoint_every", 3),
        **changes,
    )


TRAINING = {field.name for field in dataclasses.fields(toy_training())}


@pytest.fixture(scope="module")
def unbroken() -> TrainResult:
    torch.set_num_threads(1)
    return train(settings())


def assert_same(found: TrainResult, expected: TrainResult) -> None:
    assert found.curve == expected.curve
    assert weights_hash(found.model) == weights_hash(expected.model)
    assert (found.loss, found.tokens, found.steps) == (expected.loss, expected.tokens, expected.steps)


def test_training_learns(unbroken: TrainResult) -> None:
    assert unbroken.steps == len(unbroken.curve) == 10
    assert unbroken.tokens == 10 * 8 * LENGTH
    assert unbroken.flops == unbroken.tokens * toy_model().flops_per_token
    first, last = unbroken.curve[0][1], unbroken.curve[-1][1]
    assert first is not None
    assert last is not None
    assert first == pytest.approx(torch.tensor(VOCABULARY).log().item(), abs=0.1)
    assert last < first - 0.3
    fresh = Llama(toy_model())
    initialize(fresh, 0)
    assert unbroken.initial_hash == weights_hash(fresh) != weights_hash(unbroken.model)


def test_the_first_loss_is_that_of_the_rows_the_loader_names(unbroken: TrainResult) -> None:
    rows = toy_rows()
    model = Llama(toy_model())
    initialize(model, 0)
    total, predicted = 0.0, 0
    for index in rows.order(0, 8, 0):
        row = rows.row(int(index))
        used = torch.from_numpy(row.tokens[: row.boundaries[-1]].astype("i8"))[None]
        total += model.loss(used, reduction="sum").item()
        predicted += used.shape[1] - 1
    assert unbroken.curve[0][1] == pytest.approx(total / predicted, abs=1e-5)


def test_one_step_is_adamws_with_clipping() -> None:
    result = train(settings(steps=1, clip=0.01, warmup=0.0))
    model = Llama(toy_model())
    initialize(model, 0)
    rows = toy_rows()
    batch = [rows.row(int(index)) for index in rows.order(0, 8, 0)]
    tokens = torch.stack([torch.from_numpy(row.tokens.astype("i8")) for row in batch])
    ignore = torch.stack([torch.arange(1, LENGTH + 1) >= int(row.boundaries[-1]) for row in batch])
    model.loss(tokens, ignore=ignore).backward()
    norm = torch.cat([weight.grad.flatten() for weight in model.parameters()]).norm()
    for name, weight in model.named_parameters():
        gradient = weight.grad * (0.01 / norm)
        kept = 1 - 0.01 * 0.1 if weight.ndim == 2 and name.startswith("blocks") else 1.0
        expected = weight.detach() * kept - 0.01 * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(
            dict(result.model.named_parameters())[name], expected, atol=2e-5, rtol=1e-3
        )


@pytest.mark.parametrize("stop", [1, 3, 7])
def test_resuming_anywhere_gives_the_same_bits(stop: int, tmp_path: Path, unbroken: TrainResult) -> None:
    first = train(settings(tmp_path, stop_after=stop))
    assert first.steps == stop
    resumed = train(settings(tmp_path, resume=True))
    assert_same(resumed, unbroken)
    again = train(settings(tmp_path, resume=True))
    assert_same(again, unbroken)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from toys import toy_model, toy_rows, toy_training
from corpusforge.train.loop import TrainSettings, train
kill = int(sys.argv[3])
def die(model, step):
    if step == kill:
        os.kill(os.getpid(), signal.SIGKILL)
    return {}
train(TrainSettings(toy_rows(), toy_model(), toy_training(10), Path(sys.argv[2]), resume=True, device="cpu",
      measure=False, checkpoint_every=3, evaluate_every=1, on_evaluate=die))
"""


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, unbroken: TrainResult) -> None:
    for kill in (5, 9):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(Path(__file__).parent.parent), str(tmp_path), str(kill)],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = train(settings(tmp_path, resume=True))
    assert_same(resumed, unbroken)
    entries = taken_steps(read_journal(tmp_path / "log.jsonl"))
    assert [(entry["step"], entry["loss"]) for entry in entries] == unbroken.curve
    left = [path for path in (tmp_path / "checkpoints").iterdir() if not path.name.endswith(".pt")]
    assert [path.name.split(".")[-1] for path in left] in ([], ["tmp"], ["tmp", "tmp"])


def test_other_data_is_an_error(tmp_path: Path) -> None:
    train(settings(tmp_path, stop_after=3))
    other = dataclasses.replace(settings(tmp_path, resume=True), data=toy_rows(seed=1))
    with pytest.raises(UsageError, match="other data"):
        train(other)


def test_other_settings_are_an_error_except_harmless_ones(tmp_path: Path) -> None:
    train(settings(tmp_path, stop_after=3))
    with pytest.raises(UsageError, match=r"learning_rate 0\.01 → 0\.5"):
        train(settings(tmp_path, resume=True, learning_rate=0.5))
    with pytest.raises(UsageError, match="layers 2 → 1"):
        train(settings(tmp_path, resume=True, model=toy_model(layers=1)))
    assert train(settings(tmp_path, resume=True, microbatch=4)).steps == 10


def test_a_folder_in_use_is_not_taken(tmp_path: Path) -> None:
    train(settings(tmp_path, stop_after=1))
    with pytest.raises(UsageError, match="--resume"):
        train(settings(tmp_path))
    with pytest.raises(UsageError, match="without an output"):
        train(settings(None, resume=True))


@pytest.mark.parametrize("microbatch", [1, 3, 8])
def test_accumulation_changes_rounding_only(microbatch: int, unbroken: TrainResult) -> None:
    losses = [loss for _, loss in train(settings(microbatch=microbatch)).curve]
    assert losses == pytest.approx([loss for _, loss in unbroken.curve], abs=2e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "muon"},
        {"document_mask": True},
        {"precision": "bfloat16"},
        {"schedule": "wsd"},
        {"model": toy_model(tied=False)},
    ],
    ids=str,
)
def test_options_train_and_resume(changes: dict[str, Any], tmp_path: Path, unbroken: TrainResult) -> None:
    whole = train(settings(**changes))
    assert whole.loss < unbroken.curve[0][1] - 0.2  # type: ignore[operator]
    assert whole.curve != unbroken.curve
    train(settings(tmp_path, stop_after=4, **changes))
    assert_same(train(settings(tmp_path, resume=True, **changes)), whole)


def test_the_seed_draws_weights_and_order(unbroken: TrainResult) -> None:
    other = train(settings(seed=1))
    assert other.initial_hash != unbroken.initial_hash
    assert other.curve != unbroken.curve


def test_evaluation_is_called_and_kept(tmp_path: Path) -> None:
    seen = []

    def evaluate(model: Llama, step: int) -> dict[str, Any]:
        seen.append((step, model.training, torch.is_grad_enabled()))
        return {"bits": step / 2}

    result = train(settings(tmp_path, evaluate_every=4, on_evaluate=evaluate))
    assert seen == [(4, False, False), (8, False, False), (10, False, False)]
    assert result.model.training
    assert result.evaluations == [{"at_step": step, "bits": step / 2} for step in (4, 8, 10)]
    logged = [entry for entry in read_journal(tmp_path / "log.jsonl") if entry.get("event") == "evaluation"]
    assert [entry["bits"] for entry in logged] == [2.0, 4.0, 5.0]


class Poisoned(RowReader):
    """Toy rows; those of the poisoned batches are one token over and over, with another loss."""

    def __init__(self, batches: range) -> None:
        self.inner = toy_rows(1200)
        self.fingerprint = self.inner.fingerprint
        self.poisoned = {int(row) for batch in batches for row in self.inner.order(batch, 8, 0)}

    def __len__(self) -> int:
        return len(self.inner)

    def row(self, index: int) -> Row:
        row = self.inner.row(index)
        if index in self.poisoned:
            return dataclasses.replace(row, tokens=(row.tokens * 37 + 11 * index) % VOCABULARY)
        return row


SPIKY = {"spike_window": 16, "spike_patience": 3, "rewind": 4, "rewind_skip": 6}


def spiky(output: Path | None, poisoned: range, **changes: Any) -> TrainSettings:
    return dataclasses.replace(
        settings(output, 70, schedule="constant", **SPIKY, **changes),
        data=Poisoned(poisoned),
    )


def test_one_bad_batch_is_a_step_not_taken(tmp_path: Path) -> None:
    result = train(spiky(tmp_path, range(60, 61)))
    assert (result.skipped_steps, result.rewinds) == (1, 0)
    events = [
        entry for entry in read_journal(tmp_path / "log.jsonl") if entry.get("event") == "step not taken"
    ]
    assert [(entry["at_step"], entry["batch"]) for entry in events] == [(60, 60)]
    assert len(events[0]["rows"]) == 8
    assert events[0]["rows"][0]["documents"]


def test_lasting_spikes_rewind_and_leave_batches_out(tmp_path: Path) -> None:
    result = train(spiky(tmp_path / "whole", range(60, 63)))
    assert (result.skipped_steps, result.rewinds, result.steps) == (3, 1, 70)
    entries = read_journal(tmp_path / "whole" / "log.jsonl")
    rewind = next(entry for entry in entries if entry.get("event") == "rewind")
    assert (rewind["at_step"], rewind["to_step"], rewind["batches"]) == (62, 54, [54, 63])
    left_out = [entry for entry in entries if entry.get("event") == "batch left out"]
    assert [entry["batch"] for entry in left_out] == list(range(54, 63))
    assert all(len(entry["rows"]) == 8 for entry in left_out)
    taken = taken_steps(entries)
    assert [entry["step"] for entry in taken] == list(range(70))
    assert [entry["batch"] for entry in taken] == [*range(54), *range(63, 79)]
    assert [(entry["step"], entry["loss"]) for entry in taken] == result.curve
    for stop in (56, 61):
        folder = tmp_path / str(stop)
        train(spiky(folder, range(60, 63), stop_after=stop))
        resumed = train(spiky(folder, range(60, 63), resume=True))
        assert_same(resumed, result)
        assert resumed.rewinds == 1


def test_spikes_without_end_fail(tmp_path: Path) -> None:
    with pytest.raises(RunFailedError, match="after 2 rewinds"):
        train(spiky(tmp_path, range(60, 100), rewinds=2))
    with pytest.raises(RunFailedError, match="nothing to go back to"):
        train(spiky(None, range(60, 100)))


def test_rows_must_fit_the_model() -> None:
    with pytest.raises(UsageError, match="context of 16, not 8"):
        train(settings(model=toy_model(context=8)))
    with pytest.raises(ValueError, match="vocabulary of 20"):
        train(settings(model=toy_model(vocabulary_size=20)))
    with pytest.raises(UsageError, match="ddp or fsdp"):
        train(dataclasses.replace(settings(), parallel="pipeline"))
    with pytest.raises(UsageError, match="device is"):
        train(dataclasses.replace(settings(), device="abacus"))


def test_the_log_says_all_that_is_needed_to_compare(tmp_path: Path) -> None:
    result = train(dataclasses.replace(settings(tmp_path), measure=True))
    begin, *steps, end = read_journal(tmp_path / "log.jsonl")
    assert begin["event"] == "start"
    assert begin["fingerprint"] == result.fingerprint
    assert begin["initial_weights"] == result.initial_hash
    assert begin["peak_measured"] > 1e8
    assert begin["peak_listed"] is None
    assert len(steps) == 10
    assert steps[-1]["tokens_per_second"] > 0
    assert 0 < steps[-1]["mfu_measured"] < 1
    assert 0 <= steps[-1]["waiting"] <= 1
    assert end["event"] == "end"
    assert end["loss"] == result.loss
    assert json.loads(json.dumps(begin["settings"]["training"])) == dataclasses.asdict(toy_training(10))
    assert result.checkpoint is not None
    assert result.checkpoint.is_file()
    assert os.path.commonpath([result.checkpoint, tmp_path]) == str(tmp_path)
