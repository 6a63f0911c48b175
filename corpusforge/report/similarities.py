"""What steps that compare documents would do at other similarities: the numbers behind their sliders of report.html.

A run keeps what such a step compared (`corpusforge.dedup.compared`), below its threshold too; so every threshold can be
decided on it (`corpusforge.dedup.what_if`), as long as the same documents reach the step. The result is a function of
those tables, and they are the same for any number of partitions and on every engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from corpusforge.layout import RunLayout
from corpusforge.places import place
from corpusforge.step import RATIO, fixed_point

if TYPE_CHECKING:
    from corpusforge.plan import Plan
    from corpusforge.step import Step

Json = dict[str, Any]

STEP = "minhash_dedup"

MOST_ROWS = 500_000
"""Comparisons that are decided anew for the page, two to three seconds; of more, `corpusforge tune` tells."""
GRID = tuple(RATIO * hundredths // 100 for hundredths in range(50, 101, 2))
"""Similarities that the page tells of, besides the run's own, in units of 1 / `RATIO`."""


def similarities(layout: RunLayout, plan: Plan, steps: Sequence[Step], report: Mapping[str, Any]) -> Json:
    """By step: its threshold, and at each similarity which documents would change sides; or the reason why not.

    ``{"threshold": units of 1 / RATIO, "at": [[similarity, documents that were kept and would go, documents that were
    dropped and would go again], ...]}``, rising, with the threshold itself among them.
    """
    found: Json = {}
    for step in steps:
        if step.name == STEP and step.parameters.duplicate:
            dropped = [
                part["funnel"]["documents_dropped"]
                for part in report["steps"]
                if part["step"] == step.instance
            ]
            if plan.earlier:
                found[step.instance] = {"reason": "compared with documents of earlier runs too"}
            else:
                found[step.instance] = _of(layout, step, sum(dropped))
    return found


def _of(layout: RunLayout, step: Step, dropped: int) -> Json:
    # Runs without such a step need none of these.
    import numpy as np

    from corpusforge.dedup.compared import compared_by
    from corpusforge.dedup.what_if import DROPS, THERE, outcomes_at

    parameters = step.parameters
    threshold = fixed_point(parameters.threshold, RATIO)
    compared = compared_by(place(layout.root), step.instance, "sets", MOST_ROWS)
    if compared is None or threshold is None:
        return {"reason": "too many comparisons for a page: tune --curve counts them"}
    chosen = sorted({*GRID, threshold})
    there = np.full(len(compared), THERE, np.uint8)
    goes = outcomes_at(compared, there, chosen) == DROPS
    now = goes[chosen.index(threshold)]
    if int(now.sum()) != dropped:
        return {"reason": "what it compared does not lead to what it dropped"}
    rows = [[at, int((own & ~now).sum()), int((own & now).sum())] for at, own in zip(chosen, goes)]
    return {"threshold": threshold, "at": rows}
