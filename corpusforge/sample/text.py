"""Text that looks like language: sentences from hand-written phrase banks, paragraphs, headings, titles."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from corpusforge.sample.draw import Deck, Draw

_SLOT = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Language:
    """A language of the generator.

    `banks` maps names to phrases. `patterns` are sentences with slots in braces: a slot is the name of a
    bank, or of a `builder`, which makes a phrase (a noun phrase with article and adjective) from the banks.
    `labels` are the words of a page's furniture: navigation, cookie banner, footer.
    """

    code: str
    banks: Mapping[str, Sequence[str]]
    patterns: Sequence[str]
    headings: Sequence[str]
    builders: Mapping[str, Callable[[Callable[[str], str]], str]]
    labels: Mapping[str, str]
    contractions: Sequence[tuple[str, str]] = ()
    """Pairs (written apart, contracted) that are applied to a filled sentence."""


class Writer:
    """Writes sentences of one language from one stream of choices."""

    def __init__(self, language: Language, draw: Draw) -> None:
        self.language = language
        self.draw = draw
        self._decks: dict[str, Deck] = {}

    def deal(self, bank: str) -> str:
        """The next phrase of a bank; the banks `number` and `year` are counted, not written down."""
        if bank == "number":
            return str(self.draw.between(2, 97))
        if bank == "year":
            return str(self.draw.between(1871, 2019))
        deck = self._decks.get(bank)
        if deck is None:
            deck = self._decks[bank] = Deck(self.draw, self._phrases(bank))
        return deck.deal()

    def _phrases(self, bank: str) -> Sequence[str]:
        if bank == "pattern":
            return self.language.patterns
        if bank == "heading":
            return self.language.headings
        return self.language.banks[bank]

    def _fill(self, match: re.Match[str]) -> str:
        slot = match.group(1)
        builder = self.language.builders.get(slot)
        return builder(self.deal) if builder else self.deal(slot)

    def _written(self, pattern: str) -> str:
        filled = _SLOT.sub(self._fill, pattern)
        for apart, contracted in self.language.contractions:
            filled = filled.replace(apart, contracted)
        return filled[0].upper() + filled[1:]

    def sentence(self) -> str:
        """One sentence with its closing mark."""
        return self._written(self.deal("pattern"))

    def heading(self) -> str:
        """A few words without a closing mark."""
        return self._written(self.deal("heading"))

    def paragraph(self, sentences: int) -> str:
        """Sentences joined by spaces."""
        return " ".join(self.sentence() for _ in range(sentences))

    def paragraphs(self, count: int) -> list[str]:
        """Paragraphs of three to six sentences."""
        return [self.paragraph(self.draw.between(3, 6)) for _ in range(count)]


def phrases(block: str) -> tuple[str, ...]:
    """Phrases of a bank, written separated by slashes and line ends."""
    return tuple(part.strip() for part in re.split(r"[/\n]", block) if part.strip())


def plain_text(language: Language, draw: Draw, size: int) -> str:
    """At least `size` characters of running text: paragraphs, one a line."""
    writer = Writer(language, draw)
    lines: list[str] = []
    written = 0
    while written < size:
        line = writer.paragraph(draw.between(3, 7))
        lines.append(line)
        written += len(line) + 1
    return "\n".join(lines) + "\n"
