"""Personal data and secrets: found by form, checksum and context, replaced type by type, counted by type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpusforge.edits import Edits
from corpusforge.errors import UsageError
from corpusforge.heartbeat import Heartbeat
from corpusforge.pii.actions import Action, Replacer, key_fingerprint, read_key
from corpusforge.pii.detect import Detector, Finding
from corpusforge.pii.names import NAMES, LanguageModel, around, installed_model, model_fingerprint
from corpusforge.pii.national import NATIONAL_IDS, check_names
from corpusforge.pii.recognizers import ENTITIES, recognizer
from corpusforge.step import LiveRows, MapStep, Measured, Rule, RunContext, Signal, StepParameters
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]


class PiiParameters(StepParameters):
    """What to look for and how sure to be."""

    rules: str = "pii@default"
    """Section of ``filters/pii.yaml`` that gives the thresholds."""
    entities: list[str] = Field(default_factory=lambda: list(ENTITIES))
    """Types to look for, by presidio's names."""
    minimum_scores: dict[str, float] = Field(default_factory=dict)
    """Least score per entity, 0 to 1; every entity needs one."""
    max_found: int | None = None
    """Drop a document with more findings than this; None keeps all."""
    max_email_address: int | None = None
    """Drop a document with more e-mail addresses than this."""
    max_phone_number: int | None = None
    """Drop a document with more telephone numbers than this."""
    max_credit_card: int | None = None
    """Drop a document with more card numbers than this."""
    max_iban_code: int | None = None
    """Drop a document with more account numbers than this."""
    max_ip_address: int | None = None
    """Drop a document with more IP addresses than this."""
    max_mac_address: int | None = None
    """Drop a document with more hardware addresses than this."""
    max_us_ssn: int | None = None
    """Drop a document with more social security numbers than this."""
    max_national_id: int | None = None
    """Drop a document with more national identity numbers than this."""
    max_crypto: int | None = None
    """Drop a document with more crypto addresses than this."""
    max_url_credentials: int | None = None
    """Drop a document with more passwords in web addresses than this."""
    max_secret: int | None = None
    """Drop a document with more keys and tokens than this."""
    max_private_key: int | None = None
    """Drop a document with more private keys than this; 0 drops each that has one."""
    max_person: int | None = None
    """Drop a document with more names of people than this; only with `language_model`."""
    max_location: int | None = None
    """Drop a document with more places and addresses than this; only with `language_model`."""
    actions: dict[str, Action] = Field(default_factory=dict)
    """Per entity: `placeholder` (the default), `pseudonym` (the same value gives the same name, by a keyed
    hash), `remove`, or `keep` (counted and left in the text)."""
    placeholder: str = "<{type}>"
    """What replaces a finding; ``{type}`` is the entity's name, in pseudonyms with 16 hexadecimal digits."""
    pseudonym_key: str | None = None
    """Where the key of pseudonyms is: ``env:NAME`` or ``file:PATH``, at least 16 bytes. The key is never
    recorded; stages are told apart by a keyed hash of a constant."""
    phone_regions: list[str] = Field(default_factory=lambda: ["US", "GB", "DE", "FR", "IL", "IN", "CA", "BR"])
    """Regions (ISO 3166) whose national telephone numbers are found without a word beside them that names them;
    presidio's own list."""
    national_ids: list[str] = Field(default_factory=lambda: list(NATIONAL_IDS))
    """National numbers to look for (NATIONAL_ID), by presidio's names. More can be named: passports, driving licences
    and other numbers without a checksum (`corpusforge.pii.national`)."""
    keep_unrouted_addresses: bool = True
    """Leave IP addresses that name no host on the Internet (private, loopback, …) in the text."""
    max_window_bytes: int = 262_144
    """Bytes of one document that recognizers may see; a document with more candidates is quarantined."""
    language_model: str | None = None
    """An installed spaCy package, or the folder of a pipeline (a path or a URL): finds names of people (PERSON) and
    places (LOCATION) by presidio. Some 20 kilobytes per second, 1,000 times slower than all other types together."""
    model_entities: list[str] = Field(default_factory=lambda: list(NAMES))
    """What the language model is asked for."""
    model_languages: list[str] = Field(default_factory=list)
    """Only documents whose `lang` is one of these are read by the language model; empty: all."""
    max_model_bytes: int = 4_194_304
    """Bytes of one document that the language model may read; a longer one is quarantined."""


def _tells(entity: str) -> str:
    """The name of the signal that counts an entity."""
    return f"count_{entity.lower()}"


