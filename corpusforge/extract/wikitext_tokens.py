"""A page's prose from the tokens of mwparserfromhell, without the tree of nodes that it makes of them.

Making nodes is by far the largest part of parsing, and a page needs few of them. Tokens hold all that nodes are made
of (``mwparserfromhell/parser/tokens.py``, ``builder.py``): what opens has an end, and separators between. Where tokens
are not as the tokenizer makes them, or where making a node checks its arguments and would refuse them, the page is
`IrregularTokensError`, and its nodes have to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from mwparserfromhell.parser import tokens as kinds
from mwparserfromhell.parser.builder import Builder

from corpusforge.extract.wikitext_prose import Prose

_PAIRS: dict[type, tuple[type, ...]] = {
    kinds.TemplateOpen: (kinds.TemplateClose,),
    kinds.ArgumentOpen: (kinds.ArgumentClose,),
    kinds.WikilinkOpen: (kinds.WikilinkClose,),
    kinds.ExternalLinkOpen: (kinds.ExternalLinkClose,),
    kinds.HTMLEntityStart: (kinds.HTMLEntityEnd,),
    kinds.HeadingStart: (kinds.HeadingEnd,),
    kinds.CommentStart: (kinds.CommentEnd,),
    kinds.TagOpenOpen: (kinds.TagCloseClose, kinds.TagCloseSelfclose),
}
_OPENS, _CLOSES, _DIVIDES = 1, 2, 3
_ROLES: dict[type, int] = {
    **dict.fromkeys(_PAIRS, _OPENS),
    **{close: _CLOSES for closes in _PAIRS.values() for close in closes},
    **dict.fromkeys((kinds.TemplateParamSeparator, kinds.TemplateParamEquals), _DIVIDES),
    **dict.fromkeys(
        (kinds.ArgumentSeparator, kinds.WikilinkSeparator, kinds.ExternalLinkSeparator), _DIVIDES
    ),
    **dict.fromkeys((kinds.TagAttrStart, kinds.TagAttrEquals), _DIVIDES),
    **dict.fromkeys((kinds.TagCloseOpen, kinds.TagOpenClose), _DIVIDES),
}

_TAG_ENDS = _PAIRS[kinds.TagOpenOpen]
_PADDINGS = ("pad_first", "pad_before_eq", "pad_after_eq")
_SPACE = re.compile(r"\s")

Span = tuple[int, int]
"""Tokens from the first on, before the second."""


class IrregularTokensError(ValueError):
    """Tokens that are not written from here: the nodes of the page decide."""


class TokenProse(Prose[Span]):
    """Writes a page from its tokens. Raises `IrregularTokensError`, and what `Prose` raises."""

    def __init__(self, tokens: list[Any], dropped: frozenset[str]) -> None:
        super().__init__(dropped)
        self._tokens = tokens
        self._close: dict[int, int] = {}
        """Place of what opens to that of its end."""
        self._dividers: dict[int, list[int]] = {}
        """Place of what opens to those of the separators that are its own."""
        self._pair()

    def write_page(self) -> None:
        """Write all."""
        self.write((0, len(self._tokens)))

    def write(self, part: Span) -> None:
        """Write the things of a span, each from its first token on."""
        tokens, text = self._tokens, kinds.Text
        place, bound = part
        while place < bound:
            token = tokens[place]
            self.visit()
            kind = type(token)
            if kind is text:
                self.text(token["text"])
                place += 1
                continue
            end = self._close.get(place)
            if end is None:
                raise IrregularTokensError(f"{kind.__name__} stands alone")
            if kind in _WRITERS:
                _WRITERS[kind](self, token, place, end)
            place = end + 1

    def source(self, part: Span) -> str:
        """Text stands in tokens as it is; for all else nodes are made."""
        begin, end = part
        if end - begin == 1 and type(self._tokens[begin]) is kinds.Text:
            text: str = self._tokens[begin]["text"]
            return text
        found = self._tokens[begin:end]
        if all(type(token) is kinds.Text for token in found):
            return "".join([token["text"] for token in found])
        return str(Builder().build(found))

    def _pair(self) -> None:
        """Find the end of all that opens, and its separators; look at the attributes of tags."""
        opened: list[int] = []
        role_of, dividers = _ROLES.get, self._dividers
        for place, token in enumerate(self._tokens):
            role = role_of(type(token))
            if role is None:
                continue
            if role == _OPENS:
                opened.append(place)
                dividers[place] = []
            elif not opened:
                raise IrregularTokensError(f"{type(token).__name__} of nothing")
            elif role == _DIVIDES:
                dividers[opened[-1]].append(place)
            else:
                begin = opened.pop()
                if type(token) not in _PAIRS[type(self._tokens[begin])]:
                    raise IrregularTokensError(f"{type(token).__name__} ends another token")
                self._close[begin] = place
                if type(token) in _TAG_ENDS:
                    self._check_tag(begin, place)
        if opened:
            raise IrregularTokensError(f"{type(self._tokens[opened[-1]]).__name__} has no end")

    def _check_tag(self, begin: int, end: int) -> None:
        """Whether the tag's tokens stand in their order, and its attributes are such as a node takes."""
        tokens, dividers = self._tokens, self._dividers[begin]
        head = end
        if type(tokens[end]) is kinds.TagCloseClose:
            parts = [type(tokens[place]) for place in dividers[-2:]]
            if parts != [kinds.TagCloseOpen, kinds.TagOpenClose]:
                raise IrregularTokensError("a tag without its parts")
            head, dividers = dividers[-2], dividers[:-2]
        if not _is_padding(tokens[head].get("padding")):
            raise IrregularTokensError("a tag with more than spaces at its end")
        for place, last in pairwise((*dividers, head)):
            if type(tokens[place]) is kinds.TagAttrStart:
                if not all(_is_padding(tokens[place].get(name)) for name in _PADDINGS):
                    raise IrregularTokensError("an attribute among other than spaces")
            elif type(tokens[place]) is not kinds.TagAttrEquals:
                raise IrregularTokensError("a tag with parts among its attributes")
            elif type(tokens[place + 1]) is not kinds.TagAttrQuote:
                self._check_unquoted(place + 1, last)

    def _check_unquoted(self, place: int, end: int) -> None:
        """The value of an attribute that has no quotation marks: a node refuses spaces in it."""
        while place < end:
            token = self._tokens[place]
            if type(token) is kinds.Text and _SPACE.search(token["text"]) is not None:
                raise IrregularTokensError("spaces in a value without quotation marks")
            place = self._close.get(place, place) + 1

    def _write_entity(self, token: Any, place: int, end: int) -> None:
        value = self._tokens[end - 1]["text"]
        if end - place == 2:
            self.entity("named", value)
        else:
            self.entity("decimal" if end - place == 3 else self._tokens[end - 2].char, value)

    def _write_heading(self, token: Any, place: int, end: int) -> None:
        self.heading(int(token.level), (place + 1, end))

    def _write_link(self, token: Any, place: int, end: int) -> None:
        bound, words = self._divided(place, end)
        self.link(self.source((place + 1, bound)), words)

    def _write_external_link(self, token: Any, place: int, end: int) -> None:
        bound, title = self._divided(place, end)
        self.external_link((place + 1, bound), title, bool(token.brackets))

    def _divided(self, place: int, end: int) -> tuple[int, Span | None]:
        """Where the first part of a link ends, and its second part."""
        dividers = self._dividers[place]
        if len(dividers) > 1:
            raise IrregularTokensError("a link of more than two parts")
        return (dividers[0], (dividers[0] + 1, end)) if dividers else (end, None)

    def _write_template(self, token: Any, place: int, end: int) -> None:
        dividers = self._dividers[place]
        values: list[Span] = []
        for number, divider in enumerate(dividers):
            following = dividers[number + 1] if number + 1 < len(dividers) else end
            if type(self._tokens[divider]) is kinds.TemplateParamEquals and values:
                values.pop()
            values.append((divider + 1, following))
        self.template(self.source((place + 1, dividers[0] if dividers else end)), values)

    def _write_tag(self, token: Any, place: int, end: int) -> None:
        dividers = self._dividers[place]
        name = self.source((place + 1, dividers[0] if dividers else end))
        closed = type(self._tokens[end]) is kinds.TagCloseClose
        self.tag(name, (dividers[-2] + 1, dividers[-1]) if closed else (end, end))


def _is_padding(text: str | None) -> bool:
    return not text or text.isspace()


_WRITERS: dict[type, Callable[[TokenProse, Any, int, int], None]] = {
    kinds.HTMLEntityStart: TokenProse._write_entity,
    kinds.HeadingStart: TokenProse._write_heading,
    kinds.WikilinkOpen: TokenProse._write_link,
    kinds.ExternalLinkOpen: TokenProse._write_external_link,
    kinds.TemplateOpen: TokenProse._write_template,
    kinds.TagOpenOpen: TokenProse._write_tag,
}
"""Comments and arguments are not among them: they say nothing to a reader."""
