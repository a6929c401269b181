"""Replies of an earlier run, used again without asking a model.

Other metrics, other ways to read replies or other truth can so be applied to the same replies. A prompt that differs in
a single letter is another question and has no stored reply.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, TypeAlias

import attrs

from affectlm.errors import ConfigError
from affectlm.line.question import prompt_hash
from affectlm.store.records import RECORDS, read_records
from affectlm.types import Completion, Outcome, Record, Request

_Key: TypeAlias = tuple[str | None, str | None]  # id, SHA-256 of the messages
_STOPPED = re.compile(r"the model stopped with '(\w+)'")
_ROUNDING = 1e-6  # tolerance for sums of log-probabilities


def _records_file(value: object) -> Path:
    if value is None:
        raise ConfigError(f"llm 'replay' has no path; give a run's folder or its {RECORDS}, as in llm.path=outputs/run")
    path = Path(str(value)).expanduser()
    file = path / RECORDS if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"llm.path: '{file}' is not a file; expected the folder of a run or its {RECORDS}")
    return file


@attrs.frozen
class _Stored:
    """The stored answer to each question; None if several answers differ."""

    by: dict[_Key, Completion | None] = attrs.field(factory=dict)

    def add(self, record: Record, completion: Completion) -> None:
        prompt = record.prompt_sha256
        for key in ((record.id, prompt), (None, prompt))[: 2 if prompt else 1]:
            if self.by.setdefault(key, completion) != completion:
                self.by[key] = None

    def find(self, request: Request) -> Completion:
        prompt = prompt_hash(request.messages)
        for key in ((request.id, prompt), (None, prompt), (request.id, None)):
            if key not in self.by:
                continue
            found = self.by[key]
            if found is None:
                reason = f"stored replies to '{request.id}' differ; llm.model=NAME selects those of one model"
                return Completion(id=request.id, error=reason)
            return attrs.evolve(found, id=request.id)
        return Completion(id=request.id, error=f"no stored reply for '{request.id}'")


@attrs.frozen(kw_only=True)
class Replay:
    """Answers each question with the reply that a run has recorded for it.

    A reply is used for the same messages with the same id, or else for the same messages with any id, if all replies to
    them agree. A record without a hash of its messages is used for its id. Any other question is an error of that
    request alone. Records do not have the usage, and do not show that a reply was cut short if a label was read from
    it.

    Args:
        path: a run's folder, or its records.jsonl.
        model: uses only the replies of this model, for a file with replies of several.

    Raises:
        AffectlmError: the file is missing, is not a file of records, or has no reply of that model.
    """

    repeatable: ClassVar[bool] = False  # two ids may have two replies to the same messages

    path: Path = attrs.field(converter=_records_file)
    model: str | None = attrs.field(default=None, converter=attrs.converters.optional(str))
    _replies: _Stored = attrs.field(init=False, repr=False, eq=False, factory=_Stored)
    _scores: _Stored = attrs.field(init=False, repr=False, eq=False, factory=_Stored)
    _blind: dict[frozenset[str], Completion | None] = attrs.field(init=False, repr=False, eq=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        """Reads the records."""
        models: set[str] = set()
        for record in read_records(self.path, ids_repeat=True):  # of several models
            if record.reply is not None or record.choice_logprobs is not None:
                models.add(record.model or "")
                if self.model in (None, record.model):
                    self._add(record)
        if not models:
            raise ConfigError(f"'{self.path}' has no replies; expected the records of a run that asked a model")
        if self.model is not None and self.model not in models:
            raise ConfigError(f"'{self.path}' has no replies of '{self.model}'; models: {', '.join(sorted(models))}")

    def describe(self) -> Mapping[str, str]:
        """The SHA-256 of the records."""
        with self.path.open("rb") as file:
            return {"records": hashlib.file_digest(file, "sha256").hexdigest()}

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """The stored reply to each request."""
        return map(self._replies.find, requests)

    def score_choices(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """The stored log-probabilities of each request's choices."""
        return map(self._score, requests)

    def _add(self, record: Record) -> None:
        model = record.model or ""
        if record.reply is not None:
            reason = _finish_reason(record)
            self._replies.add(record, Completion(id="", text=record.reply, model=model, finish_reason=reason))
        found = record.choice_logprobs
        if found is None:
            return
        scores = Completion(id="", model=model, choice_logprobs=found, choice_tokens=record.choice_tokens)
        self._scores.add(record, scores)
        if record.choice_normalised is not None:
            blind = {label: value - record.choice_normalised[label] for label, value in found.items()}
            known = self._blind.setdefault(frozenset(found), attrs.evolve(scores, choice_logprobs=blind))
            if known is not None and not _same(known.choice_logprobs or {}, blind):
                self._blind[frozenset(found)] = None

    def _score(self, request: Request) -> Completion:
        if request.sample is None:
            return self._score_blind(request)
        found = self._scores.find(request)
        if found.error is None and set(found.choice_logprobs or ()) != set(request.choices):
            labels = ", ".join(found.choice_logprobs or ())
            reason = f"the stored reply for '{request.id}' is about other labels: {labels}"
            return Completion(id=request.id, error=reason)
        return found

    def _score_blind(self, request: Request) -> Completion:
        """The scores of the question without numbers, computed from the normalised scores in the records."""
        found = self._blind.get(frozenset(request.choices))
        if found is None:
            reason = "it has no stored reply, or several that differ; type choice_score=sum"
            return Completion(id=request.id, error=reason)
        return attrs.evolve(found, id=request.id)


def _finish_reason(record: Record) -> str:
    """Why the model stopped, as far as the record shows."""
    if record.outcome is Outcome.TRUNCATED:
        return "length"
    if record.outcome is not Outcome.REFUSED or record.reason == "the reply declines to answer":
        return "stop"
    stopped = _STOPPED.match(record.reason)
    return stopped.group(1) if stopped else "content_filter"


def _same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return all(math.isclose(one[label], other[label], abs_tol=_ROUNDING) for label in other)
