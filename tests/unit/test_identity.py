"""Derived identifiers."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from contracts.identity import authority_id, case_id, derived_uuid
from contracts.types import AuthorityId, CaseId

texts = st.lists(st.text(max_size=20), max_size=4)


@given(texts, texts)
def test_the_same_parts_give_the_same_id_and_others_another(one: list[str], other: list[str]) -> None:
    """Also where the parts run into the same text when joined."""
    assert (derived_uuid(*one) == derived_uuid(*other)) == (one == other)


@given(st.text(), st.text())
def test_case_and_authority_numbers_are_of_their_form(system: str, message_id: str) -> None:
    """Whatever the message id that a sender chose."""
    TypeAdapter(CaseId).validate_python(case_id(system, message_id))
    TypeAdapter(AuthorityId).validate_python(authority_id("HU", system, message_id))
