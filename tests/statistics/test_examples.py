from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.statistics import examples
from corpusforge.statistics.examples import (
    EXCERPT_CHARACTERS,
    Sample,
    excerpt,
    least,
    mask_pii,
    ranks_of,
    shown_url,
    visible,
)


@pytest.mark.parametrize(
    "secret",
    [
        "jane.doe@example.org",
        "jürgen@bücher.example",
        "jane%40example.org",
        "+49 (30) 123 456-789",
        "555-123-4567",
        "4111 1111 1111 1111",
        "078-05-1120",
        "DE89 3704 0044 0532 0130 00",
        "192.168.10.25",
        "8.8.8.8",
        "2001:db8:85a3:8d3:1319:8a2e:370:7348",
        "2001:db8::1",
        "0800–123–456",
        "info＠example.org",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "00-1B-63-84-45-E6",
        "AB123456C",
        "AB 12 34 56 C",
        "ABCPE1234F",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_personal_is_masked(secret: str) -> None:
    for text in (secret, f"Reach me at {secret}.", f"<{secret}>", f"a,{secret},b"):
        assert secret not in mask_pii(text)
        assert "[" in mask_pii(text)


@given(st.text(st.sampled_from("0123456789.:-(af@%4 x/\u00a0\u0663\n"), max_size=60))
def test_looking_first_for_what_may_be_personal_changes_nothing(text: str) -> None:
    masked = examples._MAIL.sub("[e-mail]", examples.mask_secrets(text))
    masked = examples._ACCOUNT.sub("[account]", examples._ADDRESS.sub("[address]", masked))
    masked = examples._DIGITS.sub(lambda found: found["date"] or "[number]", masked)
    assert examples.mask_pii(text) == masked


@given(st.text(st.sampled_from("AKIAB01234567ab -._"), max_size=60))
def test_looking_first_for_what_may_be_secret_changes_nothing(text: str) -> None:
    masked = examples._IDENTIFIER.sub("[identifier]", examples._SECRET.sub("[secret]", text))
    assert examples.mask_secrets(text) == masked


def test_passwords_are_masked_where_they_are_named() -> None:
    assert mask_pii('password = "hunter2", user') == "password = [secret], user"
    assert mask_pii("see https://ann:hunter2@host.org/x") == "see https://[secret]@host.org/x"
    assert mask_pii("API_KEY: q9-x7") == "API_KEY: [secret]"
    assert "MIIE" not in mask_pii("-----BEGIN PRIVATE KEY-----\nMIIEow and no end")


def test_dates_years_and_versions_stay() -> None:
    text = "On 2024-05-12, or 12/05/2024, release 3.11.9 of 1999 had 123,456 lines; std::vector too."
    assert mask_pii(text) == text


def test_an_address_that_the_cut_would_halve_is_left_out() -> None:
    text = "word " * 159 + "x" + " jane.doe@example.org and more"
    for padding in range(12):
        assert "jane" not in excerpt(("y" * padding + " " + text).encode())


@given(st.text(max_size=1500))
def test_excerpts_are_short_and_printable(text: str) -> None:
    shown = excerpt(text.encode("utf-8", "surrogatepass"))
    assert len(shown) <= EXCERPT_CHARACTERS
    assert visible(shown) == shown
    assert not any(ord(character) < 32 and character != "\n" for character in shown)


def test_short_texts_stay_whole_and_long_ones_say_that_they_go_on() -> None:
    assert excerpt(b" one two three \n") == "one two three"
    assert excerpt(b"one \t  two\r\n\r\n \n three") == "one two\nthree"
    assert excerpt(b"one " * 500).endswith("…")
    assert excerpt(b"\xff\xfe broken") == "\ufffd\ufffd broken"


def test_direction_controls_become_visible_and_joiners_stay() -> None:
    assert visible("a\u202eb\u2066c\x1b[0m") == "a\ufffdb\ufffdc\ufffd[0m"
    assert visible("می\u200cخواهم\n👩\u200d🔬") == "می\u200cخواهم\n👩\u200d🔬"


def test_urls_are_masked_and_cut() -> None:
    assert shown_url(None) is None
    assert "jane" not in str(shown_url("https://example.org/?mail=jane.doe@example.org"))
    assert len(str(shown_url("https://example.org/" + "a" * 9_000))) == 300


IDENTIFIERS = st.lists(st.integers(0, 2**64 - 1), max_size=60)


def sampled(identifiers: list[int], batches: int) -> list[dict[str, object]]:
    sample = Sample(3)
    for part in np.array_split(np.array(identifiers, np.uint64), batches):
        found = sample.candidates([ranks_of(part, "salt")])
        sample.add({"rank": rank, "id": int(part[position])} for position, rank in found)
    return sample.examples


@given(IDENTIFIERS, st.integers(1, 9))
def test_a_sample_does_not_depend_on_batches(identifiers: list[int], batches: int) -> None:
    assert sampled(identifiers, batches) == sampled(identifiers, 1)


@given(IDENTIFIERS, st.integers(0, 60))
def test_samples_of_shards_merge_to_the_sample_of_the_whole(identifiers: list[int], cut: int) -> None:
    left, right = sampled(identifiers[:cut], 1), sampled(identifiers[cut:], 1)
    assert least([*left, *right], 3) == least([*right, *left], 3) == least(sampled(identifiers, 1), 3)


def test_the_salt_changes_the_order() -> None:
    identifiers = np.arange(100, dtype=np.uint64)
    assert not np.array_equal(np.argsort(ranks_of(identifiers, "a")), np.argsort(ranks_of(identifiers, "b")))
    assert ranks_of(identifiers, "a")[:2].tolist() == ranks_of(identifiers[:2], "a").tolist()
