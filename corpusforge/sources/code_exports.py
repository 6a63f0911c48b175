"""Tables of source files: BigQuery's ``github_repos.contents`` and The Stack, as JSON lines or Parquet.

BigQuery (``bigquery-public-data.github_repos``): id, size, content, binary, copies, sample_repo_name, sample_path and,
joined from ``licenses``, license. The Stack (https://huggingface.co/datasets/bigcode/the-stack-dedup): hexsha, size,
ext, lang, content, and max_stars_repo_{path,name,head_hexsha,licenses}, max_stars_count. The Stack v2 and others name
repo_name, path, license or detected_licenses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pyarrow as pa

from corpusforge.sources import licenses
from corpusforge.sources.base import Damaged, Skipped, SourceFile
from corpusforge.sources.decompress import DECOMPRESSION_ERRORS, bounded_lines, decompressed
from corpusforge.sources.parquet import MAGIC, ParquetRows

_COLUMNS = {
    "content": ("content", "text"),
    "repository": ("max_stars_repo_name", "sample_repo_name", "repo_name", "repository_name", "repository"),
    "path": ("max_stars_repo_path", "sample_path", "path", "file_path"),
    "license": ("max_stars_repo_licenses", "detected_licenses", "licenses", "license"),
    "commit": ("max_stars_repo_head_hexsha", "revision_id", "commit"),
    "key": ("hexsha", "blob_id", "id"),
    "stars": ("max_stars_count", "star_events_count", "stars"),
    "copies": ("copies",),
    "binary": ("binary",),
}
"""What a row holds, and the columns that may hold it, the first that is there before others."""


@dataclass(frozen=True)
class ExportedFile:
    """One row. `license` is an SPDX expression; The Stack's lists are of licences found in a repository: all hold."""

    locator: str
    content: bytes
    repository: str
    path: str
    license: str
    size: int
    commit: str | None = None
    key: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


def export_rows(
    file: SourceFile, stream: BinaryIO, max_row_bytes: int
) -> Iterator[ExportedFile | Skipped | Damaged]:
    """Iterate rows in the file's order; a bad line or row group costs itself."""
    head = stream.read(4)
    stream.seek(0)
    yield from (_parquet if head == MAGIC else _lines)(file, stream, max_row_bytes)


def _lines(file: SourceFile, stream: BinaryIO, limit: int) -> Iterator[ExportedFile | Skipped | Damaged]:
    done = 0
    try:
        for line in bounded_lines(decompressed(stream), limit):
            done += line.size
            locator = f"{file.path}#{line.number}"
            if line.data is None:
                yield Damaged(locator, "line_too_long", f"{line.size} bytes, {limit} are allowed", line.size)
            elif not line.data.strip():
                yield Skipped("empty_line", line.size)
            else:
                yield _of_json(locator, line.data, line.size)
    except DECOMPRESSION_ERRORS as error:
        yield Damaged(f"{file.path}#after-{done}", "damaged_stream", f"behind {done} bytes: {error}"[:300], 0)
    except OSError as error:
        if error.errno is not None:
            raise
        yield Damaged(f"{file.path}#after-{done}", "damaged_stream", f"behind {done} bytes: {error}"[:300], 0)


def _of_json(locator: str, data: bytes, size: int) -> ExportedFile | Skipped | Damaged:
    try:
        row = json.loads(data)
    except (ValueError, RecursionError) as error:
        return Damaged(locator, "bad_json", f"{type(error).__name__}: {error}"[:300], size)
    if not isinstance(row, dict):
        return Damaged(locator, "bad_json", f"a row is an object, not {type(row).__name__}", size)
    return _of_row(locator, row, size)


def _parquet(file: SourceFile, stream: BinaryIO, limit: int) -> Iterator[ExportedFile | Skipped | Damaged]:
    try:
        parquet = ParquetRows(file, stream, limit)
    except (pa.ArrowException, OSError) as error:
        yield Damaged(file.path, "bad_parquet", str(error)[:300], file.size)
        return
    names = set(parquet.names)
    wanted = [column for columns in _COLUMNS.values() for column in columns if column in names]
    if names.isdisjoint(_COLUMNS["content"]):
        yield Damaged(file.path, "no_content_column", f"columns: {', '.join(sorted(names))}"[:300], file.size)
        return
    for item in parquet.rows(wanted):
        if isinstance(item, Damaged):
            yield item
            continue
        locator, row = item
        content = _first(row, "content")
        size = len(content.encode("utf-8", "replace")) if isinstance(content, str) else 0
        yield _of_row(locator, row, size)


def _of_row(locator: str, row: Mapping[str, Any], size: int) -> ExportedFile | Skipped | Damaged:
    content, path = _first(row, "content"), _first(row, "path")
    if content is None or str(_first(row, "binary")).lower() == "true":
        # BigQuery has no content for binary and for large files.
        return Skipped("binary", size)
    if not isinstance(content, str) or not isinstance(path, str) or not path:
        return Damaged(
            locator, "no_file", f"content {type(content).__name__}, path {type(path).__name__}", size
        )
    key, commit = _first(row, "key"), _first(row, "commit")
    meta = {name: value for name in ("stars", "copies") if (value := _count(_first(row, name))) is not None}
    return ExportedFile(
        locator=locator,
        content=content.encode("utf-8", "replace"),
        repository=str(_first(row, "repository") or "unknown"),
        path=path.lstrip("/"),
        license=_license(_first(row, "license")),
        size=size,
        commit=commit if isinstance(commit, str) and commit else None,
        key=key if isinstance(key, str) and key else None,
        meta=meta,
    )


def _first(row: Mapping[str, Any], name: str) -> Any:
    return next((row[column] for column in _COLUMNS[name] if row.get(column) is not None), None)


def _count(value: Any) -> int | None:
    """A number that may come as text (BigQuery writes INT64 so) or as a float (The Stack has nulls among them)."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53:
        return int(value)
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16
        else None
    )


def _license(value: Any) -> str:
    found = value if isinstance(value, list) else [value]
    names = [licenses.spdx_id(name) for name in found if isinstance(name, str) and name.strip()]
    return " AND ".join(dict.fromkeys(names)) or licenses.UNKNOWN
