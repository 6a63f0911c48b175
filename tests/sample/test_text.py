from __future__ import annotations

import re
from pathlib import Path

import pytest

from corpusforge.sample.draw import Deck, Draw
from corpusforge.sample.pages import LANGUAGES
from corpusforge.sample.text import Writer, plain_text


def test_draw_is_split_mix_64() -> None:
    draw = Draw("reference")
    draw._state = 1234567
    # First outputs for this start in the reference implementation of the paper.
    assert [draw.bits() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_draws_of_equal_labels_are_equal_and_others_differ() -> None:
    assert [Draw(1, "page", 7).below(1000) for _ in range(2)] == [Draw(1, "page", 7).below(1000)] * 2
    first = [Draw(1, "page", number).bits() for number in range(100)]
    assert len(set(first)) == 100
    assert Draw(1, "page", 7).bits() != Draw(17, "page", "").bits()


def test_deck_deals_everything_before_it_repeats() -> None:
    deck = Deck(Draw(0), [str(number) for number in range(20)])
    assert sorted(deck.deal() for _ in range(20)) == sorted(str(number) for number in range(20))


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_every_pattern_of_a_language_can_be_filled(code: str) -> None:
    language = LANGUAGES[code]
    writer = Writer(language, Draw(0, code))
    sentences = [writer.sentence() for _ in range(3 * len(language.patterns))]
    headings = [writer.heading() for _ in range(3 * len(language.headings))]
    for line in sentences + headings:
        assert "{" not in line
        assert "|" not in line
        assert not re.search(r"\b[mfn]:\w", line)
        assert line[0] in '«„¿"' or line[0].isupper()
    assert all(line[-1] in '.?!"»“' for line in sentences)
    assert len(set(sentences)) == len(sentences)


def test_plain_text_has_the_size_and_repeats_few_lines() -> None:
    text = plain_text(LANGUAGES["en"], Draw(5), 50_000)
    lines = text.splitlines()
    assert 50_000 <= len(text) < 52_000
    assert len(set(lines)) == len(lines)
    assert len(set(text.split())) > 500


def test_languages_are_identified(shared_data: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    model = fasttext.load_model(str(shared_data / "models" / "lid.176.ftz"))
    for code, language in LANGUAGES.items():
        for number in range(5):
            text = " ".join(Writer(language, Draw(number, code)).paragraphs(6))
            labels, scores = model.predict(text)
            assert labels[0] == f"__label__{code}"
            assert scores[0] >= 0.65
