"""Sample archives: repositories of source code, arXiv's bulk source, Project Gutenberg's books and EPUB."""

from __future__ import annotations

import html
import re
import textwrap

from corpusforge.sample.containers import Folder, cut, tar_gz_of, tar_of, zip_of
from corpusforge.sample.draw import Draw
from corpusforge.sample.english import ENGLISH
from corpusforge.sample.text import Writer
from corpusforge.sample.warc import gzip_member

_PAPERS = 16
_BOOKS = 5
_BOOK_PARAGRAPHS = 90
_FILES = 10

MIT = """MIT License

Copyright (c) 2020 The authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def write_github(folder: Folder) -> None:
    """Repositories as archives: three that may be used, one without a licence, one that breaks off."""
    plain = [(f"orchard{number}", number) for number in range(3)]
    for name, number in plain:
        top = f"sample-{name}-{number:07x}"
        files = [(f"{top}/{path}", data) for path, data in _repository(folder, name)]
        file = f"sample-{name}.{'zip' if number == 1 else 'tar.gz'}"
        folder.write(file, zip_of(files) if number == 1 else tar_gz_of(files))
    files = [(f"sample-closed-0000009/{path}", data) for path, data in _repository(folder, "closed")]
    folder.write("sample-closed.tar.gz", tar_gz_of([item for item in files if "LICENSE" not in item[0]]))
    files = [(f"sample-broken-0000008/{path}", data) for path, data in _repository(folder, "broken")]
    folder.write("sample-broken.tar.gz", cut(tar_gz_of(files)))
    folder.note("sample-broken.tar.gz", "end", "damaged", damage="truncated")


def _repository(folder: Folder, name: str) -> list[tuple[str, bytes]]:
    """Files of one repository. `shared.py` is the same in each; the rest is drawn."""
    archive = f"sample-{name}.{'zip' if name == 'orchard1' else 'tar.gz'}"
    kind = {"closed": "no_license", "broken": "in_broken_archive"}.get(name, "good")
    found = [("LICENSE", MIT.encode()), ("src/shared.py", _python(folder.draw("shared"), 6).encode())]
    folder.note(archive, "src/shared.py", "exact_duplicate" if kind == "good" else kind)
    for number in range(_FILES):
        draw = folder.draw(name, number)
        if number % 2:
            path, text = f"lib/part_{number}.js", _javascript(draw, 5)
        else:
            path, text = f"src/part_{number}.py", _python(draw, 5)
        found.append((path, text.encode()))
        folder.note(archive, path, kind)
    minified = "var a=" + "+".join(f"f{number}({number})" for number in range(2000)) + ";"
    odd = [
        ("js/all.min.js", minified.encode(), "minified"),
        ("node_modules/left/index.js", _javascript(folder.draw("left"), 3).encode(), "vendored"),
        ("src/wide.py", ("values = [" + ", ".join(map(str, range(900))) + "]\n").encode(), "long_line"),
        ("data/image.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "binary"),
    ]
    for path, data, what in odd:
        found.append((path, data))
        folder.note(archive, path, what)
    return found


def _names(writer: Writer, count: int) -> list[str]:
    """Names of functions, from the words of headings."""
    return ["_".join(re.findall(r"[a-z]+", writer.heading().lower())[:3]) or "step" for _ in range(count)]


def _python(draw: Draw, functions: int) -> str:
    writer = Writer(ENGLISH, draw)
    lines = [f'"""{writer.sentence()}"""', "", "from __future__ import annotations", ""]
    for number, name in enumerate(_names(writer, functions)):
        limit, factor = draw.between(3, 90), draw.between(2, 9)
        lines += ["", f"def {name}_{number}(values: list[int], limit: int = {limit}) -> int:"]
        lines += [
            f'    """{writer.sentence()}"""',
            "    total = 0",
            "    for place, value in enumerate(values):",
        ]
        lines += [
            f"        if value % {factor} == 0 and place < limit:",
            f"            total += value * {factor}",
        ]
        lines += [f"    # {writer.sentence()}", f"    return total - {draw.between(1, 50)}", ""]
    return "\n".join(lines)


def _javascript(draw: Draw, functions: int) -> str:
    writer = Writer(ENGLISH, draw)
    lines = [f"// {writer.sentence()}", "'use strict';", ""]
    for number, name in enumerate(_names(writer, functions)):
        lines += [f"/** {writer.sentence()} */", f"function {name}_{number}(rows, options) {{"]
        lines += [f"  const limit = options.limit || {draw.between(2, 80)};", "  const found = [];"]
        lines += [
            "  rows.forEach((row, place) => {",
            f"    if (row.length > limit && place % {draw.between(2, 7)}) {{",
        ]
        lines += [
            f"      found.push(row.trim() + ' {draw.between(1, 99)}');",
            "    }",
            "  });",
            "  return found;",
            "}",
            "",
        ]
    return "\n".join(lines)


def write_arxiv(folder: Folder) -> None:
    """A bulk archive of e-prints: single files and projects in gzip, one PDF, one that is cut."""
    name = "arXiv_src_2404_001.tar"
    members: list[tuple[str, bytes]] = []
    for number in range(_PAPERS):
        identity = f"2404.{number + 1:05d}"
        writer, draw = Writer(ENGLISH, folder.draw("paper", number)), folder.draw("terms", number)
        kind = "good"
        if number % 3 == 2:
            kind = "project"
            body = {"main.tex": _latex(writer, draw, r"\input{sections/method}")}
            body["sections/method.tex"] = _section(writer, draw)
            data = gzip_member(tar_of([(path, text.encode()) for path, text in body.items()]))
        else:
            data = gzip_member(_latex(writer, draw, "").encode())
        member = f"2404/{identity}.gz"
        if number == 4:
            kind, member, data = "pdf_only", f"2404/{identity}.pdf", b"%PDF-1.5\n" + bytes(200)
        elif number == 7:
            kind, data = "damaged", cut(data)
        members.append((member, data))
        folder.note(name, member, kind)
    folder.write(name, tar_of(members))


def _latex(writer: Writer, draw: Draw, included: str) -> str:
    """A paper: definitions, an abstract, sections with formulas, comments, a bibliography."""
    sections = "\n\n".join(_section(writer, draw) for _ in range(4))
    entries = "\n".join(rf"\bibitem{{r{number}}} {writer.sentence()}" for number in range(6))
    return "\n".join(
        [
            r"\documentclass{article} % a comment",
            r"\newcommand{\field}{\mathbb{R}}",
            r"\def\operator{\mathcal{T}}",
            rf"\title{{{writer.heading()}}}",
            r"\begin{document}",
            r"\maketitle",
            rf"\begin{{abstract}} {writer.paragraph(3)} \end{{abstract}}",
            sections,
            included,
            r"\begin{thebibliography}{9}",
            entries,
            r"\end{thebibliography}",
            r"\end{document}",
            "",
        ]
    )


def _section(writer: Writer, draw: Draw) -> str:
    high = draw.between(2, 9)
    formula = (
        rf"\begin{{equation}} \operator x_{{{high}}} = \sum_{{i=1}}^{{n}} a_i x^{{{high}}} \end{{equation}}"
    )
    return "\n".join(
        [
            rf"\section{{{writer.heading()}}}",
            f"{writer.paragraph(4)} % {writer.heading()}",
            rf"Let $x \in \field^{{{draw.between(2, 9)}}}$ be given \cite{{r{draw.below(6)}}}.",
            formula,
            "",
            writer.paragraph(4),
        ]
    )


_HEADER = """The Project Gutenberg eBook of {title}, by {author}

