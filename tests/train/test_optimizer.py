from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import toy_model, toy_training  # noqa: E402

from corpusforge.train.model import Llama  # noqa: E402
from corpusforge.train.optimizer import build_optimizers, set_rate  # noqa: E402


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("tied", [True, False])
def test_each_weight_is_in_one_group_and_decays_as_it_should(optimizer: str, tied: bool) -> None:
    model = Llama(toy_model(tied=tied))
    built = build_optimizers(model, toy_training(optimizer=optimizer, weight_decay=0.25))
    decay: dict[int, float] = {}
    for group in (group for one in built for group in one.param_groups):
        for weight in group["params"]:
            assert id(weight) not in decay
            decay[id(weight)] = group["weight_decay"]
    for name, weight in model.named_parameters():
        inside = weight.ndim == 2 and name.startswith("blocks.")
        assert decay[id(weight)] == (0.25 if inside or name.startswith("head.") else 0.0), name
    assert len(decay) == len(list(model.parameters()))


def test_muon_takes_the_matrices_inside_blocks_only() -> None:
    model = Llama(toy_model(tied=False))
    adamw, muon = build_optimizers(model, toy_training(optimizer="muon"))
    assert isinstance(adamw, torch.optim.AdamW)
    taken = {id(weight) for group in muon.param_groups for weight in group["params"]}
    expected = {
        id(weight)
        for name, weight in model.named_parameters()
        if weight.ndim == 2 and name.startswith("blocks.")
    }
    assert taken == expected


def test_the_rate_reaches_every_group() -> None:
    built = build_optimizers(Llama(toy_model()), toy_training(optimizer="muon"))
    set_rate(built, 0.125)
    assert {group["lr"] for one in built for group in one.param_groups} == {0.125}
    assert {group.get("betas") for group in built[0].param_groups} == {(0.9, 0.95)}
