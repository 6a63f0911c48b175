"""Listings of a crawl: paths of archives, and index rows that say where in an archive a record stands.

Common Crawl publishes, for each crawl, `warc.paths.gz` and `wet.paths.gz` (a path a line, below the root of its
store), a CDX index (`cdx-NNNNN.gz`: a key, a time, and JSON with `filename`, `offset`, `length` in each line, the CDXJ
of the pywb project) and a columnar index (Parquet with `warc_filename`, `warc_record_offset`, `warc_record_length`).
https://commoncrawl.org/get-started, https://commoncrawl.org/columnar-index
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge import storage
from corpusforge.errors import UsageError
from corpusforge.redaction import redacted
from corpusforge.sources.base import Damaged, Skipped, SourceFile
from corpusforge.sources.decompress import DECOMPRESSION_ERRORS, bounded_lines, decompressed
from corpusforge.sources.ranges import Range, ranged

LONGEST_LINE = 1 << 16
MOST_RANGES = 2_000_000
"""Index rows of one listing: all of them are in memory while the input is listed."""
ASKED_AT_ONCE = 16
"""Files of a listing whose sizes are asked for at the same time."""

_PATHS = re.compile(r"\.paths(?:\.(?:gz|bz2|xz|zst))?$")
_LINES = re.compile(r"(?:\.cdxj?(?:\.(?:gz|bz2|xz|zst))?|(?:^|/)cdx-\d{5}\.gz)$")
_TABLE = re.compile(r"\.parquet$")
_COLUMNS = ["warc_filename", "warc_record_offset", "warc_record_length"]
_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a path below the root of the store, and for an index row the bytes of one record."""

    name: str
    place: Range | None
    size: int


class _BadRowError(ValueError):
    """A row that names no file, or no range of one."""


def is_listing(path: str) -> bool:
    """Whether a file lists others, by the end of its name."""
    return any(pattern.search(path) is not None for pattern in (_PATHS, _LINES, _TABLE))


def expand_listing(
    listing: SourceFile, base: str | None, file_bytes: int | None, shard_bytes: int
) -> Iterator[SourceFile]:
    """Iterate the files, or parts of files of about `shard_bytes`, that a listing names, sorted by name.

    `base` is the folder or URL that names are below; None: told by the place of the listing, which ends in what its
    names begin with. `file_bytes` is taken for the size of each file of a list of paths; None: sizes are asked for.
    A listing with bad rows is itself given last: reading it reports them. Raises `UsageError` where nothing is listed,
    the base is not known, or a listed file is not there.
    """
    bad = 0
    paths: dict[str, None] = {}
    ranges: dict[str, list[Range]] = {}
    count = 0
    with storage.open_read(listing.url) as stream:
        for row in listing_rows(listing.path, stream):
            if isinstance(row, Damaged):
                bad += 1
            elif isinstance(row, Entry) and row.place is None:
                paths[row.name] = None
            elif isinstance(row, Entry) and row.place is not None:
                ranges.setdefault(row.name, []).append(row.place)
                count += 1
                if count > MOST_RANGES:
                    raise UsageError(
                        f"{redacted(listing.url)} has more than {MOST_RANGES} rows: split it, or take fewer of them"
                    )
    names = sorted(paths or ranges)
    if not names:
        raise UsageError(f"{redacted(listing.url)} lists nothing ({bad} bad rows)")
    root = base.rstrip("/") if base else base_of(listing.url, names[0])
    if paths:
        yield from _whole_files(names, root, file_bytes)
    for name in sorted(ranges):
        yield from _parts(name, storage.join(root, name), sorted(set(ranges[name])), shard_bytes)
    if bad:
        yield listing


def _whole_files(names: Sequence[str], root: str, file_bytes: int | None) -> Iterator[SourceFile]:
    urls = [storage.join(root, name) for name in names]
    if file_bytes is not None:
        sizes: list[int | None] = [file_bytes] * len(urls)
    else:
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            sizes = list(pool.map(_size, urls))
    missing = [redacted(url) for url, size in zip(urls, sizes) if size is None]
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(urls)} listed files are not there: {', '.join(missing[:3])}; "
            "set `base`, or list only what is there"
        )
    for name, url, size in zip(names, urls, sizes):
        yield SourceFile(name, url, size or 0)


def _size(url: str) -> int | None:
    try:
        return storage.size(url)
    except FileNotFoundError:
        return None


def _parts(name: str, url: str, places: Sequence[Range], shard_bytes: int) -> Iterator[SourceFile]:
    """The ranges of one archive, closed to a part as soon as they make `shard_bytes`."""
    part: list[Range] = []
    size = 0
    for place in places:
        part.append(place)
        size += place[1] - place[0]
        if size >= shard_bytes:
            yield ranged(name, url, part)
            part, size = [], 0
    if part:
        yield ranged(name, url, part)


