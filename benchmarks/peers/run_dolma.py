"""Run Dolma's own Gopher tagger over documents, in an environment of its own (`dolma.lock`).

``python run_dolma.py IN.jsonl OUT.jsonl``: a line ``{"text": …}`` in, a line of the rules that drop it out. Rules and
thresholds are those of ``configs/dolma-v1_5/mixing/cc-head.yaml`` (https://github.com/allenai/dolma), which names the
three attributes of the most frequent n-gram otherwise than the tagger does, so that they never drop.
"""

import json
import sys
from pathlib import Path

from dolma.taggers.gopher import get_attributes

QUALITY = (
    ("min_words", "word_count", "<", 50),
    ("max_words", "word_count", ">", 100000),
    ("min_median_word_length", "median_word_length", "<", 3),
    ("max_median_word_length", "median_word_length", ">", 10),
    ("max_symbol_word_ratio", "symbol_to_word_ratio", ">", 0.1),
    ("max_bullet_line_ratio", "fraction_of_lines_starting_with_bullet_point", ">", 0.9),
    ("max_ellipsis_line_ratio", "fraction_of_lines_ending_with_ellipsis", ">", 0.3),
    ("min_alphabetic_word_ratio", "fraction_of_words_with_alpha_character", "<", 0.8),
    ("min_stop_word_occurrences", "required_word_count", "<", 2),
)
REPETITION = (
    ("max_duplicate_line_ratio", "fraction_of_duplicate_lines", ">", 0.3),
    ("max_duplicate_line_character_ratio", "fraction_of_characters_in_duplicate_lines", ">", 0.3),
    *(
        (
            f"max_duplicate_{n}_gram_character_ratio",
            f"fraction_of_characters_in_duplicate_{n}grams",
            ">",
            limit,
        )
        for n, limit in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
    ),
)


def matching(rules, spans):
    """Names of the rules that drop."""
    found = []
    for name, attribute, comparison, limit in rules:
        score = spans.get(attribute)
        if score is not None and (score < limit if comparison == "<" else score > limit):
            found.append(name)
    return found


def main(source, target):
    """Judge all lines of a file."""
    with Path(source).open(encoding="utf-8") as lines, Path(target).open("w", encoding="utf-8") as out:
        for line in lines:
            spans = {span.type: span.score for span in get_attributes(json.loads(line)["text"]).as_spans()}
            judged = {
                "gopher_quality": matching(QUALITY, spans),
                "gopher_repetition": matching(REPETITION, spans),
            }
            out.write(json.dumps(judged) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
