from __future__ import annotations

import uuid
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.submit.output import DriverOutput


def write(prefix: Path, number: int, data: bytes) -> None:
    with prefix.with_name(f"{prefix.name}.{number:09d}").open("ab") as file:
        file.write(data)


@settings(max_examples=30, deadline=None)
@given(text=st.text(max_size=40), cuts=st.lists(st.tuples(st.integers(0, 160), st.booleans(), st.booleans())))
def test_every_character_is_read_once_however_the_objects_grow(
    tmp_path_factory, text: str, cuts: list[tuple[int, bool, bool]]
) -> None:
    """Cuts: (byte, whether a new object starts there, whether somebody reads there)."""
    prefix = tmp_path_factory.mktemp("output") / uuid.uuid4().hex
    output = DriverOutput(f"file://{prefix}")
    data = text.encode("utf-8")
    position = number = 0
    found = output.read()
    for cut, starts, reads in sorted(cuts):
        write(prefix, number, data[position:cut])
        position = max(position, min(cut, len(data)))
        number += starts
        found += output.read() if reads else ""
    write(prefix, number, data[position:])
    assert found + output.read() == text
    assert output.read() == ""


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    assert DriverOutput(f"file://{tmp_path}/none").read() == ""


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    write(tmp_path / "o", 0, b"a\xff\xfeb")
    assert DriverOutput(f"file://{tmp_path}/o").read() == "a\ufffd\ufffdb"
