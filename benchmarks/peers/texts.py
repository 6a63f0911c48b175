"""Texts of our own around the thresholds of the rule sets, for what the peers say about them.

Each family sweeps what one rule looks at across its threshold; the rest of the text is plain. Equal for equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(" "))


WORDS = _words(
    "river stone garden window letter morning winter summer table paper market bridge island teacher doctor village "
    "mountain forest kitchen station picture question answer country history music weather journey harbour library "
    "engine number circle colour shadow silver copper wooden narrow bright gentle early quiet ancient modern simple "
    "carries follows opens closes gathers measures repairs remembers describes crosses visits watches builds finds"
)
GLUE = ("the", "of", "and", "to", "that", "with", "a", "in", "for", "on", "have", "be")
ODD = _words(
    "don't cannot I'm we'll it's o'clock U.S.A. e.g. i.e. a.m. Mr. 10km 3.5% $20 (so) [1] [citation needed] well-known "
    "and/or http://example.org/a?b=c mail@example.org :) ;-) ... … -- — “quoted” 'single' naïve Straße x=y 1,000.5 "
    "100€ rock'n'roll C++ #tag @name l'été don’t 50°C. etc. No.5 2nd 10:30 gonna Id dont U.K. Ph.D. 日本語 русский"
)


def _sentence(random: Random, words: int, end: str = ".") -> str:
    chosen = [(GLUE if random.random() < 0.4 else WORDS) for _ in range(words)]
    text = " ".join(group[int(random.random() * len(group))] for group in chosen)
    return text[:1].upper() + text[1:] + end


def _lines(random: Random, count: int, words: int = 12) -> list[str]:
    return [_sentence(random, words + int(random.random() * 5)) for _ in range(count)]


def _length(random: Random, share: float) -> str:
    return _sentence(random, 40 + int(share * 22))


def _word_length(random: Random, share: float) -> str:
    unit = "ab" if share < 0.5 else "internationalization"
    odd = [unit] * int(200 * abs(share - 0.5) * 2)
    return "\n".join([*_lines(random, 5), " ".join(odd) + "."])


def _hashes(random: Random, share: float) -> str:
    mark = "#" if share * 100 % 2 < 1 else "..."
    return "\n".join(line + (" " + mark) * int(share * 6) for line in _lines(random, 6))


def _bullets(random: Random, share: float) -> str:
    bullet = ("- ", "• ", "* ", "  - ")[int(random.random() * 4)]
    lines = _lines(random, 20, 8)
    return "\n".join(
        bullet + line if index < 20 * (0.8 + share / 5) else line for index, line in enumerate(lines)
    )


def _ellipses(random: Random, share: float) -> str:
    end = "..." if random.random() < 0.5 else "…"
    lines = _lines(random, 20, 8)
    return "\n".join(
        line[:-1] + end if index < 20 * (0.2 + share / 5) else line for index, line in enumerate(lines)
    )


def _numbers(random: Random, share: float) -> str:
    words = " ".join(_lines(random, 6)).split()
    return " ".join(str(index) if random.random() < share * 0.4 else word for index, word in enumerate(words))


def _stop_words(random: Random, share: float) -> str:
    stop = (["the"] * 3, ["The", "THE"], ["the", "of"], ["the"], [])[int(share * 5) % 5]
    words = [WORDS[int(random.random() * len(WORDS))] for _ in range(70)] + stop
    return " ".join(words) + "."


def _duplicate_lines(random: Random, share: float) -> str:
    lines = _lines(random, 14, 7)
    copies = lines[:1] * int(share * 12)
    joint = "\n\n" if random.random() < 0.5 else "\n"
    return joint.join([*lines, *copies])


def _pasted(random: Random, share: float) -> str:
    words = " ".join(_lines(random, 10)).split()
    passage = " ".join(words[: 5 + int(share * 50)])
    return " ".join(words[:60]) + " " + passage + " " + " ".join(words[60:]) + " " + passage


def _most_frequent(random: Random, share: float) -> str:
    lines = _lines(random, 8)
    phrase = " ".join(WORDS[:2] if random.random() < 0.5 else WORDS[:4])
    return " ".join(line + (" " + phrase) * int(share * 3.5) for line in lines)


def _cleaning(random: Random, share: float) -> str:
    lines = _lines(random, 3 + int(share * 8), 4)
    special = (
        "Please enable JavaScript to see this page.",
        "Read our privacy policy before you go on.",
        "Two words.",
        "One [2] [edit] word [citation needed].",
        "A line that does not end",
        "It ends with three points...",
        "It ends with an apostrophe'",
        'It ends with a quotation mark"',
        "A word of a thousand letters " + "x" * 1001 + " stands here.",
        "Function call() { returns nothing here.",
        "Lorem ipsum dolor sit amet.",
        'Really? Yes! So it is. "Good." (Fine.) And more.',
        "Dr. Smith came at 10 a.m. and left at 3.5 p.m. today.",
    )
    chosen = [special[int(random.random() * len(special))] for _ in range(int(random.random() * 5))]
    return "\n".join([*chosen, *lines])


def _short_lines(random: Random, share: float) -> str:
    lines = _lines(random, 20, 8)
    cut = [" ".join(line.split()[:3]) for line in lines]
    mark = (".", "", "?", "。", '"', "'")[int(random.random() * 6)]
    joint = "\n" * (1 + int(random.random() * 2) * 4)
    return joint.join(
        cut[index] + mark if index < 20 * (0.5 + share / 3) else lines[index] for index in range(20)
    )


def _odd(random: Random, share: float) -> str:
    words = []
    for _ in range(40 + int(share * 60)):
        group = ODD if random.random() < 0.35 else WORDS if random.random() < 0.6 else GLUE
        words.append(group[int(random.random() * len(group))])
    spaces = (" ", " ", " ", "  ", "\n", "\t", "\u00a0", "\n\n", " \n", "\u2028")
    return "".join(word + spaces[int(random.random() ** 3 * len(spaces))] for word in words)


FAMILIES: tuple[Callable[[Random, float], str], ...] = (
    _length,
    _word_length,
    _hashes,
    _bullets,
    _ellipses,
    _numbers,
    _stop_words,
    _duplicate_lines,
    _pasted,
    _most_frequent,
    _cleaning,
    _short_lines,
    _odd,
)


def texts(each: int = 20) -> Iterator[tuple[str, str]]:
    """Give (family, text), `each` of every family."""
    for number, family in enumerate(FAMILIES):
        for index in range(each):
            yield family.__name__.strip("_"), family(Random(number * 1000 + index), index / each)
    yield "empty", ""
    yield "blank", " \n\t\n "
    yield "word", "word"
