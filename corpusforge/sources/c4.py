"""C4 and other text in the layouts of Hugging Face: JSON lines or Parquet with a text column.

C4's own files are ``c4-train.NNNNN-of-NNNNN.json.gz`` with `text`, `timestamp` and `url`; mC4, Dolma, RedPajama and
most others differ by the names of columns, which are parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, ClassVar

import pyarrow as pa
from pydantic import Field

from corpusforge.sources.base import Damaged, Record, Skipped, Source, SourceFile
from corpusforge.sources.decompress import DECOMPRESSION_ERRORS, bounded_lines, decompressed
from corpusforge.sources.json_values import json_value
from corpusforge.sources.parquet import MAGIC, ParquetRows
from corpusforge.step import StepParameters


class Parameters(StepParameters):
    """Parameters of `C4`: which columns hold what. `meta.url`: the field `url` of the object, or JSON text, `meta`."""

    text: str = Field("text", description="column of the text")
    url: str | None = Field("url", description="column of the address; missing values are fine")
    date: str | None = Field("timestamp", description="column of the crawl date (ISO 8601 or Unix seconds)")
    id: str | None = Field(None, description="column of the publisher's own id; null: file and row")
    license: str | None = Field(None, description="column of the licence")
    keep: list[str] = Field(default_factory=list, description="further columns to keep in `meta`")
    max_line_bytes: int = Field(
        64 << 20, gt=0, description="a longer JSON line, or row of Parquet, is given up"
    )


class C4(Source):
    """Reads JSON lines (plain, gzip, zstd, bzip2, xz) and Parquet files, one document a row."""

    name = "c4"
    summary = "C4, mC4 and other JSON lines or Parquet in Hugging Face's layouts, with a column map"
    suffixes: ClassVar[tuple[str, ...]] = (
        *(
            f".{kind}{packing}"
            for kind in ("json", "jsonl")
            for packing in (".gz", ".zst", ".bz2", ".xz", "")
        ),
        ".parquet",
    )
    Parameters = Parameters

    def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        """Iterate rows in the file's order; a bad line or row group costs itself."""
        head = stream.read(4)
        stream.seek(0)
        yield from self._parquet(file, stream) if head == MAGIC else self._lines(file, stream)

    def _lines(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        done = 0
        try:
            for line in bounded_lines(decompressed(stream), self.parameters.max_line_bytes):
                done += line.size
                locator = f"{file.path}#{line.number}"
                if line.data is None:
                    limit = self.parameters.max_line_bytes
                    yield Damaged(
                        locator, "line_too_long", f"{line.size} bytes, {limit} are allowed", line.size
                    )
                elif line.data.isspace() or not line.data:
                    yield Skipped("empty_line", line.size)
                else:
                    yield self._of_json(locator, line.data, line.size)
        except DECOMPRESSION_ERRORS as error:
            yield Damaged(f"{file.path}#after-{done}", "damaged_stream", f"behind {done} bytes: {error}", 0)
        except OSError as error:
            if error.errno is not None:
                raise
            yield Damaged(f"{file.path}#after-{done}", "damaged_stream", f"behind {done} bytes: {error}", 0)

    def _of_json(self, locator: str, data: bytes, size: int) -> Record | Skipped | Damaged:
        try:
            row = json_value(data)
        except (ValueError, RecursionError) as error:
            return Damaged(locator, "bad_json", f"{type(error).__name__}: {error}"[:300], size)
        if not isinstance(row, dict):
            return Damaged(locator, "bad_json", f"a row is an object, not {type(row).__name__}", size)
        return self._of_row(locator, row, size)

    def _parquet(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        try:
            parquet = ParquetRows(file, stream, self.parameters.max_line_bytes)
        except (pa.ArrowException, OSError) as error:
            yield Damaged(file.path, "bad_parquet", str(error)[:300], file.size)
            return
        names = set(parquet.names)
        wanted = [name if name in names else name.partition(".")[0] for name in self._columns()]
        wanted = [name for name in dict.fromkeys(wanted) if name in names]
        if not names & {self.parameters.text, self.parameters.text.partition(".")[0]}:
            found = ", ".join(parquet.names)[:300]
            yield Damaged(
                file.path, "no_text_column", f"{self.parameters.text!r} is not among {found}", file.size
            )
            return
        for item in parquet.rows(wanted):
            if isinstance(item, Damaged):
                yield item
                continue
            locator, row = item
            text = column_of(row, self.parameters.text)
            size = len(text.encode("utf-8", "replace")) if isinstance(text, str) else 0
            yield self._of_row(locator, row, size)

    def _columns(self) -> list[str]:
        parameters = self.parameters
        named = [parameters.text, parameters.url, parameters.date, parameters.id, parameters.license]
        return [name for name in dict.fromkeys([*named, *parameters.keep]) if name]

    def _of_row(self, locator: str, row: Mapping[str, Any], size: int) -> Record | Skipped | Damaged:
        parameters = self.parameters
        text = column_of(row, parameters.text)
        if not isinstance(text, str):
            return Damaged(
                locator, "no_text", f"{parameters.text!r} is {type(text).__name__}, not a string", size
            )
        name = _string(row, parameters.id)
        return Record(
            origin_key=name or locator,
            locator=locator,
            payload=text.encode("utf-8", "replace"),
            size=size,
            content_type="text/plain",
            charset="utf-8",
            url=_string(row, parameters.url),
            date=iso_date(column_of(row, parameters.date)) if parameters.date else None,
            license=_string(row, parameters.license),
            meta={key: plain(value) for key in parameters.keep if (value := column_of(row, key)) is not None},
        )


def column_of(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, or of a field of one (``meta.url``); None where there is none."""
    if column in row or "." not in column:
        return row.get(column)
    first, _, rest = column.partition(".")
    inner = row.get(first)
    if isinstance(inner, str) and inner.startswith("{"):
        try:
            inner = json.loads(inner)
        except (ValueError, RecursionError):
            return None
    return column_of(inner, rest) if isinstance(inner, Mapping) else None


def _string(row: Mapping[str, Any], column: str | None) -> str | None:
    value = column_of(row, column) if column else None
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: what it cannot becomes a string."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return str(value)
    return value


def iso_date(value: Any) -> str | None:
    """ISO 8601 in UTC, to the second, of a string, a datetime or Unix seconds; None for what is no date."""
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            moment = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, datetime):
            moment = value
        else:
            moment = datetime.fromisoformat(str(value).strip())
        # In UTC a moment may lie before the first year or behind the last one that can be told.
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
