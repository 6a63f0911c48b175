"""The result of a benchmark as one HTML page: no script, no network, everything from outside escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

Json = Mapping[str, Any]

WIDTH, HEIGHT, MARGIN = 640, 240, 44
COLORS = ("#1f6feb", "#d1480f", "#1a7f37", "#8250df", "#9a6700", "#0a7ea4")

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.verdict { font-size: 1.25rem; padding: .8rem 1rem; border-left: .4rem solid #1f6feb; background: #8881; }
.wide { overflow-x: auto; } .note { color: #9a6700; }
table { border-collapse: collapse; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; } code { word-break: break-all; }
svg { max-width: 100%; height: auto; } svg text { fill: currentColor; font-size: 12px; }
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(result: Json) -> str:
    """The page of what `bench_result.conclude` gave."""
    plan = result["plan"]
    body = Markup("").join(
        [
            Markup("<h1>Corpus benchmark</h1>"),
            _verdict(result),
            *(_comparison(found, result) for found in result["comparisons"]),
            _curves(result["runs"]),
            _corpora(plan),
            _panel(plan),
            _runs(result["runs"]),
            _conditions(result),
        ]
    )
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    title = "<title>Corpus benchmark</title>"
    head = f"<head>{head}{view}{title}<style>{STYLE}</style></head>"
    return f'<!doctype html>\n<html lang="en">{head}\n<body>{body}</body></html>\n'


def name_of(label: str, plan: Json) -> str:
    """A corpus' label and what it stands for."""
    return f"{label} ({plan['corpora'][label]['spec']})"


def sentence(result: Json) -> str:
    """The verdict in one sentence."""
    if result["verdict"] == "cannot tell":
        return "Cannot tell which corpus is best."
    return f"{name_of(result['verdict'], result['plan'])} is better."


def describe(found: Json) -> str:
    """One comparison in one sentence."""
    low, high = found["interval_over_seeds"]
    first, second = found["pair"]
    least = found["minimum_detectable_effect"]
    text = f"{first} - {second}: {found['difference']:+.4f} bits per byte"
    if low is not None:
        text += f", {found['confidence']:.1%} interval over seeds [{low:+.4f}, {high:+.4f}]"
    low, high = found["interval_bootstrap"]
    text += f", over seeds and passages [{low:+.4f}, {high:+.4f}]"
    if least is not None:
        text += f"; smallest difference found in 80 % of such benchmarks: {least:.4f}"
    return text


def _verdict(result: Json) -> Markup:
    rows = [
        [name_of(label, result["plan"]), f"{value:.4f}"]
        for label, value in sorted(result["bits_per_byte"].items(), key=lambda item: item[1])
    ]
    return Markup('<p class="verdict">{}</p>{}').format(
        sentence(result), _table(["corpus", "bits per byte (lower is better)"], rows)
    )


def _comparison(found: Json, result: Json) -> Markup:
    first, second = found["pair"]
    verdict = found["verdict"]
    outcome = "cannot tell" if verdict == "cannot tell" else f"{verdict} is better"
    arm = found["robustness"]
    lines = [describe(found)]
    if arm is not None:
        word = "stable" if arm["stable"] else "not stable"
        lines.append(f"At {arm['factor']:g} times the learning rate: {arm['difference']:+.4f} ({word}).")
    domains = [
        [domain, f"{one['difference']:+.4f}", _interval(one["interval_over_seeds"])]
        for domain, one in found["domains"].items()
    ]
    tasks = [
        [task, measure.replace("_", " "), f"{one['difference']:+.4f}", _interval(one["interval_over_seeds"])]
        for task, measures in found["tasks"].items()
        for measure, one in measures.items()
    ]
    parts = [
        Markup("<h2>{} against {}: {}</h2>").format(first, second, outcome),
        *(Markup("<p>{}</p>").format(line) for line in lines),
        *(Markup('<p class="note">{}</p>').format(note) for note in found["notes"]),
        _dots(found),
        _table(["domain", f"{first} - {second}, bits per byte", "interval over seeds"], domains),
    ]
    if tasks:
        parts.append(_table(["task", "measure", f"{first} - {second}", "interval over seeds"], tasks))
    return Markup("").join(parts)


