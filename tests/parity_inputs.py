"""A small input for every recipe, made of the same generated articles, with every kind of duplicate planted."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from html import escape
from pathlib import Path

from corpusforge.models.train_lm import train_language_model
from corpusforge.sample.command import write_sample
from corpusforge.sample.draw import Draw
from corpusforge.sample.english import ENGLISH
from corpusforge.sample.planted import evaluation_item
from corpusforge.sample.text import Writer, plain_text

COUNT = 36
"""Articles; in every twelve of them one copy, two near copies, one evaluation text, one with personal data."""

LICENSE = """The MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without
limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the
Software, and to permit persons to whom the Software is furnished to do so, subject to the following
conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def article(number: int) -> list[str]:
    """Paragraphs of an article, or of a copy, a near copy, or one with something planted."""
    place = number % 12
    if number >= 12 and place == 7:
        return article(number - 11)
    if number >= 12 and place in (5, 9):
        near = article(number - 12 - place % 4)
        words = near[1].split()
        words[number % len(words)] = "elsewhere"
        return [near[0], " ".join(words), *near[2:]]
    paragraphs = list(Writer(ENGLISH, Draw("parity", number)).paragraphs(4))
    if place == 3:
        paragraphs.insert(2, evaluation_item(number // 12))
    if place == 4:
        paragraphs.insert(1, f"Write to person{number}@example.com or call the office on the first floor.")
    if place in (1, 6, 8):
        paragraphs.append("All of the stories on this page were first printed in the evening edition.")
    return paragraphs


ARTICLES = [article(number) for number in range(COUNT)]


def thirds(items: list) -> list[list]:
    """Three parts, for three files."""
    return [items[start::3] for start in range(3)]


def write_common_crawl(folder: Path) -> None:
    write_sample(folder / "sample", seed=1, pages=72, files=3)


def write_c4(folder: Path) -> None:
    for index, part in enumerate(thirds(list(enumerate(ARTICLES)))):
        rows = [
            # The second of two rows of the same URL is a duplicate by URL, whatever it says.
            {"text": "\n".join(text), "url": f"http://a.example/{number - (number % 12 == 11)}"}
            for number, text in part
        ]
        lines = [json.dumps(row).encode() for row in rows]
        (folder / f"c4-train.{index:05d}.json.gz").write_bytes(gzip.compress(b"\n".join([*lines, b"{bad"])))


def write_wikipedia(folder: Path) -> None:
    for index, part in enumerate(thirds(list(enumerate(ARTICLES)))):
        pages = "".join(
            f"  <page><title>Page {number}</title><ns>{0 if number % 11 else 1}</ns><id>{number + 1}</id><revision>"
            f"<id>{number}9</id><timestamp>2021-01-02T03:04:05Z</timestamp>"
            f"<text>{escape(chr(10).join(f'{line}{chr(10)}' for line in text))}</text></revision></page>\n"
            for number, text in part
        )
        head = (
            '<mediawiki xml:lang="en">\n  <siteinfo><dbname>enwiki</dbname>'
            "<base>https://en.wikipedia.org/wiki/Main_Page</base>"
            '<namespaces><namespace key="0" case="x" /></namespaces></siteinfo>\n'
        )
        (folder / f"enwiki-{index}.xml").write_text(f"{head}{pages}</mediawiki>\n")


def write_stackexchange(folder: Path) -> None:
    for index, site in enumerate(("coffee", "tea", "water")):
        rows = []
        for number, text in enumerate(thirds(ARTICLES)[index], 1):
            question, *answers = (escape(f"<p>{paragraph}</p>", quote=True) for paragraph in text)
            rows.append(
                f'<row Id="{number}" PostTypeId="1" Score="{number % 4}" Title="How {number}?" Body="{question}" />'
            )
            rows += [
                f'<row Id="{number * 100 + place}" PostTypeId="2" ParentId="{number}" Score="{place % 3}" '
                f'Body="{answer}" />'
                for place, answer in enumerate(answers)
            ]
        site_folder = folder / f"{site}.stackexchange.com"
        site_folder.mkdir()
        ordered = "\n".join(Draw("posts", site).shuffled(rows))
        (site_folder / "Posts.xml").write_text(f"<?xml version='1.0'?>\n<posts>\n{ordered}\n</posts>\n")


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def write_arxiv(folder: Path) -> None:
    for index, part in enumerate(thirds(list(enumerate(ARTICLES)))):
        papers = {
            f"0303/math0303{number:03d}.gz": gzip.compress(
                (
                    f"\\documentclass{{article}}\\title{{Paper {number}}}\\begin{{document}}\\section{{One}}\n"
                    + "\n\n".join(text)
                    + "\nHere $x_1^2 + y = 3$.\n\\end{document}"
                ).encode()
            )
            for number, text in part
        }
        papers[f"0303/math0303{900 + index}.pdf"] = b"%PDF-1.4"
        (folder / f"arXiv_src_0303_{index:03d}.tar").write_bytes(tar(papers))


def write_books(folder: Path) -> None:
    for number in range(5):
        text = "\r\n\r\n".join(line for part in ARTICLES[8 * number : 8 * number + 8] for line in part)
        if number == 4:  # another edition of the first book
            text = "\r\n\r\n".join(line for part in ARTICLES[:8] for line in part).replace(
                "evening", "morning"
            )
        (folder / f"{300 + number}.txt").write_text(
            f"Title: Book {number}\r\n\r\nRelease Date: May, 2001 [EBook #{300 + number}]\r\n\r\n"
            f"*** START OF THIS PROJECT GUTENBERG EBOOK {number} ***\r\n\r\n{text}\r\n\r\n"
            f"*** END OF THIS PROJECT GUTENBERG EBOOK {number} ***\r\n"
        )


def write_github(folder: Path) -> None:
    for index, part in enumerate(thirds(list(enumerate(ARTICLES)))):
        files = {f"octo{index}-tool-0123456/LICENSE": LICENSE.encode()}
        for number, text in part:
            functions = [
                f"def function_{place}(value, other={place}):\n"
                + "".join(
                    f"    # {sentence.strip()}.\n" for sentence in paragraph.split(".") if sentence.strip()
                )
                + f"    total = value * {place + 2} + other\n    return [total, value, other]\n"
                for place, paragraph in enumerate(text)
            ]
            files[f"octo{index}-tool-0123456/src/module_{number}.py"] = "\n\n".join(functions).encode()
        files[f"octo{index}-tool-0123456/node_modules/x/index.js"] = b"x()\n"
        (folder / f"octo{index}.tar.gz").write_bytes(gzip.compress(tar(files), mtime=0))


def write_dialogue(folder: Path) -> None:
    submissions, comments = [], []
    for number, (first, *replies) in enumerate(ARTICLES):
        common = {"subreddit": "ask", "created_utc": 1420070400 + number, "score": 5}
        name = f"s{number}"
        submissions.append(
            {"id": name, "title": "Why?", "selftext": first, "author": "a", "over_18": False} | common
        )
        parent = f"t3_{name}"
        for place, reply in enumerate(replies):
            row = {"id": f"c{number}x{place}", "link_id": f"t3_{name}", "parent_id": parent, "body": reply}
            comments.append(row | {"author": f"b{place % 2}"} | common)
            parent = f"t1_c{number}x{place}"
    for name, rows in (("RS_2015-01", submissions), ("RC_2015-01", comments)):
        shuffled = Draw("rows", name).shuffled(rows)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in shuffled))


