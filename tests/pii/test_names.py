from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("presidio_analyzer")
pytest.importorskip("spacy")

import spacy

from corpusforge.errors import MissingModelError, UsageError
from corpusforge.pii.detect import Finding
from corpusforge.pii.names import (
    WINDOW_BYTES,
    WORD_BYTES,
    LanguageModel,
    around,
    installed_model,
    model_fingerprint,
    pieces,
)
from corpusforge.pii.step import Pii, PiiParameters
from corpusforge.rulesets import thresholds
from corpusforge.step import LiveRows, Measured, RunContext
from corpusforge.texts import Texts

PATTERNS = [
    {"label": "PERSON", "pattern": "Ada Lovelace"},
    {"label": "PER", "pattern": "Blaise Pascal"},
    {"label": "PERSON", "pattern": "Jürgen Müller"},
    {"label": "GPE", "pattern": "Zürich"},
    {"label": "FAC", "pattern": "12 High Street"},
    {"label": "ORG", "pattern": "Royal Society"},
    {"label": "PERSON", "pattern": [{"TEXT": "Grace"}, {"TEXT": "ann@example.com"}, {"TEXT": "Hopper"}]},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real pipeline on disk: spaCy's rules for entities in place of a trained model."""
    pipeline = spacy.blank("en")
    pipeline.add_pipe("entity_ruler").add_patterns(PATTERNS)
    place = tmp_path_factory.mktemp("spacy") / "rules"
    pipeline.to_disk(place)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> LanguageModel:
    return LanguageModel(str(folder), ["PERSON", "LOCATION"])


def step(folder: Path, **changed: Any) -> Pii:
    made = Pii(
        PiiParameters(**{**thresholds("pii@default", "pii"), "language_model": str(folder), **changed})
    )
    made.check()
    made.open(RunContext())
    return made


def measured(made: Pii, texts: list[str], languages: list[str | None] | None = None) -> Measured:
    columns = {
        "locator": pa.array([f"file:{number}" for number in range(len(texts))]),
        "lang": pa.array(languages or [None] * len(texts), pa.string()),
    }
    return made.measure(LiveRows(Texts.from_strings(texts), columns))


def redacted(made: Pii, text: str) -> str:
    edits = measured(made, [text]).edits
    assert edits is not None
    data = text.encode()
    for start, end, new in sorted(
        zip(edits.starts.tolist(), edits.ends.tolist(), edits.replacements), reverse=True
    ):
        data = data[:start] + new.encode() + data[end:]
    return data.decode()


def found(model: LanguageModel, data: bytes) -> list[tuple[str, bytes]]:
    return [(one.entity, data[one.start : one.end]) for one in model.find(data)]


def test_names_and_places_in_bytes(model: LanguageModel) -> None:
    text = "In Zürich, 世界, Jürgen Müller and Blaise Pascal of the Royal Society met at 12 High Street."
    assert found(model, text.encode()) == [
        ("LOCATION", "Zürich".encode()),
        ("PERSON", "Jürgen Müller".encode()),
        ("PERSON", b"Blaise Pascal"),
        ("LOCATION", b"12 High Street"),
    ]
    assert found(model, b"") == []
    assert found(model, b"\xff\xfe Ada Lovelace \xff Z\xc3") == [("PERSON", b"Ada Lovelace")]


def test_long_texts_are_read_in_windows_that_cut_no_name(model: LanguageModel) -> None:
    sentence = "There stood Ada Lovelace, far from Zürich and so on. "
    data = (sentence * (5 * WINDOW_BYTES // len(sentence))).encode()
    count = len(data) // len(sentence.encode())
    heard: list[int] = []
    findings = model.find(data, lambda: heard.append(1))
    assert len(heard) == len(list(pieces(data))) > 4
    assert [data[one.start : one.end] for one in findings] == [b"Ada Lovelace", "Zürich".encode()] * count


ALPHABET = st.sampled_from(["a", "é", "漢", "。", " ", "\n", ". ", "\n\n", "x" * 40, "\t"])


@given(st.lists(ALPHABET, max_size=200).map("".join), st.integers(4, 64))
def test_windows_cover_a_text(text: str, longest: int) -> None:
    data = text.encode()
    parts = list(pieces(data, longest))
    assert b"".join(data[start:end] for start, end in parts) == data
    assert all(0 < end - start <= longest for start, end in parts)
    for start, end in parts:
        data[start:end].decode()


def test_long_words_are_cut() -> None:
    data = b"one two " + b"(" * 5000 + b" three"
    assert max(end - start for start, end in pieces(data)) <= WORD_BYTES
    assert max(end - start for start, end in pieces("漢".encode() * 5000)) <= WORD_BYTES


def test_windows_end_where_texts_do() -> None:
    data = b"word " * 9 + b"end.\n\n" + b"word " * 9
    assert next(data[start:end][-6:] for start, end in pieces(data, 60)) == b"end.\n\n"
    data = b"word " * 9 + b"end. " + b"word " * 9
    assert next(data[start:end][-5:] for start, end in pieces(data, 60)) == b"end. "


def name(start: int, end: int, entity: str = "PERSON") -> Finding:
    return Finding(start, end, entity, 850_000)


def test_checked_findings_stay_whole() -> None:
    data = b"Grace ann@example.com Hopper, 555 , x"
    mail = name(6, 21, "EMAIL_ADDRESS")
    assert around(data, [name(0, 28)], [mail]) == [name(0, 5), mail, name(22, 28)]
    assert around(data, [name(6, 21)], [mail]) == [mail]
    assert around(data, [name(8, 30)], [mail, name(30, 33, "PHONE_NUMBER")])[1] == name(22, 28)
    assert around(data, [name(22, 28)], [mail]) == [mail, name(22, 28)]
    assert around(data, [name(30, 35)], [name(30, 33, "PHONE_NUMBER")]) == [name(30, 33, "PHONE_NUMBER")]


def test_the_step_replaces_names(folder: Path) -> None:
    made = step(folder, actions={"LOCATION": "keep"})
    text = "Ada Lovelace (ada@example.com) of Zürich; Grace ann@example.com Hopper"
    assert redacted(made, text) == ("<PERSON> (<EMAIL_ADDRESS>) of Zürich; <PERSON> <EMAIL_ADDRESS> <PERSON>")
    signals = measured(made, [text, "nothing"]).signals
    counts = {
        name: pa.array(signals[name]).to_pylist() for name in ("count_person", "count_location", "found")
    }
    assert counts == {"count_person": [3, 0], "count_location": [1, 0], "found": [6, 0]}


def test_one_name_has_one_pseudonym(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PII_TEST_KEY", "a key of the test, long enough")
    made = step(folder, actions={"PERSON": "pseudonym"}, pseudonym_key="env:PII_TEST_KEY")
    first, second = redacted(made, "Ada Lovelace and Ada Lovelace").split(" and ")
    assert first == second
    assert first.startswith("<PERSON_")
    assert set(made.fingerprint()) == {"pseudonym_key", "language_model"}


def test_results_do_not_depend_on_batches(folder: Path) -> None:
    made = step(folder)
    texts = ["Ada Lovelace " * 3, "none", "from Zürich to Zürich", "Blaise Pascal at 12 High Street"]
    whole = measured(made, texts).edits
    assert whole is not None
    alone = [edits for text in texts if (edits := measured(made, [text]).edits) is not None]
    assert [int(start) for edits in alone for start in edits.starts] == whole.starts.tolist()
    copy = pickle.loads(pickle.dumps(made))
    copy.open(RunContext())
    assert redacted(copy, texts[0]) == redacted(made, texts[0])


def test_only_languages_asked_for_are_read(folder: Path) -> None:
    made = step(folder, model_languages=["en"])
    result = measured(made, ["Ada Lovelace", "Ada Lovelace", "Ada Lovelace"], ["en", "de", None])
    assert pa.array(result.signals["count_person"]).to_pylist() == [1, None, None]
    assert pa.array(result.signals["found"]).to_pylist() == [1, 0, 0]


def test_a_document_that_is_too_long_fails_alone(folder: Path) -> None:
    made = step(folder, max_model_bytes=20)
    result = measured(made, ["Ada Lovelace " * 3, "Ada Lovelace"])
    assert list(result.failures) == [0]
    assert result.failures[0] == "too_long_for_model: 39 bytes, more than max_model_bytes of pii"
    assert pa.array(result.signals["count_person"]).to_pylist() == [None, 1]


def test_without_a_model_there_is_no_column() -> None:
    made = Pii(PiiParameters(**thresholds("pii@default", "pii")))
    assert not {"count_person", "count_location"} & {signal.name for signal in made.signals}
    assert not {"max_person", "max_location"} & {rule.name for rule in made.rules}
    assert made.fingerprint() == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_person": 3},
        {"actions": {"PERSON": "remove"}},
        {"language_model": "no_such_package"},
        {"language_model": "no/such/folder"},
        {"model_entities": ["ORGANIZATION"]},
        {"entities": ["PERSON"]},
    ],
)
def test_wrong_parameters_are_usage_errors(wrong: dict[str, Any]) -> None:
    made = Pii(PiiParameters(**{**thresholds("pii@default", "pii"), **wrong}))
    with pytest.raises(UsageError):
        made.check()


def test_actions_of_types_that_the_model_is_not_asked_for(folder: Path) -> None:
    with pytest.raises(UsageError, match="LOCATION, which it does not look for"):
        step(folder, model_entities=["PERSON"], actions={"LOCATION": "keep"})
    made = step(folder, model_entities=["PERSON"])
    result = measured(made, ["Ada Lovelace in Zürich"])
    assert pa.array(result.signals["count_location"]).to_pylist() == [None]
    assert pa.array(result.signals["found"]).to_pylist() == [1]


def test_the_fingerprint_is_of_all_files(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    before = model_fingerprint(str(folder))
    assert before.startswith(f"spacy {spacy.__version__}, sha256 ")
    assert model_fingerprint(str(copy)) == before
    meta = json.loads((copy / "meta.json").read_text())
    (copy / "meta.json").write_text(json.dumps(meta | {"version": "9.9"}))
    assert model_fingerprint(str(copy)) != before


def test_an_installed_package_is_found_by_its_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `spacy package` lays it out."""
    package = tmp_path / "xx_cf_rules"
    shutil.copytree(folder, package / "xx_cf_rules-1.2.3")
    shutil.copy(folder / "meta.json", package / "meta.json")
    (package / "__init__.py").write_text(
        "from spacy.util import load_model_from_init_py\n"
        "def load(**options):\n"
        "    return load_model_from_init_py(__file__, **options)\n"
    )
    meta = json.loads((package / "meta.json").read_text()) | {
        "lang": "xx",
        "name": "cf_rules",
        "version": "1.2.3",
    }
    (package / "meta.json").write_text(json.dumps(meta))
    information = tmp_path / "xx_cf_rules-1.2.3.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: xx-cf-rules\nVersion: 1.2.3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert installed_model("xx_cf_rules") == "xx_cf_rules"
    assert model_fingerprint("xx_cf_rules") == f"spacy {spacy.__version__}, xx_cf_rules 1.2.3"
    assert found(LanguageModel("xx_cf_rules", ["PERSON"]), b"by Ada Lovelace") == [
        ("PERSON", b"Ada Lovelace")
    ]


def test_a_damaged_pipeline_is_a_clear_error(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "config.cfg").write_text("[nlp]\nlang = ")
    with pytest.raises(MissingModelError, match="cannot load"):
        LanguageModel(str(copy), ["PERSON"])
