from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.errors import UsageError
from corpusforge.pii.actions import Replacer, canonical, key_fingerprint, read_key

KEY = b"0123456789abcdef"


def test_actions_by_type() -> None:
    replacer = Replacer({"US_SSN": "remove", "CRYPTO": "keep", "EMAIL_ADDRESS": "pseudonym"}, "<{type}>", KEY)
    assert replacer.replacement("PHONE_NUMBER", "1") == "<PHONE_NUMBER>"
    assert replacer.replacement("US_SSN", "1") == ""
    assert replacer.replacement("CRYPTO", "1") is None
    pseudonym = replacer.replacement("EMAIL_ADDRESS", "ann@example.com")
    assert pseudonym is not None
    assert pseudonym.startswith("<EMAIL_ADDRESS_")
    assert len(pseudonym) == len("<EMAIL_ADDRESS_>") + 16


@given(st.text(), st.text())
def test_pseudonyms_are_one_to_one_with_values(one: str, other: str) -> None:
    replacer = Replacer({"SECRET": "pseudonym"}, "<{type}>", KEY)
    same = replacer.replacement("SECRET", one) == replacer.replacement("SECRET", other)
    assert same == (one == other)


def test_pseudonyms_depend_on_key_and_type() -> None:
    actions = {"US_SSN": "pseudonym", "CREDIT_CARD": "pseudonym"}
    first = Replacer(actions, "{type}", KEY)  # type: ignore[arg-type]
    second = Replacer(actions, "{type}", KEY + b"!")  # type: ignore[arg-type]
    values = {one.replacement(entity, "4") for one in (first, second) for entity in actions}
    assert len({value.rpartition("_")[2] for value in values if value}) == 4


@pytest.mark.parametrize(
    ("entity", "one", "other"),
    [
        ("EMAIL_ADDRESS", "Ann@Example.com", "ann@example.com"),
        ("PHONE_NUMBER", "+46 (0)157 548 89", "+46-157 54889 x12"),
        ("CREDIT_CARD", "4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("IBAN_CODE", "gb82west12345698765432", "GB82 WEST 1234 5698 7654 32"),
        ("MAC_ADDRESS", "00-10-DC-27-6C-15", "00:10:dc:27:6c:15"),
    ],
)
def test_spellings_of_one_value(entity: str, one: str, other: str) -> None:
    assert canonical(entity, one) == canonical(entity, other)


def test_keys_from_files_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(KEY + b"\n")
    assert read_key(f"file:{tmp_path / 'key'}") == KEY
    monkeypatch.setenv("PII_TEST_KEY", KEY.decode())
    assert read_key("env:PII_TEST_KEY") == KEY
    assert key_fingerprint(KEY) != key_fingerprint(KEY + b"!")
    assert KEY.decode() not in key_fingerprint(KEY)


def test_wrong_keys_are_errors_that_do_not_show_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "short").write_bytes(b"hush")
    for reference in (
        f"file:{tmp_path / 'short'}",
        f"file:{tmp_path / 'none'}",
        "env:NO_SUCH_KEY_HERE",
        "hushhush",
    ):
        with pytest.raises(UsageError) as caught:
            read_key(reference)
        assert "hush" not in str(caught.value)
