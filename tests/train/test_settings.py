from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import toy_model, toy_training  # noqa: E402

from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.train.settings import override, parse_count, settings_hash  # noqa: E402


def test_cosine_rises_and_falls_to_a_tenth() -> None:
    config = toy_training(learning_rate=1.0, warmup=0.1)
    rates = [config.rate(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * number for number in range(1, 11)])
    assert rates[10] == 1.0
    assert all(later < earlier for earlier, later in zip(rates[10:], rates[11:]))
    assert rates[-1] == pytest.approx(0.1)
    assert rates[10 + 89 // 2] == pytest.approx(0.55, abs=0.02)


def test_wsd_stays_and_then_falls_in_a_line() -> None:
    config = toy_training(learning_rate=1.0, warmup=0.1, schedule="wsd", decay=0.2, final=0.0)
    rates = [config.rate(step, 100) for step in range(100)]
    assert set(rates[10:81]) == {1.0}
    assert rates[-1] == pytest.approx(0.0)
    falls = [earlier - later for earlier, later in zip(rates[80:], rates[81:])]
    assert falls == pytest.approx([1 / 19] * 19)


def test_a_single_step_has_a_rate() -> None:
    for schedule in ("cosine", "wsd", "constant"):
        assert toy_training(schedule=schedule, learning_rate=0.5).rate(0, 1) == pytest.approx(0.5)


def test_steps_cover_the_tokens() -> None:
    assert toy_training(steps=10).steps(16) == 10
    assert toy_training(tokens=10 * 128 + 1).steps(16) == 11


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens": 0},
        {"batch": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"warmup": 1.5},
        {"clip": 0.0},
        {"beta2": 1.0},
        {"weight_decay": -0.1},
        {"microbatch": 0},
        {"schedule": "sine"},
        {"optimizer": "sgd"},
        {"precision": "float16"},
    ],
)
def test_impossible_values_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(changes))):
        toy_training(**changes)


def test_settings_are_read_from_text() -> None:
    values = {
        "layers": "3",
        "learning_rate": "2e-3",
        "document_mask": "true",
        "tokens": "1.5m",
        "microbatch": "null",
        "schedule": "wsd",
        "tied": False,
    }
    model, training = override(toy_model(), toy_training(microbatch=2), values)
    assert (model.layers, model.tied) == (3, False)
    assert (training.learning_rate, training.document_mask) == (2e-3, True)
    assert (training.tokens, training.microbatch, training.schedule) == (1_500_000, None, "wsd")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learnig_rate": "1"}, "did you mean 'learning_rate'"),
        ({"layers": "two"}, "layers takes"),
        ({"layers": "1.5"}, "layers takes"),
        ({"document_mask": "perhaps"}, "document_mask takes"),
        ({"learning_rate": "fast"}, "learning_rate takes"),
        ({"heads": "3"}, "heads"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        override(toy_model(), toy_training(), values)


def test_counts_are_read() -> None:
    texts = ("100m", "1.5b", "20_000", "1e9", "3K")
    assert [parse_count(text) for text in texts] == [10**8, 15 * 10**8, 20_000, 10**9, 3000]
    for text in ("", "m", "1.0001k", "nan", "inf", "1e999", "ten"):
        with pytest.raises(UsageError, match="a count looks like"):
            parse_count(text)


def test_the_hash_tells_settings_apart() -> None:
    first = settings_hash(toy_model(), toy_training())
    assert first == settings_hash(toy_model(), toy_training())
    assert first != settings_hash(toy_model(), toy_training(seed=1))
