"""Wikitext as a reader sees it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("mwparserfromhell")

from corpusforge.extract.wikitext import is_redirect, wikitext_to_text, wikitext_to_text_by_nodes

FILES, CATEGORIES = {"file", "image"}, {"category"}


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("'''Bold''' and ''italic'' and '''''both'''''.", "Bold and italic and both."),
        ("L''''Autriche''' est", "L'Autriche est"),
        ("a [[link]] and [[Target page|its words]]s", "a link and its wordss"),
        ("[[File:x.jpg|thumb|A [[caption]]]]text[[Category:C]]", "text"),
        ("[[Lêer:x.svg|raam|senter]]teks", "teks"),
        ("fact<ref name=a>Smith 2004</ref>.<ref name=a />", "fact."),
        ("{{Infobox|a=b}}Start {{lang|fr|bonjour}} and {{convert|5|km}}.", "Start bonjour and 5 km."),
        ("Asphalt ({{IPA|x}}, occasionally) is", "Asphalt (occasionally) is"),
        ("An (''{{audio|x}}'') end", "An end"),
        ("Energy <math>E = mc^2</math> here", "Energy $E = mc^2$ here"),
        ("5&nbsp;km &amp; more &#8211; yes", "5 km & more – yes"),
        ("* one\n* two\n## three", "- one\n- two\n  - three"),
        ("== History ==\nText.\n=== Empty ===\n== See also ==\n* {{x}}", "History\n\nText."),
        ("== A ==\n=== B ===\ntext", "A\n\nB\n\ntext"),
        ("{|\n! h1 !! h2\n|-\n| a || b\n|}", "h1\th2\na\tb"),
        ("one<!-- hidden -->two __NOTOC__", "onetwo"),
        ("see [http://a.example the site] and http://b.example now", "see the site and http://b.example now"),
        ("", ""),
        # Code and formulas keep every character; prose beside them is mended.
        ("Call <code>main( )</code> ( )now", "Call main( ) now"),
        ("<pre>\n  f() ;\n\n\n    x\n</pre>", "  f() ;\n\n\n    x"),
        ("<math>f() , {{x}}</math> is", "$f() , {{x}}$ is"),
        ("<pre>&#9604;&lt;b&gt;</pre>", "▄<b>"),
        ("<nowiki>[[no link]] {{x}}</nowiki>", "[[no link]] {{x}}"),
        ("[[17.&nbsp;Juni]] and [[A &amp; B]]", "17. Juni and A & B"),
        # Markup that is not balanced.
        ("== People ==\n* ...\n== Works ==\n* -\n* one", "Works\n\n- one"),
        (
            "{| class=x\n! Year\n! People\n|-\n| 1999 || align=right | 3 386\ntext",
            "Year\nPeople\n\n1999\t3 386\ntext",
        ),
        ("{|\n| a\n|\n! \nb", "a\n\nb"),
        ("so-called [[racial\nlaws|laws]], a ]] b", "so-called laws, a b"),
        ("[[File:a.jpg|thumb|left|words [[b]] that never end\ntext", "text"),
        ("a</small> b <small></b>c</tr> }} x < y", "a b c x < y"),
        ('{|\n| x<br>y || colspan="5" {{yes}}\n|-\n| class=z {{n}} || 2\n|}', "x y\n2"),
        ("{{formatnum:12345}} and {{lang-de|Wort}}", "12345 and Wort"),
        ("a\ue000b\ue0010\ue001", "ab0"),
        # Private characters that mark headings and formulas here, as entities: they stand for nothing.
        ("&#xE000;", ""),
        ("&#57344;9 a", "9 a"),
        ("&#xE001;0&#xE001;", "0"),
        ("a <math>x</math> &#xE001;0&#xE001;", "a $x$ 0"),
        ("[[#&#xE001;0&#xe001;]] <math>x</math>", "#0 $x$"),
        ("<nowiki>&#xE001;0&#xE001;</nowiki><math>x</math>", "0$x$"),
        ("{{lang|fr|&#xE000;b}} <span title=&#xE000;>c</span>", "b c"),
        ("&amp;#xE001;0&amp;#xE001; <math>x</math>", "&#xE001;0&#xE001; $x$"),
        ("== &#xE000; A ==\nb", "A\n\nb"),
        ("{|\n| a\n== T ==\n| b\n|}", "a T\tb"),
    ],
)
def test_golden(wikitext: str, text: str) -> None:
    assert wikitext_to_text(wikitext, FILES, CATEGORIES) == text


@pytest.mark.parametrize(
    ("text", "redirect"),
    [
        ("#REDIRECT [[Target]]", True),
        ("#redirect:[[Target]]", True),
        (" #WEITERLEITUNG [[Ziel]]", True),
        ("#перенаправление [[Цель]]", True),
        ("# a list item [[x]]", False),
        ("Text #REDIRECT [[x]]", False),
    ],
)
def test_redirects(text: str, redirect: bool) -> None:
    assert is_redirect(text) is redirect


PIECES = [
    *("&", "#", "x", ";", "0", "1", "9", "&amp;", "&#xE000;", "&#xe001;", "&#57345;", "&amp;#xE001;"),
    *("\ue000", "\ue001", "[[", "]]", "[", "{{lang|fr|", "}}", "|", "\n", "\n== ", " ==\n", "(", ")", "<"),
    *("<math>", "</math>", "<nowiki>", "</nowiki>", "<code>", "</code>", "<span title=", ">", "</span>"),
    *("\n{|\n|", "\n|}", "\n* ", "- ", "class=", '"', " ", "a"),
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_no_text_raises_or_writes_a_formula_twice(chosen: list[str]) -> None:
    pieces = list(chosen)
    for count in range(pieces.count("<math>")):
        pieces[pieces.index("<math>")] = f"<math>F{count}F"
    for write in (wikitext_to_text, wikitext_to_text_by_nodes):
        text = write("".join(pieces), FILES, CATEGORIES)
        assert not set("\ue000\ue001") & set(text)
        assert all(text.count(f"F{count}F") <= 1 for count in range(25))


def test_an_entity_of_endless_digits_stays() -> None:
    entity = f"&#{'9' * 5000};"
    assert wikitext_to_text(f"<nowiki>{entity}</nowiki>", FILES, CATEGORIES) == entity


@pytest.mark.parametrize(
    "hostile", ["{{" * 5000, "[[" * 5000, "<ref>" * 5000, "'" * 10_000, "{|" * 2000, "\n*" * 20_000]
)
def test_hostile_markup_ends(hostile: str) -> None:
    assert isinstance(wikitext_to_text(hostile, FILES, CATEGORIES), str)
