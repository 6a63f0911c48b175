"""Recipes: every mistake is named with its line and the nearest valid name, before any work."""

from __future__ import annotations

import pytest
import yaml

from corpusforge import recipe as recipes
from corpusforge.errors import UsageError
from corpusforge.recipe import difference, load_text, make_step

GOOD = """\
name: small
sources:
  commoncrawl: {}
steps:
  - extract
  - gopher_quality: {min_words: 20}
"""


def test_a_recipe_resolves_to_every_parameter_and_reads_itself_back():
    loaded = load_text(GOOD, "small.yaml")
    resolved = loaded.resolved()
    assert resolved["steps"][1]["gopher_quality"]["min_words"] == 20
    assert resolved["steps"][1]["gopher_quality"]["max_words"] == 100_000, (
        "the rule set fills what is not given"
    )
    again = load_text(loaded.to_yaml(), "recipe.yaml")
    assert again.resolved() == resolved


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (GOOD.replace("min_words", "min_word"), "small.yaml:6", "did you mean 'min_words'"),
        (GOOD.replace("gopher_quality", "gopher_qualiti"), "small.yaml:6", "did you mean 'gopher_quality'"),
        (GOOD.replace("commoncrawl", "comoncrawl"), "small.yaml:3", "did you mean 'commoncrawl'"),
        (GOOD.replace("name: small", "nmae: small"), "small.yaml:1", "did you mean 'name'"),
        (GOOD.replace("20", "many"), "small.yaml:6", "min_words"),
        (GOOD.replace("20", "true"), "small.yaml:6", "min_words"),
        (GOOD + "  - extract\n", "", "two steps are called 'extract'"),
        (GOOD + "name: again\n", "small.yaml:7", "stands twice"),
        (GOOD.replace("steps:", "steps: ["), "small.yaml", ""),
        (
            GOOD.replace("{min_words: 20}", "{rules: gopher_quality@papr}"),
            "small.yaml:6",
            "gopher_quality@paper",
        ),
        (GOOD.replace("{min_words: 20}", "{as: ../up}"), "", "cannot be called '../up'"),
        (GOOD.replace("{min_words: 20}", "{as: documents}"), "", "cannot be called 'documents'"),
        (GOOD.replace("commoncrawl: {}", "- commoncrawl"), "small.yaml:2", "`sources` must be a mapping"),
        (GOOD.replace("commoncrawl: {}", "commoncrawl: 5"), "small.yaml:3", "must be a mapping"),
        (GOOD.replace("20", "2001-99-99"), "small.yaml:6", "month must be in 1..12"),
        (
            GOOD.replace("20", "!!python/name:os.system x"),
            "small.yaml:6",
            "could not determine a constructor",
        ),
        ("a: &a [*a]\n", "small.yaml", "nested without end"),
        ("just text", "small.yaml:1", "mapping"),
        ("name: empty\n", "small.yaml:1", "list of at least one step"),
    ],
)
def test_mistakes_name_file_line_and_nearest_name(text, place, words):
    with pytest.raises(UsageError) as caught:
        load_text(text, "small.yaml")
    assert place in str(caught.value)
    assert words in str(caught.value)


def test_settings_win_over_the_recipe_and_their_mistakes_are_named():
    loaded = load_text(GOOD, "small.yaml", ["gopher_quality.min_words=30", "seed=7"])
    assert loaded.steps[1].parameters.min_words == 30
    assert loaded.options.seed == 7
    with pytest.raises(UsageError, match=r"no step or source 'gopher'.*did you mean"):
        load_text(GOOD, "small.yaml", ["gopher.min_words=30"])
    with pytest.raises(UsageError, match=r"step\.parameter=value"):
        load_text(GOOD, "small.yaml", ["gopher_quality.min_words"])


def test_a_step_and_a_source_of_one_name_are_told_apart_by_their_parameters():
    text = "sources: {c4: {}}\nsteps: [c4]\n"
    loaded = load_text(text, "both.yaml", ["c4.min_sentences=5", "c4.max_line_bytes=4096"])
    assert loaded.steps[0].parameters.min_sentences == 5
    assert loaded.sources["c4"].parameters.max_line_bytes == 4096
    with pytest.raises(UsageError, match=r"unknown parameter of step 'c4' 'min_sentence'; did you mean"):
        load_text(text, "both.yaml", ["c4.min_sentence=5"])


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"name: \xff")
    with pytest.raises(UsageError, match=r"binary\.yaml is not UTF-8 text \(byte 6\)"):
        recipes.load(str(path))
    path.rename(tmp_path / "recipe.yaml")
    with pytest.raises(UsageError, match=r"recipe\.yaml is not UTF-8 text \(byte 6\)"):
        recipes.load_of_run(tmp_path)
    with pytest.raises(UsageError, match=r"holds no recipe\.yaml: is it a run directory"):
        recipes.load_of_run(tmp_path / "nowhere")


