from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from corpusforge import recipe  # noqa: E402
from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.train.bench_ablation import ablate, variants  # noqa: E402

RECIPE = """\
name: small
batch_documents: 32
sources:
  commoncrawl: {}
steps:
  - extract
  - exact_dedup
  - tokenize: {vocabulary_size: 400}
"""

SHAPE = {"layers": "1", "width": "16", "heads": "2", "key_value_heads": "2", "hidden": "32", "batch": "2"}


def test_each_filter_is_left_out_once() -> None:
    made = variants(recipe.load("cc_pipeline"))
    full = [step.instance for step in made["full"].steps]
    assert "tokenize" not in full
    assert "extract" in full
    left_out = set()
    for name, variant in made.items():
        names = [step.instance for step in variant.steps]
        if name != "full":
            (missing,) = set(full) - set(names)
            assert name == f"without {missing}"
            left_out.add(missing)
    assert {"url_filter", "gopher_quality", "perplexity", "minhash_dedup", "decontaminate"} <= left_out
    assert "extract" not in left_out


def test_a_recipe_without_filters_and_a_call_without_input(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to take out"):
        variants(recipe.load_text(RECIPE.replace("  - exact_dedup\n", ""), "r.yaml"))
    with pytest.raises(UsageError, match="--input"):
        ablate("cc_pipeline", {}, tmp_path, {}, None, "cpu", print)


def test_filters_are_ranked_by_what_they_are_worth(sample: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    shared = {
        "size": "1m",
        "tokens": 600,
        "seeds": 2,
        "panel": sample / "text" / "en.txt",
        "context": 32,
        "vocabulary": 400,
        "panel_bytes": 500,
        "max_overlap": 1.0,
        "robustness": 0.0,
        "overrides": SHAPE,
    }
    inputs = {"commoncrawl": [f"{sample}/warc/*.warc.gz"]}
    found = ablate(str(path), inputs, tmp_path / "out", shared, 1, "cpu", lambda line: None)
    (row,) = found["ranking"]
    assert row["step"] == "exact_dedup"
    assert row["verdict"] in ("helps", "harms", "cannot tell")
    assert row["worth"] == pytest.approx(sum(row["by_seed"]) / 2)
    documents = {label: one["documents"] for label, one in found["plan"]["corpora"].items()}
    assert documents["B"] > documents["A"]
    assert (tmp_path / "out" / "ablation.json").is_file()
