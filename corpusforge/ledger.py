"""The ledger: what came in equals what went out, by step, source and rule, or the run has failed.

Accounts are integers summed over committed shard manifests, never over live counters, so a retried task
counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Account = dict[str, Any]


def new_step_account() -> Account:
    """An empty account of one step and one source."""
    return {
        "documents_in": 0,
        "bytes_in": 0,
        "documents_kept": 0,
        "bytes_kept": 0,
        "dropped": {},
        "quarantined": {},
        "removed": {},
        "inserted": {},
        "converted": {"from_bytes": 0, "to_bytes": 0},
    }


def new_record_account() -> Account:
    """An empty account of what reading one source met."""
    return {
        "records": 0,
        "bytes": 0,
        "documents": 0,
        "merged": 0,
        "document_bytes": 0,
        "payload_bytes": 0,
        "skipped": {},
        "damaged": {},
        "damaged_bytes": 0,
        "skipped_bytes": 0,
    }


def count(account: Account, kind: str, name: str, documents: int, size: int) -> None:
    """Add documents and bytes under ``account[kind][name]``."""
    entry = account[kind].setdefault(name, {"documents": 0, "bytes": 0})
    entry["documents"] += documents
    entry["bytes"] += size


def add(total: Any, part: Any) -> Any:
    """Sum two accounts of any nesting: numbers add, mappings add by key; the result has sorted keys."""
    if isinstance(total, Mapping) and isinstance(part, Mapping):
        names = sorted(set(total) | set(part))
        return {
            name: add(total[name], part[name])
            if name in total and name in part
            else total.get(name, part.get(name))
            for name in names
        }
    return total + part


def merge(accounts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum many accounts."""
    total: dict[str, Any] = {}
    for account in accounts:
        total = add(total, account)
    return total


def _dropped(account: Account, unit: str) -> int:
    return sum(entry[unit] for entry in account["dropped"].values())


def _quarantined(account: Account, unit: str) -> int:
    return sum(entry[unit] for entry in account["quarantined"].values())


class Checks:
    """Collects balances; each is kept with both sides."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def equal(self, name: str, left: int, right: int) -> None:
        """Note that two independently counted numbers must agree."""
        self.rows.append({"name": name, "left": left, "right": right, "ok": left == right})

    @property
    def closed(self) -> bool:
        """Whether all balances hold."""
        return all(row["ok"] for row in self.rows)


def check_records(checks: Checks, records: Mapping[str, Account]) -> None:
    """Records in = documents + skipped + quarantined, in records and in bytes."""
    for source, account in records.items():
        skipped = sum(account["skipped"].values())
        damaged = sum(account["damaged"].values())
        checks.equal(
            f"read/{source}: records = documents + merged + skipped + damaged",
            account["records"],
            account["documents"] + account["merged"] + skipped + damaged,
        )
        spent = account["document_bytes"] + account["skipped_bytes"] + account["damaged_bytes"]
        checks.equal(f"read/{source}: bytes = documents + skipped + damaged", account["bytes"], spent)


def check_steps(checks: Checks, records: Mapping[str, Account], steps: Sequence[Mapping[str, Any]]) -> None:
    """Every step's documents and bytes balance, and each step takes over what the one before it kept."""
    for source, record in records.items():
        documents, size = record["documents"], record["payload_bytes"]
        for step in steps:
            account = step["sources"].get(source)
            if account is None:
                account = new_step_account()
            label = f"{step['step']}/{source}"
            checks.equal(
                f"{label}: documents in = kept by the step before", account["documents_in"], documents
            )
            checks.equal(f"{label}: bytes in = kept by the step before", account["bytes_in"], size)
            gone = _dropped(account, "documents") + _quarantined(account, "documents")
            checks.equal(
                f"{label}: documents in = kept + dropped + quarantined",
                account["documents_in"],
                account["documents_kept"] + gone,
            )
            incoming = account["bytes_in"] + sum(account["inserted"].values())
            incoming += account["converted"]["to_bytes"] - account["converted"]["from_bytes"]
            outgoing = account["bytes_kept"] + _dropped(account, "bytes") + _quarantined(account, "bytes")
            outgoing += sum(account["removed"].values())
            checks.equal(
                f"{label}: bytes in + inserted = kept + dropped + quarantined + removed", incoming, outgoing
            )
            documents, size = account["documents_kept"], account["bytes_kept"]


def check_written(
    checks: Checks, steps: Sequence[Mapping[str, Any]], written: Mapping[str, Mapping[str, int]]
) -> None:
    """What the output files hold equals what the steps counted.

    `written`: source to documents, document_bytes, dropped, quarantined as counted from the files' rows.
    """
    for source, files in written.items():
        accounts = [step["sources"][source] for step in steps if source in step["sources"]]
        last = accounts[-1] if accounts else new_step_account()
        checks.equal(
            f"documents/{source}: rows = kept by the last step", files["documents"], last["documents_kept"]
        )
        checks.equal(
            f"documents/{source}: bytes = kept by the last step", files["document_bytes"], last["bytes_kept"]
        )
        checks.equal(
            f"dropped/{source}: rows = dropped by all steps",
            files["dropped"],
            sum(_dropped(a, "documents") for a in accounts),
        )
        checks.equal(
            f"quarantine/{source}: documents = quarantined by all steps",
            files["quarantined"],
            sum(_quarantined(a, "documents") for a in accounts),
        )


def check_tokens(checks: Checks, tokens: Mapping[str, int]) -> None:
    """Tokens: tokenized = selected + unused; cells of all rows = selected + repeated + special + padding."""
    checks.equal(
        "tokens: tokenized = selected + unused", tokens["tokenized"], tokens["selected"] + tokens["unused"]
    )
    checks.equal(
        "tokens: cells of all rows = selected + repeated + special + padding",
        tokens["cells"],
        tokens["selected"] + tokens["repeated"] + tokens["special"] + tokens["padding"],
    )