def base_of(location: str, name: str) -> str:
    """The root of the store, from where a listing lies and what it lists. Raises `UsageError` where they do not meet.

    ``https://host/crawl-data/X/warc.paths.gz`` with ``crawl-data/X/segments/…`` gives ``https://host``.
    """
    folder = location.partition("?")[0].rpartition("/")[0]
    parts = name.split("/")
    for length in range(len(parts) - 1, 0, -1):
        beginning = "/" + "/".join(parts[:length])
        if folder.endswith(beginning) and len(folder) > len(beginning):
            return folder.removesuffix(beginning)
    raise UsageError(
        f"{redacted(location)} lists {name!r}, and does not lie below the same root: say what that is, "
        "--set commoncrawl.base=FOLDER_OR_URL"
    )


def listing_rows(path: str, stream: BinaryIO) -> Iterator[Entry | Skipped | Damaged]:
    """Iterate the rows of a listing. A bad row costs itself; damage of the file costs what is behind it."""
    if _TABLE.search(path):
        yield from _table_rows(path, stream)
        return
    parse = _path_entry if _PATHS.search(path) else _line_entry
    done = 0
    try:
        for line in bounded_lines(decompressed(stream), LONGEST_LINE):
            done += line.size
            locator = f"{path}#{line.number}"
            if line.data is None:
                yield Damaged(
                    locator, "line_too_long", f"{line.size} bytes, {LONGEST_LINE} are allowed", line.size
                )
            elif not line.data.strip() or line.data.startswith((b" CDX", b"!")):
                yield Skipped("empty_line", line.size)
            else:
                yield _entry_or_damage(locator, parse, line.data, line.size)
    except (*DECOMPRESSION_ERRORS, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        yield Damaged(f"{path}#after-{done}", "damaged_stream", f"{type(error).__name__}: {error}"[:300], 0)


def _entry_or_damage(
    locator: str, parse: Callable[[bytes, int], Entry], data: bytes, size: int
) -> Entry | Damaged:
    try:
        return parse(data, size)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"{type(error).__name__}: {error}"[:300]
        return Damaged(locator, "bad_listing_row", message, size)


def _path_entry(data: bytes, size: int) -> Entry:
    return Entry(_safe_name(data.decode("utf-8").strip()), None, size)


def _line_entry(data: bytes, size: int) -> Entry:
    begin = data.find(b"{")
    if begin < 0:
        raise _BadRowError("no JSON object in the line")
    row = json.loads(data[begin:])
    return _record_entry(row["filename"], row["offset"], row["length"], size)


def _record_entry(name: object, offset: object, length: object, size: int) -> Entry:
    try:
        begin, count = int(offset), int(length)  # type: ignore[call-overload]
    except OverflowError as error:  # JSON as Python reads it has infinite numbers
        raise _BadRowError(f"no range: offset {offset}, length {length}") from error
    if not 0 <= begin < 1 << 48 or not 0 < count < 1 << 40:
        raise _BadRowError(f"no range: offset {begin}, length {count}")
    return Entry(_safe_name(name), (begin, begin + count), size)


def _safe_name(name: object) -> str:
    """A path below the root: nothing that leads elsewhere, and no store of its own."""
    if not isinstance(name, str) or not name or len(name) > 1024 or not name.isprintable():
        raise _BadRowError(f"no path: {str(name)[:80]!r}")
    if name.startswith("/") or "://" in name or "\\" in name or {"..", ".", ""} & set(name.split("/")):
        raise _BadRowError(f"not a path below the root: {name[:80]!r}")
    return name


def _table_rows(path: str, stream: BinaryIO) -> Iterator[Entry | Damaged]:
    number = 0
    try:
        table = pq.ParquetFile(stream)
        missing = [name for name in _COLUMNS if name not in table.schema_arrow.names]
        if missing:
            yield Damaged(path, "no_index_columns", f"columns are missing: {', '.join(missing)}", 0)
            return
        for batch in table.iter_batches(_ROWS, columns=_COLUMNS, use_threads=False):
            for row in zip(*(batch.column(name).to_pylist() for name in _COLUMNS)):
                yield _table_entry(f"{path}#{number}", row)
                number += 1
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        yield Damaged(f"{path}#{number}", "bad_parquet", str(error)[:300], 0)


def _table_entry(locator: str, row: tuple[object, ...]) -> Entry | Damaged:
    try:
        return _record_entry(row[0], row[1], row[2], 0)
    except (ValueError, TypeError) as error:
        return Damaged(locator, "bad_listing_row", f"{type(error).__name__}: {error}"[:300], 0)
