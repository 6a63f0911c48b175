from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from memory_plan import Document, run_step

from corpusforge.dedup.lines import LineDedup, LineParameters


def oracle(documents: list[Document], min_words: int) -> dict[bytes, str]:
    """Walk the documents in priority order (here: by id) and keep each line at its first place."""
    seen: set[str] = set()
    texts = {}
    for document in sorted(documents, key=lambda one: one.id):
        lines = document.text.split("\n")
        kept = []
        for place, line in enumerate(lines):
            value = " ".join(line.split())
            whole = line + ("\n" if place < len(lines) - 1 else "")
            if not value or len(value.split()) < min_words:
                kept.append(whole)
            elif value not in seen:
                seen.add(value)
                kept.append(whole)
        texts[document.id] = "".join(kept)
    return texts


lines = st.lists(st.sampled_from(["a b", " a  b ", "c", "", "d e f", "é è à", "g"]), max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(lines, min_size=1, max_size=12),
    cut=st.integers(0, 12),
    partitions=st.sampled_from([1, 4]),
    batch_rows=st.integers(1, 5),
    run_rows=st.integers(1, 5),
    min_words=st.integers(1, 3),
)
def test_equals_the_oracle_whatever_the_split(
    texts: Any, cut: int, partitions: int, batch_rows: int, run_rows: int, min_words: int
) -> None:
    documents = [Document(f"d{number}", "\n".join(text)) for number, text in enumerate(texts)]
    expected = oracle(documents, min_words)
    run_step(
        LineDedup(LineParameters(min_words=min_words, min_remaining_words=None, scope="global")),
        [documents[:cut], documents[cut:]],
        partitions=partitions,
        batch_rows=batch_rows,
        run_rows=run_rows,
    )
    assert {document.id: document.text for document in documents} == expected


def test_domains_keep_their_own_lines() -> None:
    documents = [
        Document("a", "menu of the site\nfirst text", url="https://www.one.example/a"),
        Document("b", "menu of the site\nsecond text", url="http://ONE.example:80/b"),
        Document("c", "menu of the site\nthird text", url="https://two.example/c"),
        Document("d", "menu of the site\nfourth text", url=None),
    ]
    run_step(LineDedup(LineParameters(min_remaining_words=None)), [documents])
    with_menu = {document.name for document in documents if "menu" in document.text}
    assert {"c", "d"} < with_menu
    assert len(with_menu) == 3
    assert all(document.text.endswith("text") for document in documents)


def test_documents_left_too_small_are_dropped_and_untouched_ones_are_not() -> None:
    shared = "these are six words of text"
    documents = [Document("a", shared), Document("b", shared + "\nleft over"), Document("short", "two words")]
    run_step(LineDedup(LineParameters(scope="global", min_remaining_words=3)), [documents])
    dropped = [document for document in documents if document.verdict]
    assert len(dropped) == 1
    assert dropped[0].verdict == "line_dedup.min_remaining_words"
    assert dropped[0].name in ("a", "b")
    assert documents[2].signals["line_dedup.remaining_words"] is None


def test_paragraphs_are_compared_as_wholes() -> None:
    documents = [
        Document("a", "one line\nof a paragraph\n\nmine alone", date="2020-01-01"),
        Document("b", "one line\n\none  line\nof a paragraph\n \n\nother end", date="2021-01-01"),
    ]
    run_step(
        LineDedup(LineParameters(unit="paragraph", scope="global", min_remaining_words=None)),
        [documents],
    )
    assert documents[0].text == "one line\nof a paragraph\n\nmine alone"
    assert documents[1].text == "one line\n\nother end"
    assert documents[1].signals["line_dedup.removed_units"] == 1


def test_short_lines_are_exempt_by_characters() -> None:
    documents = [Document("a", "éé\nlonger line"), Document("b", "éé\nlonger line")]
    run_step(
        LineDedup(LineParameters(scope="global", min_characters=3, min_remaining_words=None)), [documents]
    )
    assert sorted(document.text for document in documents) == ["éé\n", "éé\nlonger line"]


def test_a_hot_line_streams() -> None:
    documents = [Document(f"d{number}", f"hot line\nown {number}") for number in range(3000)]
    plan = run_step(
        LineDedup(LineParameters(scope="global", min_remaining_words=None)),
        [documents],
        batch_rows=500,
        run_rows=64,
    )
    assert plan.statistics["owned_elsewhere"] == 2999
    assert sum("hot line" in document.text for document in documents) == 1
