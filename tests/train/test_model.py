from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import LENGTH, VOCABULARY, toy_model  # noqa: E402

from corpusforge.train.model import Llama, ModelConfig, initialize, rotate, weights_hash  # noqa: E402


def made(seed: int = 0, **changes: object) -> Llama:
    torch.set_num_threads(1)
    model = Llama(toy_model(**changes))
    initialize(model, seed)
    return model


def tokens(rows: int, length: int = LENGTH + 1, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, VOCABULARY, (rows, length)))


@pytest.mark.parametrize("tied", [True, False])
def test_counts_of_parameters_are_those_of_the_model(tied: bool) -> None:
    model = made(tied=tied)
    assert sum(weight.numel() for weight in model.parameters()) == model.config.parameters
    inside = sum(
        weight.numel() for name, weight in model.named_parameters() if name.startswith(("blocks", "norm"))
    )
    assert inside == model.config.block_parameters


def test_flops_are_six_per_parameter_of_a_product_and_palms_attention() -> None:
    model = made(tied=False)
    products = sum(
        weight.numel()
        for name, weight in model.named_parameters()
        if weight.ndim == 2 and not name.startswith("embedding")
    )
    config = model.config
    assert config.flops_per_token == 6 * products + 12 * config.layers * config.width * config.context


@pytest.mark.parametrize("chunk", [1, 7, 48, 4096])
def test_chunked_loss_and_its_gradients_are_those_of_all_logits(chunk: int) -> None:
    model, rows = made(), tokens(3)
    model.loss(rows, chunk=chunk).backward()
    chunked = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    logits = model(rows[:, :-1])
    whole = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
    whole.backward()
    assert model.loss(rows, chunk=chunk).item() == pytest.approx(whole.item(), abs=1e-5)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(chunked[name], weight.grad, atol=1e-6, rtol=1e-4)


def test_reductions_agree_and_leave_out_padding() -> None:
    model, rows = made(), tokens(2)
    documents = torch.zeros_like(rows)
    documents[0, 6:], documents[1, 10:] = 1, -1
    each = model.loss(rows, documents, "none")
    assert each.shape == (2, LENGTH)
    assert (each[1, 9:] == 0).all()
    predicted = int((documents[:, 1:] >= 0).sum())
    assert model.loss(rows, documents, "sum").item() == pytest.approx(each.sum().item(), rel=1e-5)
    assert model.loss(rows, documents).item() == pytest.approx(each.sum().item() / predicted, rel=1e-5)
    with pytest.raises(ValueError, match="reduction"):
        model.loss(rows, reduction="median")


def test_ignored_predictions_have_no_part_in_the_gradient() -> None:
    model, rows = made(), tokens(2)
    ignore = torch.zeros(2, LENGTH, dtype=torch.bool)
    ignore[1] = True
    model.loss(rows, ignore=ignore, reduction="sum").backward()
    masked = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    model.loss(rows[:1], reduction="sum").backward()
    for name, weight in model.named_parameters():
        torch.testing.assert_close(masked[name], weight.grad, atol=1e-5, rtol=1e-4)


def test_a_masked_document_is_what_it_would_be_alone() -> None:
    model, rows = made(), tokens(1, LENGTH)
    documents = torch.tensor([[0] * 6 + [1] * 7 + [-1] * 3])
    logits = model(rows, documents)
    # Rotary positions are relative: a document may stand anywhere.
    torch.testing.assert_close(logits[:, 6:13], model(rows[:, 6:13]), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(logits[:, 6:13], model(rows)[:, 6:13], atol=1e-3)


def test_later_tokens_change_nothing_before_them() -> None:
    model, rows = made(), tokens(1, LENGTH)
    changed = rows.clone()
    changed[0, 9] = (changed[0, 9] + 1) % VOCABULARY
    before, after = model(rows), model(changed)
    torch.testing.assert_close(before[:, :9], after[:, :9], atol=0, rtol=0)
    assert not torch.allclose(before[:, 9:], after[:, 9:])


def test_grouped_queries_are_repeated_keys_and_values() -> None:
    grouped, full = made(), made(key_value_heads=4)
    weights = full.state_dict()
    for name, weight in grouped.state_dict().items():
        if ".key." in name or ".value." in name:
            heads = weight.view(2, 4, 16).repeat_interleave(2, dim=0)
            weights[name] = heads.reshape(16, 16)
        else:
            weights[name] = weight
    full.load_state_dict(weights)
    torch.testing.assert_close(grouped(tokens(2, LENGTH)), full(tokens(2, LENGTH)), atol=1e-5, rtol=1e-4)


def test_rotation_is_that_of_complex_numbers() -> None:
    model = made()
    states = torch.randn(1, 1, LENGTH, 4, generator=torch.Generator().manual_seed(0))
    turned = rotate(states, model.cosines, model.sines)
    pairs = torch.complex(states[..., :2], states[..., 2:])
    speeds = torch.tensor([1.0, 10000.0**-0.5])
    expected = pairs * torch.exp(1j * torch.arange(LENGTH)[:, None] * speeds)
    torch.testing.assert_close(
        torch.complex(turned[..., :2], turned[..., 2:]), expected, atol=1e-5, rtol=1e-5
    )


def test_first_weights_depend_on_the_seed_alone() -> None:
    assert weights_hash(made(3)) == weights_hash(made(3)) != weights_hash(made(4))
    # These bits are what other machines must find, too.
    assert weights_hash(made(0))[:16] == "2ef78b540d479c77"


def test_first_weights_have_the_deviations_of_gpt2() -> None:
    model = Llama(ModelConfig(512, 4, 128, 4, 4, 352, 32))
    initialize(model, 0)
    assert model.embedding.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.blocks[0].feed.down.weight.std().item() == pytest.approx(0.02 / 8**0.5, rel=0.02)
    assert (model.norm.weight == 1).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"heads": 3},
        {"key_value_heads": 3},
        {"layers": 0},
        {"width": 12},
        {"rope_theta": 0.0},
        {"context": -1},
    ],
)
def test_impossible_shapes_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"heads|positive"):
        toy_model(**changes)


def test_too_long_a_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="context of 16"):
        made()(tokens(1, LENGTH + 1))
