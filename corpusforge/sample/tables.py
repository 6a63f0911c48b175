"""Sample text in the row formats: C4's JSON lines, Wikipedia's XML, Stack Exchange's posts, Reddit's comments."""

from __future__ import annotations

import bz2
import html
import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import zstandard

from corpusforge.sample.containers import Folder, cut
from corpusforge.sample.english import ENGLISH
from corpusforge.sample.pages import good_page, page_with_personal_data
from corpusforge.sample.text import Writer
from corpusforge.sample.warc import gzip_member

_C4_FIRST = 100_000
"""Page numbers of C4's own documents: far from those of the web pages."""
_WIKIPEDIA_FIRST = 200_000
_C4_ROWS = 120
_SHARED_PAGES = (1, 3, 5)
"""English pages of the web files whose text Wikipedia has as well."""
_ARTICLES = 48
_COPIED = 30
"""The first of ten articles in a row that C4 has copies of: none of them a redirect or the like."""
_PAGES_PER_STREAM = 16
_QUESTIONS = 80
_DAMAGED_ROW = 5
_TREES = 40


def write_c4(folder: Folder) -> None:
    """Two shards as C4 names them; the second breaks off. Some rows are the text of Wikipedia articles."""
    lines: list[list[bytes]] = [[], []]
    for number in range(_C4_ROWS):
        shard = number * 2 // _C4_ROWS
        name, at = f"c4-train.{shard:05d}-of-00002.json.gz", len(lines[shard])
        if number % 12 == 5:
            made, kind = page_with_personal_data(folder.seed, _C4_FIRST + number), "pii"
        elif number % 12 == 7:
            made, kind = (
                good_page(folder.seed, _WIKIPEDIA_FIRST + _COPIED + number // 12, "en"),
                "in_wikipedia",
            )
        else:
            made, kind = good_page(folder.seed, _C4_FIRST + number, "en"), "good"
        row = {"text": made.text, "timestamp": f"2019-04-{1 + number % 28:02d}T10:00:00Z", "url": made.url}
        line = json.dumps(row, sort_keys=True).encode()
        if number == 20:
            line, kind = line[: len(line) // 2], "damaged"
        elif number == 30:
            line, kind = json.dumps({**row, "text": None}, sort_keys=True).encode(), "damaged"
        lines[shard].append(line)
        folder.note(name, at, kind)
    for shard, content in enumerate(lines):
        data = gzip_member(b"".join(line + b"\n" for line in content))
        name = f"c4-train.{shard:05d}-of-00002.json.gz"
        folder.write(name, cut(data) if shard == 1 else data)
        if shard == 1:
            folder.note(name, "end", "damaged", damage="truncated")


def write_wikipedia(folder: Folder) -> None:
    """A dump of pages-articles in the multistream layout: bz2 streams of a few pages each."""
    name = "enwiki-20240501-pages-articles-multistream.xml.bz2"
    pages = list(_wikipedia_pages(folder, name))
    streams = [_SITE_INFO]
    for first in range(0, len(pages), _PAGES_PER_STREAM):
        streams.append("".join(pages[first : first + _PAGES_PER_STREAM]))
    streams.append("</mediawiki>\n")
    folder.write(name, b"".join(bz2.compress(stream.encode("utf-8"), 9) for stream in streams))


_SITE_INFO = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="en">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>enwiki</dbname>
    <base>https://en.wikipedia.org/wiki/Main_Page</base>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="1" case="first-letter">Talk</namespace>
    </namespaces>
  </siteinfo>
"""


def _wikipedia_pages(folder: Folder, name: str) -> Iterator[str]:
    writer = Writer(ENGLISH, folder.draw("titles"))
    for number in range(_ARTICLES):
        title = f"{writer.heading()} ({number})"
        if number < len(_SHARED_PAGES):
            text = good_page(folder.seed, _SHARED_PAGES[number], "en").text
            kind = "in_commoncrawl"
        else:
            text, kind = good_page(folder.seed, _WIKIPEDIA_FIRST + number, "en").text, "good"
        space, body = 0, _wikitext(title, text, number)
        if number % 16 == 9:
            kind, body = "redirect", f"#REDIRECT [[{title}]]"
        elif number % 16 == 10:
            kind, body = (
                "disambiguation",
                f"'''{title}''' may be:\n* [[One]]\n* [[Two]]\n{{{{disambiguation}}}}",
            )
        elif number % 16 == 11:
            kind, space = "talk", 1
        made = _page(number, space, title, body)
        if number == 20:
            kind, made = "damaged", made.replace("</revision>", "</revisoin>")
        folder.note(name, number, kind)
        yield made


def _page(number: int, space: int, title: str, body: str) -> str:
    return (
        f"  <page>\n    <title>{escape(title)}</title>\n    <ns>{space}</ns>\n    <id>{1000 + number}</id>\n"
        f"    <revision>\n      <id>{5000 + number}</id>\n      <timestamp>2024-04-{1 + number % 28:02d}T08:00:00Z"
        f"</timestamp>\n      <model>wikitext</model>\n      <format>text/x-wiki</format>\n"
        f'      <text xml:space="preserve">{escape(body)}</text>\n    </revision>\n  </page>\n'
    )


def _wikitext(title: str, text: str, number: int) -> str:
    """A text with what wikitext puts around and into it: an infobox, links, references, categories."""
    lines = [f"{{{{Infobox place\n| name = {title}\n| number = {number}\n}}}}"]
    for place, line in enumerate(text.split("\n")):
        if line.startswith("# "):
            line = f"== {line[2:]} =="
        elif line.startswith("- "):
            line = f"* {line[2:]}"
        elif place == 1 and " " in line:
            first, rest = line.split(" ", 1)
            line = f"[[{first}]] {rest}<ref>{{{{cite book|title=Notes|year=1998}}}}</ref>"
        lines.append(line)
    return "\n\n".join([*lines, "<!-- checked -->\n[[Category:Places]]"])


def write_stackexchange(folder: Folder) -> None:
    """`Posts.xml` of one site: answers may stand before their question, scores are numbers, some posts are gone."""
    name = "gardening.stackexchange.com/Posts.xml"
    writer, draw = Writer(ENGLISH, folder.draw("posts")), folder.draw("scores")
    rows: list[tuple[int, str]] = []
    post = 1
    for number in range(_QUESTIONS):
        answers = [post + 1 + place for place in range(draw.between(1, 4))]
        scores = [draw.choice((-1, 0, 2, 9, 10, 33)) for _ in answers]
        kind = "question_deleted" if number % 20 == 13 else "good"
        folder.note(name, post, kind, answers=len(answers), scores=sorted(scores, reverse=True))
        if kind == "good":
            body = f"<p>{_prose(writer, 2)}</p>\n<pre><code>water = {number} * litres\n</code></pre>"
            facts = {"Title": writer.heading(), "Tags": "|plants|water|", "AcceptedAnswerId": answers[0]}
            rows.append((post, _row(post, 1, body, draw.between(0, 40), **facts)))
        for answer, score in zip(answers, scores):
            body = f"<p>{_prose(writer, 4)}</p>\n<ul><li>{html.escape(writer.sentence())}</li></ul>"
            rows.append((answer, _row(answer, 2, body, score, ParentId=post)))
        post = answers[-1] + 1
    # Dumps are sorted by id only mostly: every seventh post comes early.
    ordered = [row for place, (_, row) in enumerate(rows) if place % 7 == 3]
    ordered += [row for place, (_, row) in enumerate(rows) if place % 7 != 3]
    ordered[_DAMAGED_ROW] = ordered[_DAMAGED_ROW].replace("Score=", "Score", 1)
    folder.note(name, f"line {_DAMAGED_ROW + 3}", "damaged")
    content = "\n".join(['<?xml version="1.0" encoding="utf-8"?>', "<posts>", *ordered, "</posts>"]) + "\n"
    folder.write(name, content.encode("utf-8"))


def _prose(writer: Writer, sentences: int) -> str:
    return html.escape(writer.paragraph(sentences))


def _row(post: int, kind: int, body: str, score: int, **facts: Any) -> str:
    values = {"Id": post, "PostTypeId": kind, "CreationDate": "2020-05-01T10:00:00.000", "Score": score}
    values |= {"Body": body, **facts, "ContentLicense": "CC BY-SA 4.0"}
    attributes = " ".join(f"{name}={quoteattr(str(value))}" for name, value in values.items())
    return f"  <row {attributes.replace(chr(10), '&#xA;')} />"


def write_dialogue(folder: Folder) -> None:
    """Submissions and comments of a month as Pushshift packs them; the file of comments breaks off."""
    writer, draw = Writer(ENGLISH, folder.draw("talk")), folder.draw("scores")
    submissions: list[dict[str, Any]] = []
    comments: list[dict[str, Any]] = []
    for number in range(_TREES):
        own = f"t{number:03d}"
        kind = ("good", "good", "good", "deleted", "good", "low_score", "good", "bot")[number % 8]
        score = -4 if kind == "low_score" else draw.between(3, 200)
        author = {"deleted": "[deleted]", "bot": "helpful_bot"}.get(kind, f"person_{draw.below(50)}")
        text = "[deleted]" if kind == "deleted" else writer.paragraph(3)
        facts: dict[str, Any] = {"subreddit": "gardening", "created_utc": 1_588_320_000 + number * 60}
        submissions.append(
            {
                "id": own,
                "author": author,
                "title": writer.heading(),
                "selftext": text,
                "score": score,
                **facts,
            }
        )
        parent = f"t3_{own}"
        for turn in range(draw.between(2, 6)):
            reply = f"c{number:03d}{turn}"
            body = {
                "body": writer.paragraph(2),
                "score": draw.between(-1, 50),
                "author": f"person_{draw.below(50)}",
            }
            comments.append({"id": reply, "link_id": f"t3_{own}", "parent_id": parent, **body, **facts})
            parent = f"t1_{reply}" if draw.below(3) else f"t3_{own}"
        folder.note("RS_2020-05.jsonl.zst", number, kind)
    for name, rows in (("RS_2020-05.jsonl.zst", submissions), ("RC_2020-05.jsonl.zst", comments)):
        lines = [json.dumps(row, sort_keys=True) for row in rows]
        lines[7] = lines[7].replace('"id"', '"id', 1)
        folder.note(name, 7, "damaged")
        folder.write(name, zstandard.ZstdCompressor(level=3).compress(("\n".join(lines) + "\n").encode()))
