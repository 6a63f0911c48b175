from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from corpusforge.train.speed import WARM_STEPS, Speed, measure_peak  # noqa: E402


def test_rates_leave_out_the_first_steps() -> None:
    speed = Speed(flops_per_token=100, processes=2, measured_peak=1e6, listed_peak=4e6)
    for _ in range(WARM_STEPS):
        speed.add(seconds=50.0, tokens=10, waited=40.0)
        assert speed.describe() == dict.fromkeys(("tokens_per_second", "mfu", "mfu_measured", "waiting"))
        assert speed.left(10) is None
    for _ in range(4):
        speed.add(seconds=0.5, tokens=5000, waited=0.05)
    assert speed.seconds == pytest.approx(50.0 * WARM_STEPS + 2.0)
    # 10,000 tokens/s x 100 FLOPs are 1e6 FLOP/s, on two processes.
    assert speed.describe() == {
        "tokens_per_second": 10_000.0,
        "mfu": pytest.approx(0.125),
        "mfu_measured": pytest.approx(0.5),
        "waiting": pytest.approx(0.1),
    }
    assert speed.left(10) == pytest.approx(5.0)


def test_no_share_without_a_peak() -> None:
    speed = Speed(100, 1, None, None)
    for _ in range(5):
        speed.add(0.5, 10, 0.0)
    assert speed.describe()["mfu"] is None
    assert speed.describe()["tokens_per_second"] == 20.0


def test_the_peak_of_a_matrix_product_is_a_rate() -> None:
    assert 1e8 < measure_peak(torch.device("cpu"), torch.float32) < 1e14
