from __future__ import annotations

import pytest

from corpusforge.sample.draw import Draw
from corpusforge.sample.pages import SCHEDULE, page, scrambled, similarity, word_five_grams

BLOCKS = range(3)


def pages_of(kind: str) -> list[int]:
    places = [place for place, name in enumerate(SCHEDULE) if name == kind]
    return [block * len(SCHEDULE) + place for block in BLOCKS for place in places]


def test_the_schedule_has_forty_places_and_makes_what_it_says() -> None:
    assert len(SCHEDULE) == 40
    assert sum(name == "good:en" for name in SCHEDULE) >= 9
    for number in range(len(SCHEDULE)):
        made = page(3, number)
        name = SCHEDULE[number].partition(":")[0]
        assert made.kind == ("near_duplicate_chain" if name == "chain" else name)
        assert made.number == number


def test_pages_depend_on_seed_and_number_only() -> None:
    later = page(0, 41)
    assert page(0, 41) == later
    assert page(1, 41).body != later.body


@pytest.mark.parametrize("number", pages_of("exact_duplicate"))
def test_exact_duplicates_have_the_bytes_of_their_original(number: int) -> None:
    made = page(0, number)
    assert made.of is not None
    original = page(0, made.of)
    assert original.kind == "good"
    assert made.body == original.body
    assert made.url != original.url


@pytest.mark.parametrize("number", pages_of("near_duplicate"))
def test_near_duplicates_are_near(number: int) -> None:
    made = page(0, number)
    assert made.of is not None
    assert 0.5 < similarity(0, made, made.of) < 0.97


@pytest.mark.parametrize("number", pages_of("chain:2"))
def test_chains_connect_pages_that_are_not_alike(number: int) -> None:
    last, middle = page(0, number), page(0, number - 1)
    assert last.of == middle.number
    assert middle.of is not None
    assert similarity(0, last, middle.number) >= 0.8
    assert similarity(0, middle, middle.of) >= 0.8
    assert similarity(0, last, middle.of) < 0.8


def test_good_pages_are_strangers() -> None:
    grams = [word_five_grams(page(0, number).text) for number in pages_of("good:en")]
    for place, one in enumerate(grams):
        for other in grams[:place]:
            assert len(one & other) / len(one | other) < 0.05


@pytest.mark.parametrize("number", pages_of("pii"))
def test_planted_values_stand_in_text_and_markup(number: int) -> None:
    made = page(0, number)
    assert made.personal
    for value in made.personal:
        assert value.value in made.text
        assert value.value in made.body.decode("utf-8")


def test_charsets_decode_to_the_same_text() -> None:
    codecs = {"windows-1252": "cp1252", "utf-16": "utf-16", "iso-8859-1": "latin-1", "Shift_JIS": "shift_jis"}
    seen = set()
    for number in [block * 40 + place for block in range(5) for place in (21, 37)]:
        made = page(0, number)
        assert made.kind == "charset"
        body = made.body.decode(codecs.get(made.charset or "", "utf-8"), "replace")
        seen.add(made.charset)
        if made.charset is not None:
            assert made.text.splitlines()[-1][:40] in body
    assert {"windows-1252", "utf-16", "Shift_JIS", None} <= seen


def test_garbled_text_has_each_sentence_with_its_words_in_another_order() -> None:
    text = "The old bridge stands near the river. Nobody in the village remembers who built it!"
    garbled = scrambled(text, Draw(1, "test"))
    before, after = text.lower().rstrip("!").split(". "), garbled.lower().rstrip(".").split(". ")
    assert len(before) == len(after)
    for sentence, other in zip(before, after):
        assert sorted(sentence.split()) == sorted(other.split())
        assert sentence != other
