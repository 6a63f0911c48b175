"""The ledger: closed books close, and any single lost number opens them."""

from __future__ import annotations

import copy

import pytest

from corpusforge import ledger


def books() -> tuple[dict, list, dict]:
    record = {
        **ledger.new_record_account(),
        "records": 10,
        "bytes": 1000,
        "documents": 6,
        "document_bytes": 700,
        "payload_bytes": 600,
        "skipped": {"request": 3},
        "skipped_bytes": 200,
        "damaged": {"damaged_member": 1},
        "damaged_bytes": 100,
    }
    extract = {
        **ledger.new_step_account(),
        "documents_in": 6,
        "bytes_in": 600,
        "converted": {"from_bytes": 600, "to_bytes": 120},
        "documents_kept": 5,
        "bytes_kept": 120,
        "quarantined": {"too_deep": {"documents": 1, "bytes": 0}},
    }
    lines = {
        **ledger.new_step_account(),
        "documents_in": 5,
        "bytes_in": 120,
        "removed": {"javascript": 20},
        "inserted": {"email": 5},
        "documents_kept": 4,
        "bytes_kept": 90,
        "dropped": {"too_short": {"documents": 1, "bytes": 15}},
    }
    steps = [
        {"step": "extract", "sources": {"web": extract}},
        {"step": "lines", "sources": {"web": lines}},
    ]
    written = {"web": {"documents": 4, "document_bytes": 90, "dropped": 1, "quarantined": 1}}
    return {"web": record}, steps, written


def closed(records: dict, steps: list, written: dict) -> bool:
    checks = ledger.Checks()
    ledger.check_records(checks, records)
    ledger.check_steps(checks, records, steps)
    ledger.check_written(checks, steps, written)
    return checks.closed


def test_balanced_books_close():
    assert closed(*books())


@pytest.mark.parametrize("part", ["record", "extract", "lines", "written"])
def test_any_number_off_by_one_opens_them(part):
    def paths(value, path=()):
        if isinstance(value, dict):
            return [found for key in value for found in paths(value[key], (*path, key))]
        return [path]

    records, steps, written = books()
    accounts = {
        "record": records["web"],
        "extract": steps[0]["sources"]["web"],
        "lines": steps[1]["sources"]["web"],
    }
    account = accounts.get(part, written["web"])
    for path in paths(account):
        broken = copy.deepcopy((records, steps, written))
        target = {
            "record": broken[0]["web"],
            "extract": broken[1][0]["sources"]["web"],
            "lines": broken[1][1]["sources"]["web"],
            "written": broken[2]["web"],
        }[part]
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] += 1
        assert not closed(*broken), f"{part}{path} is checked by no balance"


def test_accounts_add_up_in_any_order():
    parts = [{"a": 1, "b": {"x": 2}}, {"b": {"x": 3, "y": 1}}, {"c": 5}]
    assert ledger.merge(parts) == ledger.merge(reversed(parts)) == {"a": 1, "b": {"x": 5, "y": 1}, "c": 5}


def test_tokens_balance():
    tokens = {
        "tokenized": 100,
        "selected": 80,
        "unused": 20,
        "cells": 120,
        "repeated": 10,
        "special": 6,
        "padding": 24,
    }
    checks = ledger.Checks()
    ledger.check_tokens(checks, tokens)
    assert checks.closed
    for name in tokens:
        checks = ledger.Checks()
        ledger.check_tokens(checks, {**tokens, name: tokens[name] + 1})
        assert not checks.closed