class Pii(MapStep):
    """Replaces personal data and secrets.

    A byte scan finds candidates (`corpusforge.kernels.pii_candidates`, `corpusforge.kernels.pii_marks`);
    recognizers see only windows around them. Guards discard what is no personal data
    (`corpusforge.pii.guards`). Findings become edits, so they are counted by type and can be undone; their
    values stand in no signal, log or report. Names of people and places are only looked for with a language
    model (`corpusforge.pii.names`), which reads every byte.
    """

    name = "pii"
    summary = "replace e-mail and IP addresses, telephone, card and national numbers, keys and tokens"
    extra = "pii"
    edits = True
    version = 5
    Parameters = PiiParameters
    signals: ClassVar[Sequence[Signal]] = (
        *(
            Signal(_tells(entity), description=f"findings of type {entity}; null when not looked for")
            for entity in ENTITIES
        ),
        *(
            Signal(
                _tells(entity),
                description=f"findings of type {entity}; only with `language_model`, null when it did not look",
            )
            for entity in NAMES
        ),
        Signal("found", description="findings of all types"),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("max_found", "found", "above"),
        *(Rule(f"max_{entity.lower()}", _tells(entity), "above") for entity in (*ENTITIES, *NAMES)),
    )

    _replacer: Replacer | None = None
    _detector: Detector | None = None
    _names: LanguageModel | None = None
    _heartbeat: Heartbeat = Heartbeat()

    def __init__(self, parameters: StepParameters | None = None, instance: str | None = None) -> None:
        super().__init__(parameters, instance)
        if self.parameters.language_model is None:
            # What is not measured has no column: both lists are the instance's.
            absent = {_tells(entity) for entity in NAMES}
            own = {
                "signals": tuple(signal for signal in type(self).signals if signal.name not in absent),
                "rules": tuple(rule for rule in type(self).rules if rule.signal not in absent),
            }
            self.__dict__.update(own)

    def check(self) -> None:
        """Raise `UsageError` for entities without a minimum score, wrong templates, pseudonyms without a key."""
        parameters: PiiParameters = self.parameters
        for entity in parameters.entities:
            if entity in NAMES:
                raise UsageError(
                    f"pii finds {entity} with a language_model only: it stands in model_entities"
                )
            if entity not in ENTITIES:
                raise UsageError(f"pii knows no entity {entity!r}, only {', '.join(ENTITIES)}")
            if entity not in parameters.minimum_scores:
                raise UsageError(f"pii needs a minimum score for {entity} (see filters/pii.yaml)")
        check_names(parameters.national_ids)
        self._check_model()
        known = {*ENTITIES, *(parameters.model_entities if parameters.language_model else ())}
        unknown = sorted(set(parameters.actions) - known)
        if unknown:
            raise UsageError(f"pii has an action for {', '.join(unknown)}, which it does not look for")
        self._key()
        try:
            parameters.placeholder.format(type="TYPE")
        except (KeyError, IndexError, ValueError) as error:
            raise UsageError(
                f"pii placeholder {parameters.placeholder!r} is no template of {{type}}"
            ) from error

    def _check_model(self) -> None:
        parameters: PiiParameters = self.parameters
        unknown = sorted(set(parameters.model_entities) - set(NAMES))
        if unknown:
            raise UsageError(f"pii asks no model for {', '.join(unknown)}, only for {', '.join(NAMES)}")
        if parameters.language_model is not None:
            installed_model(parameters.language_model)
        elif parameters.max_person is not None or parameters.max_location is not None:
            raise UsageError("pii counts people and places with a language_model only")

    def _key(self) -> bytes | None:
        """The key of pseudonyms, None when no type asks for them."""
        parameters: PiiParameters = self.parameters
        if "pseudonym" not in parameters.actions.values():
            return None
        if parameters.pseudonym_key is None:
            raise UsageError("pii needs pseudonym_key (env:NAME or file:PATH) for the action pseudonym")
        return read_key(parameters.pseudonym_key)

    def fingerprint(self) -> dict[str, str]:
        """Tell stages with different keys and language models apart."""
        key, model = self._key(), self.parameters.language_model
        found = {} if key is None else {"pseudonym_key": key_fingerprint(key)}
        return found if model is None else {**found, "language_model": model_fingerprint(model)}

    def open(self, context: RunContext) -> None:
        """Import libraries and make the recognizers, once per process."""
        self._heartbeat = context.heartbeat
        if self._detector is None:
            self.check()
            parameters: PiiParameters = self.parameters
            if parameters.language_model is not None:
                # Before the recognizers, which import spaCy without torch; a pipeline may need it.
                self._names = LanguageModel(parameters.language_model, parameters.model_entities)
            made = {
                entity: recognizer(entity, parameters.phone_regions, parameters.national_ids)
                for entity in parameters.entities
            }
            self._replacer = Replacer(parameters.actions, parameters.placeholder, self._key())
            self._detector = Detector(
                made,
                parameters.minimum_scores,
                parameters.keep_unrouted_addresses,
                parameters.max_window_bytes,
            )

    def measure(self, rows: LiveRows) -> Measured:
        """Findings as edits (rule: the entity in lower case) and counts per entity."""
        if self._detector is None:
            raise RuntimeError("pii was not opened")
        locators = rows.column("locator")

        def begin(row: int) -> None:
            self._heartbeat.begin(locators[row].as_py())

        found, excessive = self._detector.detect(rows.texts, begin)
        failures = {
            row: f"too_many_candidates: {size} bytes could hold personal data, more than max_window_bytes"
            for row, size in excessive.items()
        }
        read = self._to_read(rows, failures)
        for row in read:
            found[row] = self._with_names(rows.texts, row, found[row], begin)
        self._heartbeat.done()
        return Measured(
            signals=self._counts(found, read), edits=self._edits(rows.texts, found), failures=failures
        )

    def _to_read(self, rows: LiveRows, failures: dict[int, str]) -> list[int]:
        """The rows that the language model reads; those that are too long for it join the failures."""
        if self._names is None:
            return []
        parameters: PiiParameters = self.parameters
        asked = np.ones(len(rows), np.bool_)
        if parameters.model_languages:
            asked = np.isin(rows.column("lang").to_pylist(), parameters.model_languages)
        sizes = np.diff(rows.texts.offsets)
        for row in np.flatnonzero(asked & (sizes > parameters.max_model_bytes)).tolist():
            failures.setdefault(
                row, f"too_long_for_model: {sizes[row]} bytes, more than max_model_bytes of pii"
            )
        return [row for row in np.flatnonzero(asked).tolist() if row not in failures]

    def _with_names(
        self, texts: Texts, row: int, found: list[Finding], begin: Callable[[int], None]
    ) -> list[Finding]:
        if self._names is None:
            return found
        data = texts.bytes_of(row)
        return around(data, self._names.find(data, lambda: begin(row)), found)

    def findings(self, texts: Texts, names: bool = False) -> list[list[Finding]]:
        """What is found in texts, without counts and edits; nothing in those of too many candidates.

        With `names` the language model looks too, if there is one.
        """
        if self._detector is None:
            raise RuntimeError("pii was not opened")
        found = self._detector.detect(texts, lambda row: None)[0]
        if not names:
            return found
        return [self._with_names(texts, row, found[row], lambda row: None) for row in range(len(texts))]

    def _counts(self, found: list[list[Finding]], read: Sequence[int]) -> dict[str, Int64 | pa.Array]:
        """Counts by type; null for a type that was not looked for, and for names where no model read."""
        parameters: PiiParameters = self.parameters
        by_model = parameters.model_entities if self._names is not None else ()
        unread = np.ones(len(found), np.bool_)
        unread[list(read)] = False
        signals: dict[str, Int64 | pa.Array] = {}
        for name in (signal.name for signal in self.signals if signal.name != "found"):
            entity = name.removeprefix("count_").upper()
            if entity not in parameters.entities and entity not in by_model:
                signals[name] = pa.nulls(len(found), pa.int64())
                continue
            counts = np.array([sum(one.entity == entity for one in part) for part in found], np.int64)
            signals[name] = pa.array(counts, mask=unread) if entity in NAMES else counts
        signals["found"] = np.array([len(part) for part in found], np.int64)
        return signals

    def _edits(self, texts: Texts, found: list[list[Finding]]) -> Edits:
        if self._replacer is None:
            raise RuntimeError("pii was not opened")
        spans = []
        for row, findings in enumerate(found):
            base = int(texts.offsets[row])
            for one in findings:
                raw = texts.data[base + one.start : base + one.end].tobytes()
                new = self._replacer.replacement(one.entity, raw.decode("utf-8", "surrogateescape"))
                if new is not None:
                    spans.append((row, one.start, one.end, new, one.entity.lower()))
        return Edits.from_spans(spans)

    def __getstate__(self) -> dict[str, object]:
        """Recognizers stay in their process: a step travels without them."""
        process = {"_detector": None, "_replacer": None, "_names": None, "_heartbeat": Heartbeat()}
        return {**self.__dict__, **process}
