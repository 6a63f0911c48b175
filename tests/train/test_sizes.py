from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.train.sizes import SIZES, configuration  # noqa: E402


@pytest.mark.parametrize("size", [name for name in SIZES if name not in ("1m", "3m", "124m")])
def test_names_count_parameters(size: str) -> None:
    model, _ = configuration(size, 32_768, 2048)
    wanted = float(size[:-1]) * {"m": 1e6, "b": 1e9}[size[-1]]
    assert model.parameters == pytest.approx(wanted, rel=0.2)


def test_names_of_other_vocabularies_count_parameters_too() -> None:
    assert configuration("124m", 50_257, 2048)[0].parameters == pytest.approx(124e6, rel=0.02)
    assert configuration("1m", 4000, 512)[0].parameters == pytest.approx(1.3e6, rel=0.1)
    assert configuration("3m", 4000, 512)[0].parameters == pytest.approx(3e6, rel=0.02)


def test_rate_and_batch_are_step_laws() -> None:
    model, training = configuration("350m", 32_768, 2048, tokens=7_000_000_000)
    assert training.learning_rate == pytest.approx(
        1.79 * model.block_parameters**-0.713 * 7e9**0.307, rel=0.01
    )
    assert training.batch * 2048 == pytest.approx(0.58 * 7e9**0.571, rel=0.01)
    assert configuration("1m", 4000, 128)[1].learning_rate <= 0.01


def test_tokens_default_to_twenty_per_parameter() -> None:
    model, training = configuration("1M", 4000, 128)
    assert training.tokens == 20 * model.parameters


def test_unknown_sizes_are_named() -> None:
    with pytest.raises(UsageError, match="only 1m, 3m, 13m"):
        configuration("28m", 32_768, 2048)
    with pytest.raises(UsageError, match="at least one token"):
        configuration("27m", 32_768, 2048, tokens=0)
