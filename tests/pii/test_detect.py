from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.pii.detect import Detector, Finding, resolve
from corpusforge.texts import Texts

FINDINGS = st.builds(
    lambda start, length, entity, score: Finding(start, start + length, entity, score),
    st.integers(0, 40),
    st.integers(1, 12),
    st.sampled_from(["CREDIT_CARD", "PHONE_NUMBER", "US_SSN"]),
    st.sampled_from([400_000, 500_000, 1_000_000]),
)


def slow_resolve(findings: list[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for one in sorted(
        set(findings), key=lambda one: (-one.score, one.start - one.end, one.start, one.entity)
    ):
        if not any(one.start < other.end and other.start < one.end for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


@given(st.lists(FINDINGS, max_size=25), st.randoms())
def test_resolving_keeps_the_surest_and_does_not_depend_on_order(findings: list[Finding], shuffler) -> None:  # type: ignore[no-untyped-def]
    expected = slow_resolve(findings)
    shuffled = list(findings)
    shuffler.shuffle(shuffled)
    assert resolve(shuffled) == expected


def find_at_signs(text: str) -> list[tuple[int, int, float]]:
    return [(place, place + 1, 1.0) for place, character in enumerate(text) if character == "@"]


def test_positions_are_bytes_of_the_text() -> None:
    text = "é世 " * 50 + "übung@beispiel und a@b"
    detector = Detector({"EMAIL_ADDRESS": find_at_signs}, {"EMAIL_ADDRESS": 0.5}, True, 1000)
    [findings], excessive = detector.detect(Texts.from_strings([text]), lambda row: None)
    data = text.encode("utf-8")
    assert [data[one.start : one.end] for one in findings] == [b"@", b"@"]
    assert not excessive


def test_low_scores_are_left_out() -> None:
    detector = Detector({"EMAIL_ADDRESS": lambda text: [(0, 1, 0.49)]}, {"EMAIL_ADDRESS": 0.5}, True, 1000)
    found, _ = detector.detect(Texts.from_strings(["a@b"]), lambda row: None)
    assert found == [[]]


def test_texts_with_too_many_candidates_are_named_and_not_looked_at() -> None:
    looked = []

    def look(text: str) -> list[tuple[int, int, float]]:
        looked.append(text)
        return []

    detector = Detector({"EMAIL_ADDRESS": look}, {"EMAIL_ADDRESS": 0.5}, True, 500)
    begun: list[int] = []
    found, excessive = detector.detect(Texts.from_strings(["a@b " * 200, "a@b", "none"]), begun.append)
    assert found == [[], [], []]
    assert list(excessive) == [0]
    assert excessive[0] == 800
    assert looked == ["a@b"]
    assert begun == [1]
