from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.filters.nonblank_lines import NonblankLines
from corpusforge.texts import Texts


@given(st.lists(st.text("ab \n\u3000", max_size=30), max_size=4))
def test_matches_the_twin(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    lines = NonblankLines.of(texts)
    for row, text in enumerate(strings):
        here = range(lines.offsets[row], lines.offsets[row + 1])
        raw = text.split("\n")
        kept = [at for at, line in enumerate(raw) if line.strip()]
        found = [texts.data[lines.starts[j] : lines.ends[j]].tobytes().decode() for j in here]
        assert found == [raw[at].strip() for at in kept]
        assert [lines.words[j + 1] - lines.words[j] for j in here] == [len(raw[at].split()) for at in kept]
        assert [bool(lines.opens[j]) for j in here] == [at == 0 or not raw[at - 1].strip() for at in kept]


def test_lines_are_equal_when_their_words_are() -> None:
    texts = Texts.from_strings(["a b\n  a\u3000b \nab\nb a"])
    hashes = NonblankLines.of(texts).hashes.tolist()
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
