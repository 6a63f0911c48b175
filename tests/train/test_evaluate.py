from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from harness_golden import weights  # noqa: E402

from corpusforge.tokenize.encoder import Encoder  # noqa: E402
from corpusforge.train import scoring  # noqa: E402
from corpusforge.train.eval_pack import EvaluationPack, load_pack, make_pack  # noqa: E402
from corpusforge.train.evaluate import credit, evaluate, item_scores, panel_score, task_results  # noqa: E402
from corpusforge.train.model import Llama, ModelConfig  # noqa: E402
from corpusforge.train.panel import Panel, Passage  # noqa: E402
from corpusforge.train.scoring import Requests, score  # noqa: E402
from corpusforge.train.tasks import Item, Task, read_tasks  # noqa: E402

GOLDEN = Path(__file__).parent / "golden" / "harness.json"
FILES = {
    "arc_easy": "arc_easy.jsonl",
    "hellaswag": "hellaswag_val.jsonl",
    "lambada_openai": "lambada_openai.jsonl",
    "piqa": "piqa.jsonl",
    "winogrande": "winogrande_dev.jsonl",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(json.loads(GOLDEN.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def encoder(golden: dict[str, Any]) -> Encoder:
    return Encoder(base64.b64decode(golden["tokenizer"]))


@pytest.fixture(scope="module")
def model(golden: dict[str, Any], encoder: Encoder) -> Llama:
    llama = Llama(ModelConfig(vocabulary_size=encoder.vocabulary_size, **golden["shape"]))
    with torch.no_grad():
        for name, weight in llama.named_parameters():
            weight.copy_(torch.from_numpy(weights(name, tuple(weight.shape))))
    return llama


@pytest.fixture(scope="module")
def tasks(golden: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[Task]:
    folder = tmp_path_factory.mktemp("sets")
    (folder / "blimp").mkdir()
    for name, rows in golden["items"].items():
        path = folder / "blimp" / f"{name}.jsonl" if "blimp" in name else folder / FILES[name]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_tasks(folder)


@pytest.fixture(scope="module")
def pack(golden: dict[str, Any], encoder: Encoder, tasks: list[Task]) -> EvaluationPack:
    panel = Panel(tuple(Passage("texts", text) for text in golden["texts"]))
    return make_pack(encoder, panel, tasks)


def harness_order(golden: dict[str, Any], pack: EvaluationPack) -> list[list[float]]:
    """Log-likelihoods of the harness in the pack's order of items."""
    results = golden["harness"]["tasks"]
    names = {"blimp": ["blimp_agreement", "blimp_islands"], "lambada": ["lambada_openai"]}
    return [
        row
        for task in pack.tasks
        for name in names.get(task, [task])
        for row in results[name]["log_likelihoods"]
    ]


def test_every_request_scores_what_the_harness_says(
    golden: dict[str, Any], model: Llama, pack: EvaluationPack
) -> None:
    scores = score(model, Requests(pack.tokens, pack.offsets, pack.scored))
    expected = [value for row in harness_order(golden, pack) for value in row]
    np.testing.assert_allclose(scores.log_likelihood, expected, atol=1e-4)
    # Some contexts are cut on the left: the test would not see that otherwise.
    assert np.diff(pack.offsets).max() > model.config.context + 1


def test_metrics_are_those_of_the_harness(golden: dict[str, Any], model: Llama, pack: EvaluationPack) -> None:
    results = task_results(pack, item_scores(model, pack))
    theirs = golden["harness"]["tasks"]
    for name in ("arc_easy", "hellaswag", "piqa"):
        assert results[name]["accuracy"] == pytest.approx(theirs[name]["acc"], abs=1e-9)
        assert results[name]["accuracy_normalized"] == pytest.approx(theirs[name]["acc_norm"], abs=1e-9)
    assert results["winogrande"]["accuracy"] == pytest.approx(theirs["winogrande"]["acc"], abs=1e-9)
    assert results["lambada"]["accuracy"] == theirs["lambada_openai"]["acc"]
    assert results["lambada"]["perplexity"] == pytest.approx(theirs["lambada_openai"]["perplexity"], rel=1e-4)
    for name in ("blimp_agreement", "blimp_islands"):
        assert results["blimp"]["groups"][name] == pytest.approx(theirs[name]["acc"], abs=1e-9)
    assert {name: result["skipped"] for name, result in results.items()} == dict.fromkeys(results, 0)


def test_bits_of_passages_are_the_rolling_log_likelihoods(
    golden: dict[str, Any], model: Llama, pack: EvaluationPack
) -> None:
    panel = panel_score(model, pack)
    expected = -np.array(golden["harness"]["rolling"]) / math.log(2)
    np.testing.assert_allclose(panel.bits, expected, atol=2e-4)
    size = sum(len(text.encode()) for text in golden["texts"])
    assert panel.macro == pytest.approx(expected.sum() / size, abs=1e-5)
    assert panel.by_domain == {"texts": panel.macro}


def test_scores_do_not_depend_on_their_neighbours(model: Llama, pack: EvaluationPack) -> None:
    whole = score(model, Requests(pack.tokens, pack.offsets, pack.scored)).log_likelihood
    for row in (0, 17, len(pack.scored) - 1):
        tokens = pack.tokens[pack.offsets[row] : pack.offsets[row + 1]]
        alone = Requests(tokens, np.array([0, len(tokens)]), pack.scored[row : row + 1])
        assert score(model, alone).log_likelihood[0] == pytest.approx(whole[row], abs=1e-5)


def test_a_model_without_opinion_gets_chance_and_not_everything(model: Llama, encoder: Encoder) -> None:
    blank = Llama(model.config)
    with torch.no_grad():
        for weight in blank.parameters():
            weight.zero_()
    pair = Item("p", (("", " One day."), ("", " One day.")), ("One day.", "One day."), 0)
    four = Item("", tuple(("Q", " same") for _ in range(4)), ("same",) * 4, 2)
    pack = make_pack(encoder, Panel(()), [Task("blimp", (pair,) * 10), Task("piqa", (four,) * 10)])
    results = evaluate(blank, pack)["tasks"]
    assert results["blimp"]["accuracy"] == 0.5
    assert results["piqa"]["accuracy"] == 0.25
    assert results["piqa"]["margin"] == 0.0


@pytest.mark.parametrize(
    ("scores", "gold", "worth"),
    [([1, 0], 0, 1.0), ([1, 0], 1, 0.0), ([1, 1], 0, 0.5), ([2, 2, 2, 1], 1, 1 / 3)],
)
def test_credit(scores: list[float], gold: int, worth: float) -> None:
    assert credit(np.array(scores, np.float32), gold) == pytest.approx(worth)


def test_items_that_do_not_fit_are_left_out_and_counted(model: Llama, encoder: Encoder) -> None:
    long = " ".join(["extraordinary"] * 60)
    items = (
        Item("", (("Q", " a"), ("Q", f" {long}")), ("a", long), 0),
        Item("", (("Q", " a"), ("Q", " b")), ("a", "b"), 1),
    )
    results = evaluate(model, make_pack(encoder, Panel(()), [Task("piqa", items)]))["tasks"]["piqa"]
    assert (results["items"], results["skipped"]) == (1, 1)
    assert results["accuracy"] in (0.0, 0.5, 1.0)


def test_training_mode_and_gradients_stay_as_they_were(model: Llama, pack: EvaluationPack) -> None:
    model.train()
    panel_score(model, pack)
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())


def test_a_pack_is_read_back_as_it_was(pack: EvaluationPack, model: Llama, tmp_path: Path) -> None:
    path = tmp_path / "pack.npz"
    path.write_bytes(pack.dump())
    again = load_pack(path)
    assert again.dump() == pack.dump()
    assert evaluate(model, again) == evaluate(model, pack)


def test_a_model_of_another_vocabulary_is_refused(pack: EvaluationPack, model: Llama) -> None:
    small = Llama(ModelConfig(10, 1, 8, 2, 2, 8, 16))
    with pytest.raises(ValueError, match="480"):
        evaluate(small, pack)


def test_greedy_means_that_every_token_is_the_likeliest(model: Llama) -> None:
    start = torch.tensor([[1, 20, 30, 40]])
    with torch.no_grad():
        for _ in range(3):
            start = torch.cat([start, model(start)[:, -1:].argmax(-1)], dim=1)
    right = start[0].numpy().astype(np.uint32)
    wrong = right.copy()
    wrong[-2] = (wrong[-2] + 1) % model.config.vocabulary_size
    requests = Requests(np.concatenate([right, wrong]), np.array([0, 7, 14]), np.array([3, 3]))
    assert score(model, requests).greedy.tolist() == [True, False]
    only_second = score(model, requests, np.array([False, True]))
    assert only_second.greedy.tolist() == [False, False]
    assert only_second.log_likelihood.tolist() == score(model, requests).log_likelihood.tolist()


def test_how_many_logits_exist_at_a_time_changes_nothing(
    model: Llama, pack: EvaluationPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = Requests(pack.tokens, pack.offsets, np.minimum(pack.scored, model.config.context))
    whole = score(model, requests)
    monkeypatch.setattr(scoring, "LOGITS", {"cpu": 3 * model.config.vocabulary_size})
    pieces = score(model, requests)
    assert pieces.greedy.tolist() == whole.greedy.tolist()
    assert np.abs(pieces.log_likelihood - whole.log_likelihood).max() < 1e-4