WRITERS = {
    "commoncrawl": write_common_crawl,
    "c4": write_c4,
    "wikipedia": write_wikipedia,
    "stackexchange": write_stackexchange,
    "arxiv": write_arxiv,
    "books": write_books,
    "github": write_github,
    "dialogue": write_dialogue,
}
"""Source to what writes its files into a folder."""

PATTERNS = {
    "commoncrawl": ("sample/warc/*.warc.gz", "sample/wet/*.gz"),
    "stackexchange": ("*/Posts.xml",),
}


def write_inputs(folder: Path) -> dict[str, list[str]]:
    """Write the input of all sources; gives source to patterns."""
    found = {}
    for name, write in WRITERS.items():
        (folder / name).mkdir(parents=True)
        write(folder / name)
        found[name] = [str(folder / name / pattern) for pattern in PATTERNS.get(name, ("*",))]
    return found


def write_models(folder: Path, language_model: Path) -> None:
    """A model store with a small perplexity model and the given model for languages."""
    folder.mkdir()
    (folder / "lid.176.ftz").write_bytes(language_model.read_bytes())
    text = plain_text(ENGLISH, Draw("parity", "model"), 60_000).splitlines()
    train_language_model(text, "en", 3, folder / "lm" / "en", vocabulary_size=400)