def test_a_step_may_stand_twice_under_another_name():
    text = GOOD + "  - gopher_quality: {as: strict, min_words: 100}\n"
    loaded = load_text(text, "small.yaml", ["strict.min_words=200"])
    assert [step.instance for step in loaded.steps] == ["extract", "gopher_quality", "strict"]
    assert loaded.steps[2].parameters.min_words == 200
    assert loaded.steps[1].parameters.min_words == 20


def test_steps_from_python_get_their_rule_set():
    assert make_step("gopher_quality").parameters.min_words == 50
    assert make_step("gopher_quality", min_words=1).parameters.min_words == 1
    with pytest.raises(UsageError, match="unknown parameter"):
        make_step("gopher_quality", min_word=1)


def test_a_recipe_says_only_when_documents_are_not_frozen():
    text = "sources: {c4: {}}\nsteps: [extract]\n"
    assert "frozen" not in load_text(text, "r.yaml").to_yaml()
    recipe = load_text(text, "r.yaml", ["frozen=false"])
    assert "frozen: false\n" in recipe.to_yaml()
    assert load_text(recipe.to_yaml(), "r.yaml").to_yaml() == recipe.to_yaml()


def test_all_shipped_recipes_load():
    from corpusforge import rulesets

    for name in rulesets.names("pipelines"):
        assert recipes.load(name).options.name == name


def test_difference_names_each_path():
    old, new = yaml.safe_load(GOOD), yaml.safe_load(GOOD.replace("20", "30"))
    assert difference(old, new) == ["steps[1].gopher_quality.min_words: 20 -> 30"]
    assert difference(old, old) == []


LIMITED = """\
name: two
sources:
  commoncrawl: {}
  wikipedia: {}
steps:
  - extract
  - gopher_quality: {only: [commoncrawl]}
"""


def test_a_step_limited_to_sources_says_so_and_reads_itself_back():
    loaded = load_text(LIMITED, "two.yaml")
    assert [step.only for step in loaded.steps] == [(), ("commoncrawl",)]
    assert loaded.resolved()["steps"][1]["gopher_quality"]["only"] == ["commoncrawl"]
    assert "only" not in loaded.resolved()["steps"][0]["extract"]
    assert load_text(loaded.to_yaml(), "recipe.yaml").resolved() == loaded.resolved()
    lifted = load_text(LIMITED, "two.yaml", ["gopher_quality.only=null"])
    assert lifted.steps[1].only == ()
    assert make_step("gopher_quality", only=["wikipedia"]).only == ("wikipedia",)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[commoncrawl]", "[comoncrawl]", "no source 'comoncrawl'; did you mean 'commoncrawl'?"),
        ("[commoncrawl]", "[]", "a list of at least one source"),
        ("[commoncrawl]", "commoncrawl", "a list of at least one source"),
        ("[commoncrawl]", "[1]", "a list of at least one source"),
        ("gopher_quality: {only: [commoncrawl]}", "tokenize: {only: [wikipedia]}", "cannot be limited"),
        ("gopher_quality: {only: [commoncrawl]}", "extract: {as: again, only: [wikipedia]}", "cannot be lim"),
        ("gopher_quality: {only: [commoncrawl]}", "mix: {only: [wikipedia]}", "cannot be limited"),
    ],
)
def test_limits_that_make_no_sense_are_named_with_their_line(old, new, words):
    assert old in LIMITED
    with pytest.raises(UsageError) as caught:
        load_text(LIMITED.replace(old, new), "two.yaml")
    assert words in str(caught.value)
    assert "two.yaml:7" in str(caught.value)


def test_a_recipe_of_python_steps_knows_its_sources_too():
    step = make_step("exact_dedup", only=["books"])
    with pytest.raises(UsageError, match="no source 'books'"):
        recipes.Recipe([make_step("extract"), step])
