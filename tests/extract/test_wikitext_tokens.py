"""Prose from tokens is the prose from nodes, for every wikitext; tokens that are odd are left to the nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("mwparserfromhell")

from mwparserfromhell.parser import tokens as kinds

from corpusforge.extract import wikitext
from corpusforge.extract.wikitext import wikitext_to_text, wikitext_to_text_by_nodes
from corpusforge.extract.wikitext_tokens import IrregularTokensError, TokenProse
from corpusforge.sources.base import Record, SourceFile
from corpusforge.sources.wikipedia import Wikipedia

FILES, CATEGORIES = {"file", "image", "datei"}, {"category"}

PIECES = [
    *(
        "{{",
        "}}",
        "{{{",
        "}}}",
        "[[",
        "]]",
        "[",
        "]",
        "|",
        "||",
        "=",
        "==",
        "===",
        "\n",
        "\n\n",
        " ",
        "  ",
        "''",
        "'''",
    ),
    *(
        "{|",
        "|}",
        "\n|-",
        "\n|",
        "\n!",
        "!!",
        "\n{| class=x",
        "\n|}",
        "\n*",
        "\n#",
        "\n:",
        "\n;",
        "\n----",
        ":",
        "#",
    ),
    *(
        "<ref>",
        "</ref>",
        "<ref name=a />",
        '<ref name="a b">',
        "<ref name=a b=c>",
        "<br>",
        "</br>",
        "<br/>",
        "<nowiki>",
    ),
    *(
        "</nowiki>",
        "<math>",
        "</math>",
        "<code>",
        "</code>",
        "<pre>",
        "</pre>",
        "<poem>",
        "</poem>",
        "<div style=",
        ">",
    ),
    *(
        "</div>",
        "<td>",
        "<tr>",
        "<table>",
        "</table>",
        "<li>",
        "<!--",
        "-->",
        "<",
        "/>",
        '"',
        "'",
        "<small\t>",
        "</small >",
    ),
    *("&nbsp;", "&#8211;", "&#x2013;", "&#X41;", "&amp;", "&bogus;", "&#xd800;", "&#0;", "&", ";"),
    *(
        "http://a.example",
        "https://b.example/x",
        "mailto:a@b.example",
        "File:x.jpg",
        "Datei:y.png",
        "Category:C",
        "de:",
    ),
    *(
        "lang",
        "convert",
        "5",
        "km",
        "formatnum:",
        "lang-de",
        "nowrap",
        "cite web",
        "word",
        "Ä",
        "字",
        "(",
        ")",
        ",",
        ".",
    ),
    *("\t", "\u00a0", "\u3000", "\ue000", "\ue001", "__NOTOC__", "a=b", "colspan=2", "{{{1|", "#if:"),
]

wikitexts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join)


@st.composite
def nested(draw: st.DrawFn) -> str:
    """Balanced markup, so that most of it parses."""
    form = st.sampled_from(
        [
            *(
                "{{lang|fr|%s}}",
                "{{cite|a=%s}}",
                "{{%s|x}}",
                "{{convert|%s|km}}",
                "[[%s]]",
                "[[File:a.jpg|%s]]",
            ),
            *(
                "[[b|%s]]",
                "[http://a.example %s]",
                "<ref name=a>%s</ref>",
                "<ref name=%s />",
                "<div %s>x</div>",
            ),
            *("\n== %s ==\n", "<!--%s-->", "<code>%s</code>", "<math>%s</math>", "<span style=%s>y</span>"),
            *(
                "\n{|\n! h\n|-\n| %s || z\n|}\n",
                "\n{| %s\n| a\n|}\n",
                "\n* %s\n",
                "<td %s>c</td>",
                "{{{1|%s}}}",
            ),
            *(
                '<div class="%s">w</div>',
                "<pre>%s</pre>",
                "''%s''",
                "{{nowrap|1=%s}}",
                "&%s;",
                "\n|-  %s |\n",
            ),
        ]
    )
    text = draw(wikitexts)
    for outer in draw(st.lists(form, max_size=5)):
        text = (
            draw(st.sampled_from(["", "a ", "\n"]))
            + outer.replace("%s", text)
            + draw(st.sampled_from(["", " b"]))
        )
    return text


def outcome(write: object, text: str) -> str:
    try:
        return write(text, FILES, CATEGORIES)
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


@settings(max_examples=150, deadline=None)
@given(nested())
@example("{{" * 200)
@example("<div a=" * 60 + "x" + "></div>" * 60)
@example("{| a = b c\n| d || style=x y | e\n|}")
@example("[[a|b|c]] [[|]] {{a|b=c=d|=e}} <br =x> <br x = 'y z' />")
def test_tokens_give_what_nodes_give(text: str) -> None:
    assert outcome(wikitext_to_text, text) == outcome(wikitext_to_text_by_nodes, text)


def test_real_pages_give_what_their_nodes_give(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def both(text: str, files: set[str], categories: set[str]) -> str:
        prose = wikitext_to_text(text, files, categories)
        assert prose == wikitext_to_text_by_nodes(text, files, categories)
        return prose

    pages = 0
    for name in (
        "afwiki-minidump",
        "arwiki-minidump",
        "jawiki-minidump",
        "plwiki-minidump",
        "enwiki-table-markup",
    ):
        path = shared_data / "wikipedia" / f"{name}.xml.bz2"
        with monkeypatch.context() as patch, path.open("rb") as stream:
            patch.setattr("corpusforge.extract.wikitext.wikitext_to_text", both)
            read = Wikipedia().records(SourceFile(path.name, str(path), path.stat().st_size), stream)
            pages += sum(isinstance(item, Record) for item in read)
    assert pages > 5


@pytest.mark.parametrize(
    "tokens",
    [
        [kinds.TemplateOpen(), kinds.Text(text="a")],
        [kinds.TemplateClose()],
        [kinds.TemplateParamSeparator()],
        [kinds.WikilinkOpen(), kinds.Text(text="a"), kinds.TemplateClose()],
        [kinds.HTMLEntityNumeric()],
        [kinds.WikilinkOpen(), kinds.WikilinkSeparator(), kinds.WikilinkSeparator(), kinds.WikilinkClose()],
        [kinds.TagOpenOpen(), kinds.Text(text="b"), kinds.TagCloseOpen(), kinds.TagCloseClose()],
        [
            kinds.TagOpenOpen(),
            kinds.Text(text="b"),
            kinds.TagOpenClose(),
            kinds.TagCloseOpen(),
            kinds.TagCloseClose(),
        ],
        [kinds.TagOpenOpen(), kinds.Text(text="b"), kinds.TagCloseOpen(), kinds.TagCloseSelfclose()],
        [kinds.TagOpenOpen(), kinds.Text(text="b"), kinds.TagCloseSelfclose(padding="x")],
        [
            kinds.TagOpenOpen(),
            kinds.Text(text="b"),
            kinds.TagAttrStart(pad_first="x"),
            kinds.TagCloseSelfclose(),
        ],
        [
            *(kinds.TagOpenOpen(), kinds.Text(text="b"), kinds.TagAttrStart(), kinds.Text(text="c")),
            *(kinds.TagAttrEquals(), kinds.Text(text="d e"), kinds.TagCloseSelfclose()),
        ],
    ],
)
def test_odd_tokens_are_left_to_the_nodes(tokens: list) -> None:
    with pytest.raises(IrregularTokensError):
        TokenProse(tokens, frozenset()).write_page()


def test_what_tokens_cannot_give_comes_from_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: TokenProse) -> None:
        raise IrregularTokensError("for the test")

    monkeypatch.setattr(TokenProse, "write_page", refuse)
    assert wikitext_to_text("a [[b|c]]", FILES, CATEGORIES) == "a c"


def test_errors_of_the_parser_are_errors_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from mwparserfromhell.parser import ParserError

    def fail(text: str) -> list:
        raise ParserError("for the test")

    monkeypatch.setattr(wikitext, "_tokens", fail)
    for write in (wikitext_to_text, wikitext_to_text_by_nodes):
        with pytest.raises(ValueError, match="for the test"):
            write("a", FILES, CATEGORIES)
