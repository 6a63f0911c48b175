from __future__ import annotations

import pickle
from pathlib import Path

import pytest

pytest.importorskip("phonenumbers")
pytest.importorskip("presidio_analyzer")

from corpusforge.pii import error_rates
from corpusforge.pii.error_rates import PLANTED, planted_rates
from corpusforge.pii.planting import LOOK_ALIKES, Plant
from corpusforge.pii.recognizers import ENTITIES
from corpusforge.pii.step import Pii
from corpusforge.recipe import make_step
from corpusforge.sample.draw import Draw

PLAIN = [
    (bytes([number] * 16), ("The harbour was quiet and the boats lay still. " * 40).encode())
    for number in range(5)
]


def step(**parameters: object) -> Pii:
    made = make_step("pii", **parameters)
    assert isinstance(made, Pii)
    return made


@pytest.fixture(scope="module")
def default() -> Pii:
    return step()


def test_plain_prose_hides_nothing(default: Pii) -> None:
    rates = planted_rates(default, PLAIN, 0)
    assert set(rates.recall) == set(ENTITIES)
    for entity, forms in rates.recall.items():
        planted = sum(counts[0] for counts in forms.values())
        found = sum(counts[1] for counts in forms.values())
        assert planted >= PLANTED
        assert found >= 0.9 * planted, (entity, forms)
    assert set(rates.false_alarms) == set(LOOK_ALIKES)
    assert all(counts == (PLANTED, 0, counts[2]) for counts in rates.false_alarms.values())
    assert sum(counts[2] for counts in rates.false_alarms.values()) <= 5


def test_rates_are_a_function_of_texts_seed_and_parameters(default: Pii) -> None:
    again = planted_rates(step(), PLAIN, 0)
    assert planted_rates(default, PLAIN, 0) == again
    fresh = pickle.loads(pickle.dumps(default))
    assert planted_rates(fresh, PLAIN, 0) == again


def test_a_threshold_that_is_too_high_shows(default: Pii) -> None:
    scores = {
        **default.parameters.minimum_scores,
        "EMAIL_ADDRESS": 1.0,
        "MAC_ADDRESS": 0.95,
        "PHONE_NUMBER": 0.85,
    }
    rates = planted_rates(step(minimum_scores=scores), PLAIN, 0)
    assert rates.recall["MAC_ADDRESS"]["bare"][1] == 0
    assert rates.recall["PHONE_NUMBER"]["national"][1] == 0
    assert rates.recall["PHONE_NUMBER"]["international"][1] > 0
    assert rates.recall["EMAIL_ADDRESS"]["bare"][1] == rates.recall["EMAIL_ADDRESS"]["bare"][0]


def test_only_what_is_looked_for_is_planted() -> None:
    rates = planted_rates(step(entities=["IP_ADDRESS"]), PLAIN, 0)
    assert set(rates.recall) == {"IP_ADDRESS"}


def test_odd_texts_and_none(default: Pii) -> None:
    assert planted_rates(default, [], 0) == error_rates.Rates({}, {})
    odd = [
        (b"a" * 16, b""),
        (b"b" * 16, "漢字だけの文章。".encode() * 200),
        (b"c" * 16, b"\xff\xfe \x00 broken"),
    ]
    rates = planted_rates(default, odd, 0)
    assert rates.recall["EMAIL_ADDRESS"]["bare"][1] > 0


def test_a_value_stands_where_the_plant_says() -> None:
    host = ("Wörter über " * 100).encode()
    for seed in range(50):
        text, start, end = error_rates._plant(Draw(seed), host, Plant("SSN ", "680164356", "."))
        text.decode("utf-8")
        assert text[start:end] == b"680164356"
        assert text[start - 5 : start] == b" SSN "
        assert text[end : end + 2] == b". "
        assert len(text) <= 2 * error_rates.AROUND + 20


def test_passwords_in_web_addresses_are_no_mail(default: Pii) -> None:
    """Found by planting: a password and a host look like a mail address."""
    rates = planted_rates(default, PLAIN, 3)
    assert rates.recall["URL_CREDENTIALS"]["in an address"] == (PLANTED, PLANTED, 0)


def test_names_are_planted_where_a_model_reads(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    pipeline = spacy.blank("en")
    patterns = [
        {"label": "PERSON", "pattern": [{"TEXT": "is"}, {"IS_TITLE": True}, {"IS_TITLE": True}]},
        {"label": "GPE", "pattern": [{"TEXT": "in"}, {"IS_TITLE": True}]},
    ]
    pipeline.add_pipe("entity_ruler").add_patterns(patterns)
    pipeline.to_disk(tmp_path / "rules")
    made = step(entities=["MAC_ADDRESS"], language_model=str(tmp_path / "rules"))
    rates = planted_rates(made, PLAIN, 0)
    assert set(rates.recall) == {"MAC_ADDRESS", "PERSON", "LOCATION"}
    assert rates.recall["PERSON"]["in a sentence"][:2] == (PLANTED // 2, PLANTED // 2)
    assert rates.recall["PERSON"]["signed"][1] == 0
    assert rates.recall["LOCATION"]["city"][1] == PLANTED // 2
    assert set(planted_rates(made, PLAIN, 0, []).recall) == {"MAC_ADDRESS"}
