from __future__ import annotations

import numpy as np
import pyarrow as pa

from corpusforge.extract.plain import plain_texts
from corpusforge.extract.step import Extract
from corpusforge.step import LiveRows, RunContext
from corpusforge.texts import Texts

PAYLOADS = [
    (b"plain \r\ntext ", "text/plain", "utf-8"),
    (b"<p>of a page</p>", "text/html", None),
    ("déjà vu".encode("latin-1"), "text/plain", "iso-8859-1"),
    ("déjà vu".encode(), "text/plain", "iso-8859-1"),
    (b"  x = 1 \n", "text/x-source", None),
    ("漢字".encode("gb18030"), "text/plain", "gbk"),
    (b"\xef\xbb\xbfmarked", "text/plain", None),
    ("äöü replaced \ufffd".encode(), "text/plain", None),
    (b"x" * 101, "text/plain", None),
    (None, "text/plain", None),
    (b"\0n\0u\0l", "text/plain", None),
]


def rows_of(payloads: list[tuple[bytes | None, str, str | None]]) -> LiveRows:
    count = len(payloads)
    columns = {
        "payload": pa.array([item[0] for item in payloads], pa.large_binary()),
        "content_type": pa.array([item[1] for item in payloads], pa.string()),
        "charset": pa.array([item[2] for item in payloads], pa.string()),
        "locator": pa.array([f"file#{number}" for number in range(count)], pa.string()),
        "url": pa.nulls(count, pa.string()),
    }
    return LiveRows(Texts(np.zeros(0, np.uint8), np.zeros(count + 1, np.int64)), columns)


def extractor(**parameters: object) -> Extract:
    step = Extract(Extract.Parameters(**parameters))
    step.open(RunContext())
    return step


def test_takes_plain_text_in_utf8_only() -> None:
    plain = plain_texts(rows_of(PAYLOADS), frozenset({"text/html", "text/x-source"}), 100)
    assert plain.rows.tolist() == [0, 3, 9]
    assert plain.texts.to_pylist() == ["plain\ntext", "déjà vu", ""]
    assert plain.payload_bytes.tolist() == [13, 9, 0]
    assert plain.characters.tolist() == [10, 7, 0]


def test_nothing_plain_is_nothing() -> None:
    plain = plain_texts(rows_of(PAYLOADS[1:2]), frozenset({"text/html"}), 100)
    assert len(plain.rows) == len(plain.texts) == len(plain.payload_bytes) == len(plain.characters) == 0


def test_rows_together_are_rows_alone() -> None:
    step = extractor(max_bytes=100)
    together = step.measure(rows_of(PAYLOADS))
    for row, payload in enumerate(PAYLOADS):
        alone = step.measure(rows_of([payload]))
        assert together.columns["text"][row].as_py() == alone.columns["text"][0].as_py()
        for name, values in together.signals.items():
            assert pa.array(values)[row].as_py() == pa.array(alone.signals[name])[0].as_py(), name
        assert together.failures.get(row) == alone.failures.get(0)
    assert list(together.failures) == [8]
    assert together.columns["text"].to_pylist() == [
        "plain\ntext", "of a page", "déjà vu", "déjà vu", "  x = 1 \n", "漢字", "marked", "äöü replaced \ufffd", "", "",
        together.columns["text"][10].as_py(),
    ]  # fmt: skip
