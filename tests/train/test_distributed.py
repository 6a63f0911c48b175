"""Two processes on one CPU, started by torchrun as a user starts them."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import toy_model, toy_rows, toy_training  # noqa: E402

from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.train.distributed import World, joined  # noqa: E402
from corpusforge.train.loop import TrainSettings, _Run, train  # noqa: E402

SCRIPT = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from toys import toy_model, toy_rows, toy_training
from corpusforge.train.loop import TrainSettings, train
folder = Path(sys.argv[2])
def run(output, parallel, **changes):
    return train(TrainSettings(toy_rows(), toy_model(), toy_training(6, microbatch=2), output, device="cpu",
                 parallel=parallel, checkpoint_every=2, measure=False, **changes))
results = {kind: run(None, kind).curve for kind in ("ddp", "fsdp")}
run(folder / "stopped", "fsdp", stop_after=3)
results["resumed"] = run(folder / "stopped", "fsdp", resume=True, stop_after=5).curve
(folder / f"{os.environ['RANK']}.json").write_text(json.dumps(results))
"""


def settings(output: Path | None = None, **changes: Any) -> TrainSettings:
    training = toy_training(6, microbatch=2)
    return TrainSettings(
        toy_rows(), toy_model(), training, output, device="cpu", checkpoint_every=2, measure=False, **changes
    )


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    one = [loss for _, loss in train(settings()).curve]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [*launcher, str(script), str(Path(__file__).parent.parent), str(tmp_path)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=500)
        finally:
            # The launcher's children, too, should one of them hang.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert status == 0, (tmp_path / "errors").read_text()
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    # What one process logs, all know; the sums of two are rounded otherwise than those of one.
    for kind in ("ddp", "fsdp"):
        assert found[0][kind] == found[1][kind]
        assert [loss for _, loss in found[0][kind]] == pytest.approx(one, abs=1e-4)
    assert found[0]["resumed"] == found[0]["fsdp"][:5]
    # A checkpoint does not remember how many processes wrote it.
    alone = train(settings(tmp_path / "stopped", resume=True))
    assert [loss for _, loss in alone.curve] == pytest.approx(one, abs=1e-4)


def test_batches_are_shared_evenly_and_muon_needs_whole_matrices() -> None:
    def run(parallel: str, **changes: Any) -> None:
        training = toy_training(6, **changes)
        chosen = TrainSettings(toy_rows(), toy_model(), training, parallel=parallel)
        _Run(chosen, World(0, 3, torch.device("cpu")))

    with pytest.raises(UsageError, match="8 rows cannot be shared by 3"):
        run("ddp")
    with pytest.raises(UsageError, match="Muon"):
        run("fsdp", optimizer="muon", batch=9)


def test_a_missing_gpu_is_an_error() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(UsageError, match="no CUDA"), joined("cuda"):
        pytest.fail("joined a GPU that is not there")


@pytest.mark.slow
def test_models_of_one_shape_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.utils import counters

    # Without a compiler of machine code, torch still traces, guards and keeps what it traced.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    counts = counters["stats"]

    def run(seed: int, compiled: bool, **changes: int) -> tuple[float, int]:
        training = toy_training(2, seed=seed)
        before = counts["unique_graphs"]
        plan = TrainSettings(
            toy_rows(),
            toy_model(layers=1, **changes),
            training,
            device="cpu",
            measure=False,
            compile=compiled,
        )
        return train(plan).loss, counts["unique_graphs"] - before

    first, graphs = run(0, True)
    assert graphs > 0
    assert first == pytest.approx(run(0, False)[0], abs=1e-5)
    second, more = run(1, True)
    assert more == 0
    assert second == pytest.approx(run(1, False)[0], abs=1e-5)
    assert run(0, True, hidden=32)[1] > 0
