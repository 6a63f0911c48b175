"""What a run's steps found of personal data, by type, and the rates at which they miss and err on this run's texts.

The rates are of values planted in a sample of kept documents (`corpusforge.pii.error_rates`): a function of the files
in ``documents/`` and of the recipe, so the same on every engine. No text and no value enters the report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from corpusforge.errors import MissingExtraError, MissingModelError
from corpusforge.layout import RunLayout
from corpusforge.report.intervals import share
from corpusforge.report.sampled import kept_texts

if TYPE_CHECKING:
    from corpusforge.pii.error_rates import Rates
    from corpusforge.plan import Plan
    from corpusforge.step import Step

Json = dict[str, Any]

STEP = "pii"


def personal_data(
    layout: RunLayout,
    plan: Plan,
    steps: Sequence[Step],
    report: Mapping[str, Any],
    call: Callable[..., Any] = lambda function, *arguments: function(*arguments),
) -> Json:
    """By step `pii`: findings by type, and the planted values that it found; empty without such a step.

    `call` has the step's libraries loaded elsewhere: `Engine.call`.
    """
    found: Json = {}
    for step in steps:
        if step.name == STEP:
            measured = [part["signals"] for part in report["steps"] if part["step"] == step.instance]
            signals: Mapping[str, Any] = measured[0] if measured else {}
            found[step.instance] = {"found": _counts(signals), **call(_rates, layout, plan, step)}
    return found


def _counts(signals: Mapping[str, Any]) -> Json:
    """Findings by type among all documents that the step measured; null for a type that it did not look for."""
    counts: Json = {}
    for name, signal in sorted(signals.items()):
        if name.startswith("count_"):
            sides = [signal["kept"], signal["dropped"]]
            looked = any(side["count"] for side in sides)
            counts[name.removeprefix("count_").upper()] = (
                sum(side["sum"] for side in sides) if looked else None
            )
    return counts


def _rates(layout: RunLayout, plan: Plan, step: Step) -> Json:
    from corpusforge.pii.error_rates import planted_rates
    from corpusforge.pii.step import Pii

    sample = list(kept_texts(layout, plan, step.only))
    hosts = [(identity, text) for identity, text, _ in sample]
    languages = step.parameters.model_languages
    read = [(identity, text) for identity, text, lang in sample if not languages or lang in languages]
    # A step of its own: opening the recipe's would change what it is.
    own = Pii(step.parameters, step.instance)
    try:
        rates = planted_rates(own, hosts, plan.seed, read)
    except (MissingExtraError, MissingModelError) as error:
        return {"planted_in": 0, "recall": {}, "false_alarms": {}, "not_measured": str(error)}
    return {"planted_in": len(hosts), **_as_json(rates)}


def _as_json(rates: Rates) -> Json:
    recall = {}
    for entity, forms in rates.recall.items():
        planted, found, others = (sum(counts[place] for counts in forms.values()) for place in range(3))
        by_form = {form: _share(counts[0], counts[1]) for form, counts in forms.items()}
        recall[entity] = {**_share(planted, found), "found_as_another_type": others, "forms": by_form}
    alarms = {kind: _share(counts[0], counts[2]) for kind, counts in rates.false_alarms.items()}
    return {"recall": recall, "false_alarms": alarms}


def _share(planted: int, found: int) -> Json:
    """Counts with the 95 % interval of their quotient in millionths."""
    interval = share(found, planted)
    return {"planted": planted, "found": found, "low": interval["low"], "high": interval["high"]}
