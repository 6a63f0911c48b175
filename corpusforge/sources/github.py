"""Source code: archives of repositories, trees of repositories on disk, and exports of files with their facts.

- ``.tar.gz`` (or another compression) and ``.zip``: one repository each. The folder that holds everything is
  ``owner-name-commit`` as GitHub packs it; owner and name cannot be told apart there, so both together name the
  repository. The commit is also in the archive's comment, where git writes it. An archive is read twice: a licence may
  stand behind the files that it covers, and holding the files back would cost memory.
- JSON lines and Parquet: BigQuery's ``github_repos.contents`` and The Stack. Every row is a file.
- Any other file belongs to a tree on disk: the first `repository_depth` parts of its path name the repository, and
  licences are looked up in its folder and those above it.

A licence file counts for its folder and all below it that have none of their own; ``SPDX-License-Identifier`` at the
top of a file counts for that file.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar, Literal, cast

from pydantic import Field

from corpusforge import storage
from corpusforge.extract.notebooks import NotebookError, notebook_to_text
from corpusforge.places import place
from corpusforge.sources import licenses
from corpusforge.sources.archives import ArchiveError, Limits, Member, MemberError, TarReader, ZipReader
from corpusforge.sources.base import Damaged, Record, Skipped, Source, SourceFile
from corpusforge.sources.code_exports import ExportedFile, export_rows
from corpusforge.sources.decompress import DECOMPRESSION_ERRORS, decompressed
from corpusforge.sources.languages import language_of
from corpusforge.sources.repository_files import (
    Kind,
    is_binary,
    is_version_control,
    kind_of_path,
    kind_of_text,
    text_of,
    without_copyright,
)
from corpusforge.step import StepParameters

SOURCE_TYPE = "text/x-source"
"""Media type of a program's text: the extract step leaves its white space alone."""
MOST_LICENSES = 2000
"""Licence files of one archive that are looked at."""

_TAR = re.compile(r"\.(?:tar(?:\.(?:gz|bz2|xz|zst))?|tgz|tbz2|txz)$", re.IGNORECASE)
_ZIP = re.compile(r"\.zip$", re.IGNORECASE)
_EXPORT = re.compile(r"\.(?:parquet|jsonl(?:\.(?:gz|bz2|xz|zst))?|json\.(?:gz|bz2|xz|zst))$", re.IGNORECASE)
_TOP_FOLDER = re.compile(r"(.+)-([0-9a-f]{7,40})$")
_COMMIT = re.compile(r"[0-9a-f]{40}$")


class Parameters(StepParameters):
    """Parameters of `GitHub`."""

    licenses: list[str] | None = Field(
        ["MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"],
        description='SPDX ids of the licences that are kept ("unknown" is one, too); null: all. LLaMA (arXiv:2302.'
        "13971, section 2.1) keeps Apache, BSD and MIT",
    )
    languages: list[str] | None = Field(
        None, description="languages that are kept, by Linguist's names; null: all known"
    )
    skip: list[Kind] = Field(
        ["vendored", "generated", "minified", "lock", "data", "license"],
        description="kinds of files that are left out; the kind of one that is kept stands in its `meta`",
    )
    copyright_headers: Literal["cut", "keep"] = Field(
        "cut", description="the copyright comment at the top of a file"
    )
    notebooks: Literal["text", "skip"] = Field(
        "text", description="Jupyter notebooks: their Markdown and code cells, or nothing"
    )
    layout: Literal["auto", "tree"] = Field(
        "auto",
        description='"tree": archives and exports among the input are files of a repository like others',
    )
    repository_depth: int = Field(
        1,
        ge=0,
        description="parts of a path in a tree that name the repository: 2 for owner/name, 0 for one repository",
    )
    max_file_bytes: int = Field(1 << 20, gt=0, description="a longer file is left out")
    max_row_bytes: int = Field(
        16 << 20, gt=0, description="a longer JSON line, or row of Parquet, of an export is given up"
    )
    max_files: int = Field(200_000, gt=0, description="members of one archive; the rest is given up")
    max_archive_bytes: int = Field(
        4 << 30, gt=0, description="unpacked bytes of one archive; the rest is given up"
    )


