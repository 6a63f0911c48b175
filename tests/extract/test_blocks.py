"""Extraction by blocks: pages as a reader would want them, real pages against gold, and what must not happen."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.extract.blocks import Extracted, block_model, extract_blocks, keep_blocks
from corpusforge.extract.html import Limits, walk_page
from corpusforge.kernels.html_features import FEATURES

LIMITS = Limits(max_bytes=1 << 20)
PAGES = Path(__file__).parent / "pages"


def extract(page: str, main_content: bool = True, bullets: bool = True, url: str | None = None) -> Extracted:
    data = page.encode()
    return extract_blocks(data, walk_page(data, LIMITS), main_content, bullets, url)


def test_lists_tables_code_and_headings_survive() -> None:
    extracted = extract((PAGES / "coffee.html").read_text(encoding="utf-8"))
    assert extracted.text.strip() == (PAGES / "coffee.txt").read_text(encoding="utf-8").strip()
    assert extracted.title == "How to brew coffee & tea | The Daily Cup"
    assert extracted.published == "2021-03-04T05:06:07+00:00"
    assert extracted.language == "en"


def test_without_main_content_everything_stays() -> None:
    text = extract((PAGES / "coffee.html").read_text(encoding="utf-8"), main_content=False).text
    for part in ("- Home", "Ten mugs", "All rights reserved", "Coffee is brewed"):
        assert part in text
    assert "- Home" not in extract((PAGES / "coffee.html").read_text(encoding="utf-8"), bullets=False).text


def test_a_page_of_one_sentence_is_kept() -> None:
    assert extract("<p>A single sentence stands on this page, and nothing else does.</p>").text.startswith(
        "A single"
    )


def test_nothing_gives_nothing() -> None:
    for page in ("", "<html></html>", "<script>x</script>", "<p> </p>"):
        assert extract(page).text == ""


def test_the_model_is_whole() -> None:
    model = block_model()
    forest = model.forest
    assert 0 <= forest.columns.min() <= forest.columns.max() < len(FEATURES)
    assert 0 <= forest.questions[:, :, 0].min() <= forest.questions[:, :, 0].max() < len(forest.columns)
    assert forest.leaves.shape == (len(forest.questions), forest.questions.shape[1] + 1)
    assert 0 < model.looked < len(forest.leaves)


@given(
    st.lists(
        st.sampled_from(["<p>", "<div class=nav>", "</div>", "<li>", "<td>", "<pre>", "word, ", "\n", "é"])
    )
)
def test_any_page_ends_and_repeats(parts: list[str]) -> None:
    page = "".join(parts)
    assert extract(page) == extract(page)
    walked = walk_page(page.encode(), LIMITS)
    assert len(keep_blocks(walked, "", block_model())) == len(walked.blocks)
