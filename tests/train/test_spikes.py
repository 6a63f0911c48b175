from __future__ import annotations

import math

import pytest

from corpusforge.train.spikes import SkippedBatches, SpikeDetector


def quiet(steps: int, **changes: object) -> SpikeDetector:
    """A detector that has seen losses around 3 and norms around 1."""
    detector = SpikeDetector(**{"sigma": 6.0, "window": 16, "patience": 4, **changes})  # type: ignore[arg-type]
    for step in range(steps):
        assert detector.take(step, 3.0 + 0.01 * (step % 5), 1.0 + 0.01 * (step % 7))
    return detector


@pytest.mark.parametrize(
    ("loss", "norm", "taken"),
    [
        (3.02, 1.03, True),
        (3.0, 9.0, False),
        (4.0, 1.0, False),
        (0.1, 0.001, True),
        (math.nan, 1.0, False),
        (3.0, math.inf, False),
    ],
)
def test_outliers_upwards_are_not_taken(loss: float, norm: float, taken: bool) -> None:
    assert quiet(20).take(20, loss, norm) is taken


def test_the_bound_is_mean_and_six_deviations() -> None:
    past = quiet(16).losses
    mean = sum(past) / 16
    deviation = math.sqrt(sum((one - mean) ** 2 for one in past) / 15)
    assert quiet(16).take(16, mean + 5.99 * deviation, 1.0)
    assert not quiet(16).take(16, mean + 6.01 * deviation, 1.0)


def test_nothing_is_an_outlier_before_half_a_window_and_without_sigma() -> None:
    assert quiet(7).take(7, 100.0, 100.0)
    assert not quiet(8).take(8, 100.0, 100.0)
    assert quiet(20, sigma=0.0).take(20, 100.0, 100.0)
    assert not quiet(20, sigma=0.0).take(20, math.nan, 1.0)


def test_a_refused_step_does_not_widen_the_window() -> None:
    detector = quiet(20)
    for step in range(20, 30):
        assert not detector.take(step, 50.0, 1.0)
    assert max(detector.losses) < 4


def test_four_of_the_last_eight_are_lasting() -> None:
    detector = quiet(20)
    for step in range(20, 34):
        high = step in (20, 26, 29, 30, 32)
        assert detector.take(step, 50.0 if high else 3.0, 1.0) is not high
        if high:
            assert detector.lasting is (step == 32)
    assert detector.refused == [26, 29, 30, 32]


def test_state_goes_and_comes_back() -> None:
    detector = quiet(20)
    state = detector.state()
    detector.take(20, 50.0, 1.0)
    other = SpikeDetector(6.0, 16, 4)
    other.restore(state)
    assert other == quiet(20)
    assert state["refused"] == []


def test_left_out_batches_move_what_follows() -> None:
    gaps = SkippedBatches()
    assert [gaps.batch(step) for step in range(4)] == [0, 1, 2, 3]
    assert gaps.leave_out(2, 5, 4) == range(2, 7)
    assert [gaps.batch(step) for step in range(4)] == [0, 1, 7, 8]
    assert gaps.leave_out(2, 3, 20) == range(7, 21)
    assert [gaps.batch(step) for step in range(4)] == [0, 1, 21, 22]


def test_going_back_behind_a_gap_takes_none_of_the_batches_seen() -> None:
    gaps = SkippedBatches()
    gaps.leave_out(6, 4, 8)
    assert [gaps.batch(step) for step in (5, 6, 7)] == [5, 10, 11]
    assert gaps.leave_out(3, 4, gaps.batch(7)) == range(3, 12)
    assert [gaps.batch(step) for step in (2, 3, 6)] == [2, 12, 15]