@dataclass(frozen=True)
class _Place:
    """Where a file stands: what is known of it before its content."""

    locator: str
    repository: str
    path: str
    license: str
    size: int
    commit: str | None = None
    key: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Survey:
    """What the first pass over an archive finds."""

    top: str | None = None
    """The folder that holds everything; "" where there is none."""
    licenses: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Folder to its licence files with their expressions."""
    count: int = 0

    def see(self, name: str) -> None:
        top = name.split("/", 1)[0] if "/" in name else ""
        self.top = top if self.top in (None, top) else ""


class GitHub(Source):
    """Reads repositories file by file."""

    name = "github"
    summary = "Source code: archives and trees of repositories, BigQuery and The Stack exports, by licence and language"
    suffixes: ClassVar[tuple[str, ...]] = ()
    Parameters = Parameters

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        self._folders: dict[str, list[tuple[str, str]]] = {}

    def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        """Iterate files in the container's order."""
        plain_tree = self.parameters.layout == "tree"
        if not plain_tree and (_TAR.search(file.path) or _ZIP.search(file.path)):
            yield from self._archive(file, stream)
        elif not plain_tree and _EXPORT.search(file.path):
            yield from self._export(file, stream)
        else:
            yield self._tree_file(file, stream)

    def _archive(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        survey = _Survey()
        try:
            self._survey(file, stream, survey)
        except (ArchiveError, *DECOMPRESSION_ERRORS, OSError) as error:
            # The second pass meets the same damage and reports it; what comes before it is read.
            _pass_on(error)
        place = file.path
        try:
            reader = self._reader(file, stream)
            for member in reader.members():
                place = f"{file.path}#{_printable(member.name)}"
                yield self._member(file, place, member, reader.comment, survey)
        except ArchiveError as error:
            yield Damaged(f"{place}#after", error.kind, str(error)[:300], 0)
        except (*DECOMPRESSION_ERRORS, OSError) as error:
            _pass_on(error)
            yield Damaged(f"{place}#after", "damaged_stream", f"{type(error).__name__}: {error}"[:300], 0)

    def _reader(self, file: SourceFile, stream: BinaryIO) -> TarReader | ZipReader:
        stream.seek(0)
        limits = Limits(self.parameters.max_archive_bytes, self.parameters.max_files)
        if _ZIP.search(file.path):
            return ZipReader(stream, limits)
        return TarReader(decompressed(cast(BinaryIO, io.BufferedReader(_Shield(stream)))), limits)

    def _survey(self, file: SourceFile, stream: BinaryIO, survey: _Survey) -> None:
        """First pass: the top folder and the licences."""
        for member in self._reader(file, stream).members():
            name = _clean(member.name)
            if name is None:
                continue
            survey.see(name)
            folder, base = posixpath.split(name)
            if member.kind != "file" or not licenses.is_license_file(base) or survey.count >= MOST_LICENSES:
                continue
            survey.count += 1
            try:
                text = text_of(member.read(licenses.LONGEST_TEXT))
            except MemberError:
                continue
            survey.licenses.setdefault(folder, []).append((base, licenses.identify(text)))

    def _member(
        self, file: SourceFile, locator: str, member: Member, comment: str | None, survey: _Survey
    ) -> Record | Skipped | Damaged:
        name = _clean(member.name)
        if name is None:
            return Damaged(
                locator, "unsafe_path", "an absolute path, or one that leads out of the archive", member.size
            )
        if member.kind != "file":
            return Skipped(member.kind, member.size)
        folder, _, _ = name.rpartition("/")
        found = licenses.UNKNOWN
        for above in _upwards(folder):
            if above in survey.licenses:
                found = licenses.combined(survey.licenses[above])
                break
        repository, commit = repository_of(survey.top or "", file.path, comment)
        path = name[len(survey.top) + 1 :] if survey.top else name
        place = _Place(locator, repository, path, found, member.size, commit)
        skipped = self._unwanted(place)
        if skipped is not None:
            return skipped
        try:
            data = member.read(self.parameters.max_file_bytes)
        except MemberError as error:
            return Damaged(locator, "damaged_member", str(error), member.size)
        return self._record(place, data)

    def _tree_file(self, file: SourceFile, stream: BinaryIO) -> Record | Skipped | Damaged:
        if not file.url.endswith("/" + file.path):
            return Skipped("link", file.size)
        root = file.url[: -len(file.path)].rstrip("/")
        parts = file.path.split("/")
        depth = min(self.parameters.repository_depth, len(parts) - 1)
        found = licenses.UNKNOWN
        for end in range(len(parts) - 1, depth - 1, -1):
            files = self._license_files("/".join([root, *parts[:end]]))
            if files:
                found = licenses.combined(files)
                break
        repository = "/".join(parts[:depth]) or posixpath.basename(root)
        place = _Place(file.path, repository, "/".join(parts[depth:]), found, file.size)
        skipped = self._unwanted(place)
        if skipped is not None:
            return skipped
        data = stream.read(self.parameters.max_file_bytes + 1)
        return self._record(place, data)

    def _license_files(self, folder: str) -> list[tuple[str, str]]:
        """Licence files of a folder of a tree with their expressions."""
        if folder not in self._folders:
            found: list[tuple[str, str]] = []
            for path in sorted(place(folder.removeprefix("file://")).iterdir()):
                if len(found) < MOST_LICENSES and licenses.is_license_file(path.name) and path.is_file():
                    with storage.open_read(str(path)) as stream:
                        text = text_of(stream.read(licenses.LONGEST_TEXT))
                    found.append((path.name, licenses.identify(text)))
            if len(self._folders) > MOST_LICENSES:
                self._folders.clear()
            self._folders[folder] = found
        return self._folders[folder]

    def _export(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        for row in export_rows(file, stream, self.parameters.max_row_bytes):
            if not isinstance(row, ExportedFile):
                yield row
                continue
            place = _Place(
                row.locator, row.repository, row.path, row.license, row.size, row.commit, row.key, row.meta
            )
            skipped = self._unwanted(place)
            yield skipped if skipped is not None else self._record(place, row.content)

    def _unwanted(self, place: _Place) -> Skipped | None:
        """Why a file is left out before its content is looked at, if it is."""
        parameters: Parameters = self.parameters
        if is_version_control(place.path):
            return Skipped("version_control", place.size)
        kind = kind_of_path(place.path)
        if kind == "license" and kind in parameters.skip:
            return Skipped(kind, place.size)
        if parameters.licenses is not None and not licenses.is_allowed(place.license, parameters.licenses):
            return Skipped(f"license_{licenses.label(place.license)}", place.size)
        if kind is not None and kind in parameters.skip:
            return Skipped(kind, place.size)
        return Skipped("too_large", place.size) if place.size > parameters.max_file_bytes else None

    def _record(self, place: _Place, data: bytes) -> Record | Skipped | Damaged:
        parameters: Parameters = self.parameters
        if not data or is_binary(data):
            return Skipped("binary" if data else "empty", place.size)
        if len(data) > parameters.max_file_bytes:
            return Skipped("too_large", place.size)
        text = text_of(data)
        license = licenses.declared(text) or place.license
        if parameters.licenses is not None and not licenses.is_allowed(license, parameters.licenses):
            return Skipped(f"license_{licenses.label(license)}", place.size)
        kind = kind_of_path(place.path)
        language = language_of(place.path, text)
        if language is None and kind is None:
            return Skipped("unknown_language", place.size)
        language = language or "Text"
        if parameters.languages is not None and language not in parameters.languages:
            return Skipped("language", place.size)
        meta: dict[str, Any] = {"repository": place.repository, "path": place.path, "language": language}
        if language == "Jupyter Notebook":
            if parameters.notebooks == "skip":
                return Skipped("notebook", place.size)
            try:
                text, meta["notebook_language"] = notebook_to_text(text)
            except NotebookError as error:
                return Damaged(place.locator, "bad_notebook", str(error), place.size)
        else:
            kind = kind or kind_of_text(place.path, text)
            if kind is not None and kind in parameters.skip:
                return Skipped(kind, place.size)
            if parameters.copyright_headers == "cut":
                text = without_copyright(text)
        if not text.strip():
            return Skipped("empty", place.size)
        if kind is not None:
            meta["kind"] = kind
        return self._made(place, text, license, meta)

    def _made(self, place: _Place, text: str, license: str, meta: dict[str, Any]) -> Record:
        url = None
        if place.repository.count("/") == 1:
            url = f"https://github.com/{place.repository}/blob/{place.commit or 'HEAD'}/{place.path}"
        return Record(
            origin_key=place.key or f"{place.repository}@{place.commit or ''}/{place.path}",
            locator=place.locator,
            payload=text.encode("utf-8", "replace"),
            size=place.size,
            content_type=SOURCE_TYPE,
            charset="utf-8",
            url=url,
            license=license,
            meta={**place.meta, **meta, "commit": place.commit, "size": place.size},
        )


class _Shield(io.RawIOBase):
    """A stream that outlives those who read it: decompressors close what they were given."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def repository_of(top: str, archive: str, comment: str | None) -> tuple[str, str | None]:
    """Repository and commit from an archive's top folder ("owner-name-commit"), its name, and its comment."""
    commit = comment if comment is not None and _COMMIT.match(comment) else None
    name = top
    if not name:
        name = _ZIP.sub("", _TAR.sub("", archive.rsplit("/", 1)[-1]))
    match = _TOP_FOLDER.match(name)
    return (match.group(1), commit or match.group(2)) if match else (name, commit)


def _clean(name: str) -> str | None:
    """A member's path without empty parts; None for one that leads out of the archive."""
    if name.startswith(("/", "\\")) or "\0" in name or re.match(r"[A-Za-z]:[\\/]", name):
        return None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return None if ".." in parts or not parts else "/".join(parts)


def _printable(name: str) -> str:
    return name[:1000].encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "")


def _upwards(folder: str) -> Iterator[str]:
    """A folder and all above it, to "", at most 100."""
    for _ in range(100):
        yield folder
        if not folder:
            return
        folder = folder.rpartition("/")[0]


def _pass_on(error: BaseException) -> None:
    """Raise what the stream itself raised: it is no damage of the content."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error
