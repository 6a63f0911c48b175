"""arXiv's source files: bulk `.tar` archives of e-prints, and single e-prints, as cleaned LaTeX.

A bulk archive holds one `.gz` per paper (a single TeX file, or a tar of a project) and `.pdf` for papers without
source (https://info.arxiv.org/help/bulk_data_s3.html). Everything is read as a stream and in memory: of a project only
files that can be TeX are kept, figures pass by. Nothing is written to disk, so names of members cannot point anywhere.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO, ClassVar, Literal, cast

from pydantic import Field

from corpusforge.extract.latex import LatexOptions, latex_to_paper
from corpusforge.extract.latex_project import decode_sources, join_files, main_file
from corpusforge.extract.latex_scan import LatexLimitError
from corpusforge.sources.base import Damaged, Record, Skipped, Source, SourceFile
from corpusforge.sources.decompress import DECOMPRESSION_ERRORS
from corpusforge.sources.tar import BLOCK, Member, TarError, is_tar, read_exactly, tar_members
from corpusforge.step import StepParameters

GZIP = b"\x1f\x8b"
HEAD = 4096
"""First bytes that tell what a file is."""
_BULK_MEMBER = re.compile(
    r"(?:^|/)(?:[a-z-]{0,20}(?:\.[A-Z]{2})?\d{7}|\d{4}\.\d{4,5})(?:v\d{1,3})?\.(?:gz|pdf)$"
)
_OLD_NUMBER = re.compile(r"([a-z-]{2,20})(?:\.[A-Z]{2})?(\d{7})(v\d{1,3})?")
_NEW_NUMBER = re.compile(r"\d{4}\.\d{4,5}(?:v\d{1,3})?")
_ENDINGS = (".tar.gz", ".tgz", ".gz", ".tar", ".tex", ".pdf")
_NO_TEX = (
    *(
        ".eps",
        ".epsi",
        ".epsf",
        ".ps",
        ".pdf",
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".svg",
        ".tif",
        ".tiff",
        ".bmp",
    ),
    *(
        ".bib",
        ".bst",
        ".cls",
        ".fd",
        ".zip",
        ".gz",
        ".tgz",
        ".tar",
        ".z",
        ".pfb",
        ".ttf",
        ".otf",
        ".mp4",
        ".avi",
    ),
    *(
        ".csv",
        ".dat",
        ".xls",
        ".xlsx",
        ".doc",
        ".docx",
        ".html",
        ".htm",
        ".log",
        ".aux",
        ".bbl",
        ".blg",
        ".py",
    ),
    *(".ipynb", ".json", ".xml", ".mov", ".m", ".r", ".c", ".cpp", ".f", ".h", ".md"),
)
"""Endings of files that no paper brings in as TeX."""
_KINDS = ((b"%PDF", "pdf_only"), (b"%!PS", "postscript_only"), (b"PK\x03\x04", "zip"), (b"\x89PNG", "image"))


class Parameters(StepParameters):
    """Parameters of `Arxiv`."""

    without_sections: Literal["keep", "drop"] = Field(
        "keep",
        description="papers without sections, as letters: all behind the abstract, or none (RedPajama)",
    )
    floats: Literal["keep", "captions", "drop"] = Field(
        "captions", description="figures and tables: as they stand, only their captions, or none"
    )
    references: Literal["keep", "drop"] = Field("keep", description=r"\\cite, \\ref and \\label")
    max_eprint_bytes: int = Field(
        128 << 20, gt=0, description="a longer member of a bulk archive is given up"
    )
    max_project_bytes: int = Field(
        512 << 20, gt=0, description="decompressed bytes of one paper, figures too"
    )
    max_member_bytes: int = Field(8 << 20, gt=0, description="a longer file of a project is no TeX")
    max_source_bytes: int = Field(
        24 << 20, gt=0, description="TeX of one paper, in all and when put together"
    )
    max_members: int = Field(10_000, gt=0, description="files of one paper")


class _TooMuchError(ValueError):
    """A paper that is over a limit; `kind` is what is counted."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Bounded:
    """A stream that may give only so many bytes."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream, self._limit, self._left = stream, limit, limit

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise _TooMuchError("decompression_bomb", f"more than {self._limit} bytes when decompressed")
        return data


class Arxiv(Source):
    """Reads papers; one document a paper."""

    name = "arxiv"
    summary = (
        "arXiv source files (bulk tar or single e-prints), LaTeX to the paper's body with its mathematics"
    )
    suffixes: ClassVar[tuple[str, ...]] = (".tar", ".tar.gz", ".tgz", ".gz", ".tex", ".pdf")
    Parameters = Parameters

    def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        """Iterate papers in the file's order; a single e-print is one record."""
        head = read_exactly(stream, HEAD)
        stream.seek(0)
        if not is_tar(head):
            yield self._paper(file.path, file.path, head, stream, file.size)
            return
        members = tar_members(stream, must_end=True)
        seen = 0
        try:
            first = next((member for member in members if not member.is_folder), None)
            if first is None:
                yield Skipped("empty_archive", file.size)
                return
            if not _BULK_MEMBER.search(first.name):
                project = _Project(self.parameters)
                yield self._finished(
                    file.path, file.path, file.size, lambda: project.read(chain([first], members))
                )
                return
            for member in chain([first], members):
                if not member.is_folder:
                    yield self._member(file, member)
                    seen += 1
        except (TarError, *DECOMPRESSION_ERRORS) as error:
            yield Damaged(f"{file.path}#after-{seen}", "damaged_archive", f"{error}"[:300], 0)

    def _member(self, file: SourceFile, member: Member) -> Record | Skipped | Damaged:
        locator = f"{file.path}#{member.name}"
        if not member.is_file:
            return Skipped("no_file", member.size)
        if member.name.lower().endswith(".pdf"):
            return Skipped("pdf_only", member.size)
        if member.size > self.parameters.max_eprint_bytes:
            message = f"{member.size} bytes, {self.parameters.max_eprint_bytes} are allowed"
            return Damaged(locator, "eprint_too_large", message, member.size)
        data = member.read()
        return self._paper(locator, member.name, data[:HEAD], io.BytesIO(data), member.size)

    def _paper(
        self, locator: str, name: str, head: bytes, stream: BinaryIO, size: int
    ) -> Record | Skipped | Damaged:
        """One e-print: gzip or not, of a single file or of a tar."""

        def read() -> dict[str, bytes] | Skipped:
            if not head.startswith(GZIP):
                return self._single(head, stream)
            if _original_name(head).endswith(".cry"):
                return Skipped("encrypted", size)
            plain = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=stream)), 1 << 16)
            return self._single(plain.peek(BLOCK), cast(BinaryIO, plain))

        return self._finished(locator, name, size, read)

    def _single(self, head: bytes, stream: BinaryIO) -> dict[str, bytes] | Skipped:
        bounded = cast(BinaryIO, _Bounded(stream, self.parameters.max_project_bytes))
        if is_tar(head):
            return _Project(self.parameters).read(tar_members(bounded))
        for magic, kind in _KINDS:
            if head.startswith(magic):
                return Skipped(kind, 0)
        limit = self.parameters.max_member_bytes
        data = read_exactly(bounded, limit + 1)
        if len(data) > limit:
            raise _TooMuchError("source_too_large", f"more than {limit} bytes of one file")
        if not _is_text(data):
            return Skipped("no_text", 0)
        return {"source.tex": data}

    def _finished(self, locator: str, name: str, size: int, read: Any) -> Record | Skipped | Damaged:
        """Read and clean one paper; every way in which it can fail costs the paper."""
        try:
            files = read()
            if isinstance(files, Skipped):
                return Skipped(files.kind, size)
            return self._cleaned(locator, name, files, size)
        except (_TooMuchError, LatexLimitError) as error:
            return Damaged(locator, error.kind, str(error)[:300], size)
        except (TarError, *DECOMPRESSION_ERRORS) as error:
            return Damaged(locator, "damaged_eprint", f"{type(error).__name__}: {error}"[:300], size)
        except OSError as error:
            if error.errno is not None:
                raise
            return Damaged(locator, "damaged_eprint", f"{type(error).__name__}: {error}"[:300], size)

    def _cleaned(self, locator: str, name: str, files: dict[str, bytes], size: int) -> Record | Skipped:
        parameters = self.parameters
        texts = decode_sources(files)
        main = main_file(texts)
        if main is None:
            withdrawn = any("auto-ignore" in text[:200] for text in texts.values())
            return Skipped("withdrawn" if withdrawn else "no_tex", size)
        source = join_files(texts, main, parameters.max_source_bytes)
        options = LatexOptions(
            parameters.without_sections, parameters.floats, parameters.references, parameters.max_source_bytes
        )
        paper = latex_to_paper(source, options)
        if not paper.text:
            return Skipped(
                "empty" if paper.has_sections or parameters.without_sections == "keep" else "no_sections",
                size,
            )
        number = paper_number(name)
        return Record(
            origin_key=number,
            locator=locator,
            payload=paper.text.encode("utf-8", "replace"),
            size=size,
            content_type="text/plain",
            charset="utf-8",
            url=abstract_page(number),
            meta={
                "title": paper.title,
                "main_file": main,
                "files": len(files),
                "sections": paper.has_sections,
            },
        )