def _interval(ends: Sequence[float | None]) -> str:
    return "–" if ends[0] is None or ends[1] is None else f"[{ends[0]:+.4f}, {ends[1]:+.4f}]"


def _dots(found: Json) -> Markup:
    """Differences of the seeds as dots, the two intervals as bars, zero as a line."""
    intervals = [found["interval_over_seeds"], found["interval_bootstrap"]]
    values = [*found["by_seed"], 0.0, *(end for ends in intervals for end in ends if end is not None)]
    low, high = float(min(values)), float(max(values))
    reach = (high - low) or 1.0

    def place(value: float) -> float:
        return MARGIN + (value - low) / reach * (WIDTH - 2 * MARGIN)

    marks = [
        Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="8" y2="88" stroke="currentColor"/>').format(place(0.0))
    ]
    for row, (ends, text) in enumerate(zip(intervals, ("over seeds", "over seeds and passages"))):
        if ends[0] is not None:
            marks.append(
                Markup(
                    '<rect x="{:.1f}" y="{}" width="{:.1f}" height="6" fill="{}"><title>{}</title></rect>'
                ).format(
                    place(ends[0]),
                    44 + 22 * row,
                    max(1.0, place(ends[1]) - place(ends[0])),
                    COLORS[row],
                    text,
                )
            )
    marks += [
        Markup(
            '<circle cx="{:.1f}" cy="24" r="5" fill="{}" fill-opacity=".6"><title>{}</title></circle>'
        ).format(place(value), COLORS[3], f"seed {seed}: {value:+.5f}")
        for seed, value in enumerate(found["by_seed"])
    ]
    marks.append(Markup('<text x="{:.1f}" y="104" text-anchor="middle">0</text>').format(place(0.0)))
    return _svg(marks, 110)


def _curves(runs: Sequence[Json]) -> Markup:
    """Training loss and panel scores over steps, a line per run at the main learning rate."""
    main = [run for run in runs if run["rate_factor"] == 1.0]
    labels = sorted({run["corpus"] for run in main})
    losses = [(run, run["curve"]) for run in main]
    scores = [(run, run["evaluations"]) for run in main]
    keys = Markup(" ").join(
        Markup('<span style="color:{}">■</span> {}').format(_color(label, labels), label) for label in labels
    )
    return Markup(
        "<h2>Curves</h2><p>{}</p><p>Bits per byte on the panel</p>{}<p>Training loss, nats per token</p>{}"
    ).format(keys, _chart(scores, labels), _chart(losses, labels))


def _color(label: str, labels: Sequence[str]) -> str:
    return COLORS[labels.index(label) % len(COLORS)]


def _chart(lines: Sequence[tuple[Json, Sequence[Sequence[float | None]]]], labels: Sequence[str]) -> Markup:
    points = [(x, y) for _, line in lines for x, y in line if x is not None and y is not None]
    if not points:
        return Markup("<p>no values</p>")
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)

    def place(x: float, y: float) -> str:
        across = (x - left) / ((right - left) or 1) * (WIDTH - 2 * MARGIN)
        down = (high - y) / ((high - low) or 1) * (HEIGHT - 2 * MARGIN)
        return f"{MARGIN + across:.1f},{MARGIN + down:.1f}"

    marks = []
    for run, line in lines:
        path = " ".join(place(x, y) for x, y in line if x is not None and y is not None)
        marks.append(
            Markup(
                '<polyline points="{}" fill="none" stroke="{}" stroke-width="1.5"><title>{}</title></polyline>'
            ).format(path, _color(run["corpus"], labels), f"{run['corpus']}, seed {run['seed']}")
        )
    texts = [(4, MARGIN - 6, f"{high:.3f}"), (4, HEIGHT - MARGIN + 14, f"{low:.3f}")]
    texts += [(MARGIN, HEIGHT - 8, f"step {left:g}"), (WIDTH - MARGIN - 40, HEIGHT - 8, f"step {right:g}")]
    marks += [Markup('<text x="{}" y="{}">{}</text>').format(x, y, text) for x, y, text in texts]
    return _svg(marks, HEIGHT)


