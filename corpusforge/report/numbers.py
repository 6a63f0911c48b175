"""How the report writes numbers: for people, the same on pages and in terminals."""

from __future__ import annotations

from typing import Any

from corpusforge.statistics.examples import visible

COMPARISONS = {
    "below": "below",
    "at_most": "at most",
    "above": "above",
    "at_least": "at least",
    "not_in": "not one of",
    "is_in": "one of",
    "is_true": "is true",
}


def percent(part: int, whole: int) -> str:
    """Write a share; what is not nothing never reads as zero, and what is not all never as 100 %."""
    if whole == 0 or part == 0:
        return "0 %"
    if part == whole:
        return "100 %"
    share = 100 * part / whole
    if share < 0.01:
        return "< 0.01 %"
    if 99.99 < share < 100:
        return "> 99.99 %"
    return f"{share:.{2 if share < 1 or 99 < share < 100 else 1}f} %"


def integer(number: int | None) -> str:
    """Write an integer with thousands separated."""
    return "–" if number is None else f"{number:,}"


def size(number: int | None) -> str:
    """Write bytes in decimal units with three digits."""
    if number is None:
        return "–"
    value = float(abs(number))
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            digits = 0 if unit == "B" or value >= 99.95 else 1 if value >= 9.995 else 2
            return f"{'-' if number < 0 else ''}{value:,.{digits}f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def decimal(value: float) -> str:
    """Write a number with four significant digits and no trailing zeros."""
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def measured(value: Any, scale: int | None) -> str:
    """Write a signal's value: fixed point in units, strings as they stand, null as "not measured"."""
    if value is None:
        return "not measured"
    if isinstance(value, int) and not isinstance(value, bool):
        return decimal(value / scale) if scale and scale > 1 else integer(value)
    return visible(str(value))


def threshold(value: Any) -> str:
    """Write a threshold: a number, a list of values, or one per language."""
    if value is None:
        return "off"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return decimal(value)
    if isinstance(value, dict):
        return "; ".join(f"{visible(str(key))}: {threshold(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        shown = ", ".join(visible(str(item)) for item in value[:8])
        return shown + (f", … ({len(value)} in all)" if len(value) > 8 else "")
    return visible(str(value))


def drops_when(comparison: str, value: Any) -> str:
    """Say how a rule compares, in words."""
    if value is None:
        return "switched off"
    if comparison == "is_true":
        return COMPARISONS[comparison] if value else "switched off"
    return f"{COMPARISONS.get(comparison, comparison)} {threshold(value)}"


def condition(signal: str | None, comparison: str | None, value: Any) -> str:
    """Say when a rule drops a document, in words."""
    if signal is None or comparison is None:
        return ""
    return f"{signal}: switched off" if value is None else f"{signal} {drops_when(comparison, value)}"


def seconds(value: float) -> str:
    """Write a duration."""
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def speed(number: int, spent: float) -> str:
    """Write bytes over seconds in MB/s; a dash where nothing was measured."""
    if spent <= 0:
        return "–"
    rate = number / spent / 1e6
    return f"{rate:,.0f} MB/s" if rate >= 99.95 else f"{rate:.1f} MB/s" if rate >= 1 else f"{rate:.3f} MB/s"
