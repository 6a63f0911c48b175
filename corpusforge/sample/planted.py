"""What is planted in pages: personal data from documented examples, evaluation texts, blocklisted hosts.

Sources of the examples: example.com and .example (RFC 2606), 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24
(RFC 5737), 2001:db8::/32 (RFC 3849), telephone numbers for fiction (NANPA 555-0100 to 555-0199, Ofcom
020 7946 0000 to 0999, Bundesnetzagentur 030 23125 000 to 999), card numbers that payment providers document
for tests, IBAN examples of the SWIFT registry, the address of Bitcoin's first block.
"""

from __future__ import annotations

from dataclasses import dataclass

from corpusforge.sample.draw import Draw

_FIRST = ("alice", "bruno", "carla", "daniel", "emma", "felix", "greta", "hugo", "irene", "jonas")
_LAST = ("archer", "bauer", "conti", "dubois", "ellis", "fischer", "garcia", "hansen", "ivers", "jensen")
_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com")
_CARDS = (
    "4111 1111 1111 1111",
    "5555555555554444",
    "3782 822463 10005",
    "6011111111111117",
    "4012888888881881",
)
_IBANS = ("DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "FR1420041010050500013M02606")
_COIN = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"

BLOCKED_DOMAINS = {
    "gambling": ("lucky-spins.example", "royal-roulette.example"),
    "adult": ("after-dark.example",),
    "warez": ("cracked-apps.example",),
}
"""Category to domains, as `blocklists/<category>/domains` holds them (the layout of the UT1 lists)."""

BLOCKED_URLS = {
    "gambling": ("harbour-gazette.example/partner/poker",),
    "adult": ("blog-portal.example/x-rated",),
}
"""Category to URL prefixes, as `blocklists/<category>/urls` holds them."""


@dataclass(frozen=True)
class Personal:
    """A planted value: `type` as presidio names it, `value` exactly as it stands in the text."""

    type: str
    value: str


def _address(draw: Draw) -> str:
    """An IPv4 or IPv6 address of a documentation range."""
    if draw.below(3) == 0:
        return f"2001:db8::{draw.between(1, 0xFFFF):x}:{draw.between(1, 0xFFFF):x}"
    return f"{draw.choice(('192.0.2', '198.51.100', '203.0.113'))}.{draw.between(1, 254)}"


def _telephone(draw: Draw) -> str:
    """A telephone number that the regulators keep free for fiction."""
    kind = draw.below(3)
    if kind == 0:
        return f"({draw.choice(('212', '415', '617'))}) 555-01{draw.between(10, 99)}"
    if kind == 1:
        return f"+44 20 7946 0{draw.between(100, 999)}"
    return f"+49 30 23125 {draw.between(100, 999)}"


def personal_sentences(draw: Draw) -> list[tuple[str, list[Personal]]]:
    """English sentences with personal data, each with what it holds, in a drawn order."""
    email = f"{draw.choice(_FIRST)}.{draw.choice(_LAST)}@{draw.choice(_DOMAINS)}"
    phone, card, iban, address = _telephone(draw), draw.choice(_CARDS), draw.choice(_IBANS), _address(draw)
    sentences = [
        (
            f"For questions about the visit please write to {email} or call {phone} before noon.",
            [Personal("EMAIL_ADDRESS", email), Personal("PHONE_NUMBER", phone)],
        ),
        (f"The deposit was charged to the credit card {card} a week later.", [Personal("CREDIT_CARD", card)]),
        (
            f"Donations can be sent by bank transfer to the IBAN {iban} at any time.",
            [Personal("IBAN_CODE", iban)],
        ),
        (
            f"The last login to the archive came from the IP address {address} at night.",
            [Personal("IP_ADDRESS", address)],
        ),
        (f"Small gifts in bitcoin reach the wallet {_COIN} without any fee.", [Personal("CRYPTO", _COIN)]),
    ]
    return draw.shuffled(sentences)


EVALUATION_QUESTIONS = (
    (
        "A potter fires eleven bowls in a kiln that holds four bowls at once and needs ninety minutes for "
        "each firing. "
        "How many hours pass until the last bowl leaves the kiln, if she never lets it cool between firings?",
        "Four and a half hours, because eleven bowls need three firings of an hour and a half each.",
    ),
    (
        "Which of these liquids would a chemist choose to dissolve table salt quickly: cold olive oil, warm "
        "water, "
        "melted candle wax, or chilled turpentine taken from a sealed bottle?",
        "Warm water, because salt is ionic and heat speeds its solution.",
    ),
    (
        "If Marten is twice as old as Solveig was when Marten was as old as Solveig is now, and together "
        "they count "
        "forty-two years, how old is Solveig on her next birthday?",
        "Nineteen, since she is eighteen today and he is twenty-four.",
    ),
    (
        "Explain in one sentence why a metal spoon that was left in a freezer overnight feels colder to the "
        "tongue "
        "than a plastic spoon which lay beside it for the very same length of time.",
        "Metal conducts heat away from the tongue far faster than plastic does.",
    ),
)
"""Questions and answers that stand in `eval/questions.jsonl`."""

EVALUATION_PASSAGES = (
    "Seven grey herons stood upon the frozen sluice while the lockkeeper counted barges aloud in a language "
    "that not "
    "one of the bargemen had ever heard, and when the eighth heron landed he closed his ledger, put out his "
    "pipe, and "
    "walked home across the ice without his boots.",
    "Nothing in the manual of the orbital tug prepared Ensign Okonkwo for the smell of burnt cinnamon that "
    "filled the "
    "airlock each time the antenna swung toward Ganymede, nor for the polite knocking which always followed "
    "it.",
    "The second theorem states that every finite garden of hedges admits a walk which passes each gap "
    "exactly once "
    "whenever no more than two of its clearings are left with an odd number of gaps.",
)
"""Passages that stand in `eval/reading.txt`, a paragraph each."""

EVALUATION_SHORT = ("Yes, it does.", "Forty-two", "The capital of France is Paris.")
"""Items shorter than an n-gram, in `eval/short.jsonl`."""


def evaluation_item(number: int) -> str:
    """The text that the `number`-th contaminated page holds: a passage or a question in turn."""
    if number % 2 == 0:
        return EVALUATION_PASSAGES[number // 2 % len(EVALUATION_PASSAGES)]
    return EVALUATION_QUESTIONS[number // 2 % len(EVALUATION_QUESTIONS)][0]