class _Project:
    """The files of one paper that can be TeX."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    def read(self, members: Iterator[Member]) -> dict[str, bytes] | Skipped:
        """Read members; names are normalised, and of two of the same name the last counts, as when unpacking."""
        parameters = self._parameters
        files: dict[str, bytes] = {}
        count = total = encrypted = 0
        for member in members:
            count += 1
            if count > parameters.max_members:
                raise _TooMuchError("too_many_members", f"more than {parameters.max_members} files")
            name = "/".join(part for part in member.name.split("/") if part not in ("", ".", ".."))
            lower = name.lower()
            encrypted += lower.endswith(".cry")
            if (
                not member.is_file
                or lower.endswith((*_NO_TEX, ".cry"))
                or member.size > parameters.max_member_bytes
            ):
                continue
            data = member.read()
            total += len(data)
            if total > parameters.max_source_bytes:
                raise _TooMuchError(
                    "source_too_large", f"more than {parameters.max_source_bytes} bytes of TeX"
                )
            if _is_text(data):
                files[name] = data
        if encrypted:
            return Skipped("encrypted", 0)
        return files


def _is_text(data: bytes) -> bool:
    """Whether bytes can be source: hardly any control characters among the first."""
    head = data[:4096]
    controls = sum(byte < 32 and byte not in b"\t\n\r\x0c\x1a" for byte in head)
    return bool(head) and controls * 100 <= len(head) and b"\x00\x00" not in head


def _original_name(head: bytes) -> str:
    """The name that a gzip header holds (RFC 1952, FNAME), in lower case; "" where there is none."""
    if len(head) < 10 or not head[3] & 8 or head[3] & 4:
        return ""
    return head[10:266].partition(b"\0")[0].decode("latin-1").lower()


def paper_number(name: str) -> str:
    """A paper's number, with its version where the name tells it: ``math0303004``, ``1911.02782v1``."""
    stem = name.rsplit("/", 1)[-1]
    ending = next((ending for ending in _ENDINGS if stem.lower().endswith(ending)), "")
    return stem[: len(stem) - len(ending)] or name


def abstract_page(number: str) -> str | None:
    """Address of a paper's abstract, or None when the number is none of arXiv's."""
    if old := _OLD_NUMBER.fullmatch(number):
        return f"https://arxiv.org/abs/{old[1]}/{old[2]}{old[3] or ''}"
    return f"https://arxiv.org/abs/{number}" if _NEW_NUMBER.fullmatch(number) else None