def _svg(marks: Iterable[Markup], height: int) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" width="{}" role="img">{}</svg>').format(
        WIDTH, height, WIDTH, Markup("").join(marks)
    )


def _corpora(plan: Json) -> Markup:
    rows = []
    for label, one in plan["corpora"].items():
        drawn = list(one["drawn"].values())
        rows.append(
            [
                name_of(label, plan),
                f"{one['documents']:,}",
                f"{one['distinct_texts']:,}",
                f"{min(draw['unique_tokens'] for draw in drawn):,}",
                f"{max(draw['epochs'] for draw in drawn):.2f}",
                f"{one['overlap']['passages_overlapping']:,}",
                f"{one['overlap']['mean_share_of_ngrams']:.2%}",
            ]
        )
    head = ["corpus", "documents", "distinct texts", "unique tokens read", "epochs"]
    return Markup("<h2>Corpora</h2>") + _table(
        [*head, "panel passages that overlap", "mean share of their 13-grams"], rows
    )


def _panel(plan: Json) -> Markup:
    panel = plan["panel"]
    rows = [[name, f"{one['documents']:,}", f"{one['bytes']:,}"] for name, one in panel["domains"].items()]
    lines = [
        f"Source: {panel['source']}. SHA-256 {panel['sha256']}.",
        f"Taken out for overlap: {panel['removed_for_overlap']}.",
    ]
    return Markup("<h2>Panel</h2>{}{}").format(
        Markup("").join(Markup("<p>{}</p>").format(line) for line in lines),
        _table(["domain", "passages", "bytes"], rows),
    )


def _runs(runs: Sequence[Json]) -> Markup:
    rows = [
        [
            f"{run['corpus']}, seed {run['seed']}",
            f"{run['rate_factor']:g}",
            f"{run['bits_per_byte']['macro']:.4f}",
            f"{run['loss']:.4f}",
            f"{run['tokens']:,}",
            f"{run['flops']:.3g}",
            f"{run['seconds']:.1f}",
            run["initial_weights"][:12],
            run["fingerprint"][:12],
        ]
        for run in runs
    ]
    head = [
        "run",
        "rate x",
        "bits per byte",
        "final loss",
        "tokens",
        "FLOPs",
        "seconds",
        "first weights",
        "data",
    ]
    return Markup("<h2>Runs</h2>") + _table(head, rows)


def _conditions(result: Json) -> Markup:
    plan, cost = result["plan"], result["cost"]
    rows = [
        [
            "tokenizer",
            f"{plan['tokenizer']['vocabulary_size']:,} pieces, SHA-256 {plan['tokenizer']['sha256']}",
        ],
        ["model", ", ".join(f"{key} {value}" for key, value in plan["model"].items())],
        ["training", ", ".join(f"{key} {value}" for key, value in plan["training"].items())],
        ["evaluation pack", plan["pack"]],
        [
            "all runs",
            f"{cost['runs']} runs, {cost['tokens']:,} tokens, {cost['flops']:.3g} FLOPs, {cost['seconds']:.0f} s",
        ],
        ["machine", ", ".join(f"{key} {value}" for key, value in result["machine"].items())],
    ]
    listed = Markup("").join(Markup("<dt>{}</dt><dd><code>{}</code></dd>").format(*row) for row in rows)
    return Markup("<h2>Conditions</h2><dl>{}</dl>").format(listed)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    titles = Markup("").join(Markup("<th>{}</th>").format(title) for title in head)
    lines = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(escape(cell)) for cell in row)
        )
        for row in rows
    )
    return Markup('<div class="wide"><table><tr>{}</tr>{}</table></div>').format(titles, lines)
