"""Replies that are bound to a JSON object with labels of the set."""

from __future__ import annotations

import pytest

from affectlm.errors import ConfigError
from affectlm.line.measure import Measured
from affectlm.line.question import Asking
from affectlm.testing import ScriptedLLM
from affectlm.types import Completion, Outcome, Sample
from affectlm_categories.prompt import Categories

FACE = Measured(Sample("face", 0.3, -0.2))


class Bound(ScriptedLLM):
    """A model that takes schemas."""

    takes_schema = True


@pytest.mark.parametrize(("several", "reply"), [(False, '{"emotion": "fear"}'), (True, '{"emotions": ["fear"]}')])
def test_the_schema_has_the_labels_and_its_replies_are_read(several: bool, reply: str) -> None:
    """One label, or a list of them."""
    prompt = Categories(labels=["joy", "fear"], several=several, structured="auto")
    schema = prompt.render(FACE.sample).schema

    assert schema is not None
    assert "'enum': ['joy', 'fear']" in str(schema)
    assert prompt.parse(Completion(id="face", text=reply)).labels == ("fear",)


@pytest.mark.parametrize(("llm", "bound"), [(Bound(), True), (ScriptedLLM(), False)])
def test_only_a_model_that_can_be_bound_gets_the_schema_and_records_say_so(llm: ScriptedLLM, bound: bool) -> None:
    """Another is asked as without it, from the same place in the store."""
    question = Asking(prompt=Categories(structured="auto"), llm=llm).question(FACE)
    plain = Asking(prompt=Categories(), llm=llm).question(FACE)

    assert (question.request.schema is not None) is bound
    assert (question.key != plain.key) is bound
    assert question.record(Outcome.OK).structured is bound
    assert plain.record(Outcome.OK).structured is None


@pytest.mark.parametrize("further", [{"reasoning": "sections"}, {"answer": "choices"}])
def test_a_bound_reply_has_no_room_for_more(further: dict[str, str]) -> None:
    """The sentence says what to type."""
    with pytest.raises(ConfigError, match=r"type prompt\.structured=off"):
        Categories(structured="auto", **further)  # type: ignore[arg-type]