This eBook is for the use of anyone anywhere at no cost.

Title: {title}

Author: {author}

Release Date: May, 2001 [EBook #{number}]

Language: English

Character set encoding: {charset}

*** START OF THE PROJECT GUTENBERG EBOOK {upper} ***

"""
_FOOTER = "\n\n*** END OF THE PROJECT GUTENBERG EBOOK {upper} ***\n\nUpdated editions will replace the previous one.\n"


def write_books(folder: Folder) -> None:
    """Texts in several encodings, a second edition of the first book, an EPUB, and one that is cut."""
    for number in range(_BOOKS):
        title, chapters = _book(folder, number)
        codec = "utf-8" if number % 2 == 0 else "iso-8859-1"
        name = f"{9000 + number}-{'0' if number % 2 == 0 else '8'}.txt"
        folder.write(name, _gutenberg(title, chapters, number, codec))
        folder.note(name, 0, "good", title=title)
    title, chapters = _book(folder, 0)
    chapters[0] = chapters[0][:-1]
    folder.write("old/9000-old.txt", _gutenberg(title, chapters, 0, "utf-8"))
    folder.note("old/9000-old.txt", 0, "near_duplicate", of="books/9000-0.txt")
    title, chapters = _book(folder, _BOOKS)
    book = _epub(title, chapters)
    folder.write("garden.epub", book)
    folder.note("garden.epub", 0, "good", title=title)
    folder.write("broken.epub", cut(book))
    folder.note("broken.epub", 0, "damaged")


def _book(folder: Folder, number: int) -> tuple[str, list[list[str]]]:
    """A title and chapters of paragraphs."""
    writer = Writer(ENGLISH, folder.draw("book", number))
    title = f"The {writer.heading()}"
    paragraphs = writer.paragraphs(_BOOK_PARAGRAPHS)
    size = _BOOK_PARAGRAPHS // 6
    return title, [paragraphs[first : first + size] for first in range(0, _BOOK_PARAGRAPHS, size)]


def _gutenberg(title: str, chapters: list[list[str]], number: int, codec: str) -> bytes:
    parts = []
    for place, paragraphs in enumerate(chapters):
        parts.append(f"CHAPTER {place + 1}")
        parts += [textwrap.fill(paragraph, 72) for paragraph in paragraphs]
    facts = {"title": title, "author": "André Müller", "number": 9000 + number, "upper": title.upper()}
    text = _HEADER.format(**facts, charset=codec.upper()) + "\n\n".join(parts) + _FOOTER.format(**facts)
    return text.replace("\n", "\r\n").encode(codec, "replace")


def _epub(title: str, chapters: list[list[str]]) -> bytes:
    """An EPUB 3 book: a container, a package document with its spine, and chapters in XHTML."""
    items = "".join(
        f'<item id="c{place}" href="c{place}.xhtml" media-type="application/xhtml+xml"/>'
        for place in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{place}"/>' for place in range(len(chapters)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">urn:sample:garden</dc:identifier>'
        f"<dc:title>{html.escape(title)}</dc:title><dc:language>en</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OPS/package.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    members = [("mimetype", b"application/epub+zip"), ("META-INF/container.xml", container.encode())]
    members.append(("OPS/package.opf", package.encode()))
    for place, paragraphs in enumerate(chapters):
        body = "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs)
        page = f'<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Chapter {place + 1}</h1>{body}</body></html>'
        members.append((f"OPS/c{place}.xhtml", page.encode()))
    return zip_of(members)
