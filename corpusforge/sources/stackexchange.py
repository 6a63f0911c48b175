"""Stack Exchange's data dumps: `Posts.xml` of a site, plain or inside its `.7z`, questions with their answers.

A row is a post; answers may stand before their question, and anywhere after it. Questions and answers are brought
together by (site, question), and answers are sorted by score as numbers (RedPajama's script compares them as
strings, so that 9 comes before 10).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar
from xml.etree import ElementTree

from pydantic import Field
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from corpusforge.errors import MissingExtraError
from corpusforge.sources.base import Damaged, GroupingSource, Record, Skipped, SourceFile
from corpusforge.sources.c4 import iso_date
from corpusforge.sources.decompress import DECOMPRESSION_ERRORS, bounded_lines, decompressed
from corpusforge.sources.whole_numbers import whole_number
from corpusforge.step import StepParameters

SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
MAXIMUM_RATIO = 200
"""Most bytes that a byte of an archive may unfold to on average; posts have about 5. py7zr decompresses 32 KiB at once,
whatever comes out of them."""
UNSUSPICIOUS_BYTES = 1 << 20
QUESTION = "1"
ANSWER = "2"
_QUESTION_PLACE = -(1 << 62)
_SCORE_LIMIT = 1 << 30
_POST_TYPE = re.compile(r"[0-9]{1,2}")


class Parameters(StepParameters):
    """Parameters of `StackExchange`."""

    min_question_score: int | None = Field(
        None, description="questions below are left out with their answers"
    )
    min_answer_score: int | None = Field(None, description="answers below are left out")
    max_answers: int | None = Field(None, ge=0, description="best answers kept; null: all")
    mark_accepted: bool = Field(False, description='write "A (accepted):" before the accepted answer')
    max_post_bytes: int = Field(4 << 20, gt=0, description="a longer row is given up")
    max_archive_bytes: int = Field(64 << 30, gt=0, description="unpacked size of Posts.xml that is accepted")


class StackExchange(GroupingSource):
    """Reads posts, and makes one document of a question and its answers."""

    name = "stackexchange"
    summary = "Stack Exchange dumps (Posts.xml, plain or in .7z): a question with its answers, best first"
    suffixes: ClassVar[tuple[str, ...]] = (
        "Posts.xml",
        "Posts.xml.gz",
        "Posts.xml.zst",
        "Posts.xml.bz2",
        ".7z",
    )
    Parameters = Parameters

    def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        """Iterate posts in the file's order."""
        head = stream.read(len(SEVEN_ZIP))
        stream.seek(0)
        if head != SEVEN_ZIP:
            yield from self._posts(file, site_of(file.path), stream)
            return
        with tempfile.TemporaryDirectory(prefix="corpusforge-7z-") as folder:
            problem = self._unpack(file, stream, Path(folder))
            if problem is not None:
                yield problem
                return
            with (Path(folder) / "Posts.xml").open("rb") as posts:
                yield from self._posts(file, site_of(file.path), posts)

    def _unpack(self, file: SourceFile, stream: BinaryIO, folder: Path) -> Damaged | None:
        """Unpack Posts.xml, and nothing else, to disk; gives what was wrong."""
        try:
            import py7zr
        except ImportError as error:
            raise MissingExtraError("stackexchange", "sources") from error
        try:
            with py7zr.SevenZipFile(stream) as archive:
                sizes = {entry.filename: int(entry.uncompressed) for entry in archive.list()}
                if "Posts.xml" not in sizes:
                    return Damaged(
                        file.path, "no_posts", f"the archive holds {sorted(sizes)[:10]}", file.size
                    )
                if sizes["Posts.xml"] > self.parameters.max_archive_bytes:
                    message = f"{sizes['Posts.xml']} bytes, {self.parameters.max_archive_bytes} are allowed"
                    return Damaged(file.path, "archive_too_large", message, file.size)
                if sizes["Posts.xml"] > max(UNSUSPICIOUS_BYTES, MAXIMUM_RATIO * file.size):
                    message = f"{file.size} bytes unfold to {sizes['Posts.xml']}"
                    return Damaged(file.path, "decompression_bomb", message, file.size)
                archive.extract(folder, targets=["Posts.xml"])
        except (py7zr.exceptions.ArchiveError, EOFError, ValueError, *DECOMPRESSION_ERRORS) as error:
            return Damaged(file.path, "bad_archive", f"{type(error).__name__}: {error}"[:300], file.size)
        if not (folder / "Posts.xml").is_file():
            return Damaged(file.path, "bad_archive", "Posts.xml could not be unpacked", file.size)
        return None

    def _posts(self, file: SourceFile, site: str, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        try:
            for line in bounded_lines(decompressed(stream), self.parameters.max_post_bytes):
                locator = f"{file.path}#{line.number}"
                if line.data is None:
                    limit = self.parameters.max_post_bytes
                    yield Damaged(
                        locator, "post_too_long", f"{line.size} bytes, {limit} are allowed", line.size
                    )
                elif not line.data.lstrip().startswith(b"<row"):
                    yield Skipped("no_row", line.size)
                else:
                    yield self._post(locator, site, line.data, line.size)
        except DECOMPRESSION_ERRORS as error:
            yield Damaged(file.path, "damaged_stream", str(error)[:300], 0)

    def _post(self, locator: str, site: str, data: bytes, size: int) -> Record | Skipped | Damaged:
        # A row stands alone, without a document type, so no entity can be declared; one that tries is refused.
        if b"<!" in data:
            return Damaged(locator, "bad_xml", "a row declares a document type", size)
        try:
            row = ElementTree.fromstring(data).attrib
            kind, post = row["PostTypeId"], whole_number(row["Id"])
            question = post if kind == QUESTION else whole_number(row["ParentId"]) if kind == ANSWER else 0
            score = whole_number(row.get("Score", "0"))
        except (ElementTree.ParseError, KeyError, ValueError) as error:
            return Damaged(locator, "bad_xml", f"{type(error).__name__}: {error}"[:300], size)
        if kind not in (QUESTION, ANSWER):
            return Skipped(f"post_type_{kind}" if _POST_TYPE.fullmatch(kind) else "post_type_other", size)
        minimum = self.parameters.min_answer_score
        if kind == ANSWER and minimum is not None and score < minimum:
            return Skipped("answer_score", size)
        meta = {
            "site": site,
            "question": question,
            "post": post,
            "kind": "question" if kind == QUESTION else "answer",
            "score": score,
            "title": row.get("Title", ""),
            "tags": tags_of(row.get("Tags", "")),
            "accepted": _number_or_none(row.get("AcceptedAnswerId", "")),
        }
        return Record(
            origin_key=f"{site}/{post}",
            locator=locator,
            payload=row.get("Body", "").encode("utf-8", "replace"),
            size=size,
            content_type="text/html",
            charset="utf-8",
            url=f"https://{site}/questions/{question}",
            date=iso_date(row.get("CreationDate")),
            license=row.get("ContentLicense"),
            meta=meta,
        )

    def container(self, record: Record) -> tuple[str, int]:
        """A question's thread; the question first, then answers from the highest score down, by id where equal."""
        meta = record.meta
        name = f"{meta['site']}/{meta['question']}"
        if meta["kind"] == "question":
            return name, _QUESTION_PLACE
        score = max(-_SCORE_LIMIT, min(_SCORE_LIMIT, int(meta["score"])))
        return name, (-score << 31) + min(int(meta["post"]), (1 << 31) - 1)

    def assemble(self, container: str, parts: Iterator[Record]) -> Iterator[Record | Skipped | Damaged]:
        """One document: title and body of the question, then the answers."""
        first = next(parts)
        if first.meta["kind"] != "question":
            yield Skipped("question_deleted", first.size)
            return
        minimum = self.parameters.min_question_score
        if minimum is not None and first.meta["score"] < minimum:
            yield Skipped("question_score", first.size)
            return
        pieces = [f"Q: {first.meta['title']}\n\n{text_of(first.payload)}".strip()]
        scores: list[int] = []
        limit = self.parameters.max_answers
        for part in parts:
            if part.meta["kind"] != "answer" or (limit is not None and len(scores) >= limit):
                continue
            accepted = self.parameters.mark_accepted and part.meta["post"] == first.meta["accepted"]
            pieces.append(f"{'A (accepted)' if accepted else 'A'}: {text_of(part.payload)}")
            scores.append(part.meta["score"])
        meta: dict[str, Any] = {key: first.meta[key] for key in ("site", "tags", "score", "title")}
        meta["accepted"] = first.meta["accepted"] is not None
        meta["answer_scores"] = scores
        yield Record(
            origin_key=container,
            locator=first.locator,
            payload="\n\n".join(pieces).encode("utf-8"),
            size=first.size,
            content_type="text/plain",
            charset="utf-8",
            url=first.url,
            date=first.date,
            license=first.license,
            meta=meta,
        )


def site_of(path: str) -> str:
    """The site of a file: its archive's name, or the folder that holds Posts.xml."""
    parts = path.split("/")
    if parts[-1].startswith("Posts.xml"):
        return parts[-2] if len(parts) > 1 else "stackexchange.com"
    return parts[-1].removesuffix(".7z").removesuffix("-Posts")


def _number_or_none(text: str) -> int | None:
    try:
        return whole_number(text)
    except ValueError:
        return None


def tags_of(text: str) -> list[str]:
    """Tags as ``<a><b>`` (older dumps) or ``|a|b|`` (newer ones)."""
    return [tag for tag in text.replace("<", "|").replace(">", "|").split("|") if tag]


_DUPLICATE_NOTICE = re.compile(
    r"\s*<blockquote>\s*<p>\s*<strong>Possible Duplicates?:</strong>.{0,2000}?</blockquote>", re.DOTALL
)
_TABS = re.compile(r"\t{2,}")


def text_of(body: bytes) -> str:
    """A post's HTML as text: code blocks, lists and quotes keep their lines; the notice of a duplicate goes."""
    html = body.decode("utf-8", "replace")
    notice = _DUPLICATE_NOTICE.match(html)
    tree = HTMLTree.parse(html[notice.end() :] if notice else html)
    text = extract_plain_text(
        tree, preserve_formatting=True, main_content=False, alt_texts=False, links=False
    )
    return str(text).strip() if "<pre" in html else _TABS.sub("\t", str(text)).strip()
