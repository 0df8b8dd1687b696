"""An area's rules: where they contradict themselves, and which texts they call for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from contracts.translation import AreaRules, Condition, ItemRule, ItemType, MessageCode
from services.translation.area import codes_of, inconsistency, items_of, missing_of
from tests.unit.samples import item, rules

YES = Condition(question="genuine", option="yes")

CONSISTENT: list[tuple[str, tuple[ItemRule, ...]]] = [
    ("a date", (item("q", "date"),)),
    ("yes, no, unknown spelt out", (item("q", "yes-no-unknown", options=("yes", "no", "unknown")),)),
    ("a choice", (item("q", "single", options=("a", "b")),)),
    ("a sub-question of yes or no", (item("genuine", "yes-no-unknown"), item("q", "text", condition=YES))),
    (
        "a sub-question of a choice",
        (item("p", "single", options=("a",)), item("q", "date", condition=Condition(question="p", option="a"))),
    ),
]


@pytest.mark.parametrize("questions", [c[1] for c in CONSISTENT], ids=[c[0] for c in CONSISTENT])
def test_rules_that_fit_together_are_accepted(questions: tuple[ItemRule, ...]) -> None:
    """Each with its type's options, and conditions that can come true."""
    assert inconsistency(rules(questions=questions)) is None


CONTRADICTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("a question twice", {"questions": (item("q", "date"), item("p", "date"), item("q", "text"))}, "q"),
    ("a code of no list", {"questions": (item("q", "code-list"),)}, "q"),
    ("a list of a date", {"questions": (item("q", "date", list="nace"),)}, "q"),
    ("a particular twice", {"particulars": (item("p", "date"), item("p", "date"))}, "p"),
    ("a choice of nothing", {"questions": (item("q", "single"),)}, "q"),
    ("several of nothing", {"questions": (item("q", "multiple"),)}, "q"),
    ("options of a date", {"questions": (item("q", "date", options=("a",)),)}, "q"),
    ("options of free text", {"particulars": (item("q", "text", options=("a",)),)}, "q"),
    ("other options than yes, no, unknown", {"questions": (item("q", "yes-no-unknown", options=("yes",)),)}, "q"),
    (
        "a sub-question that stands before its question",
        {"questions": (item("q", "text", condition=YES), item("genuine", "yes-no-unknown"))},
        "q",
    ),
    ("a particular with a condition", {"particulars": (item("q", "text", condition=YES),)}, "q"),
    ("an option twice", {"questions": (item("q", "single", options=("x", "x")),)}, "q"),
    ("a condition on nothing", {"questions": (item("q", "text", condition=YES),)}, "q"),
    (
        "a condition on itself",
        {"questions": (item("genuine", "yes-no-unknown", condition=YES),)},
        "genuine",
    ),
    (
        "a condition on an option that there is not",
        {
            "questions": (
                item("genuine", "yes-no-unknown"),
                item("q", "text", condition=Condition(question="genuine", option="perhaps")),
            )
        },
        "q",
    ),
    (
        "a condition on a date",
        {"questions": (item("genuine", "date"), item("q", "text", condition=YES))},
        "q",
    ),
]


@pytest.mark.parametrize(("changes", "code"), [c[1:] for c in CONTRADICTIONS], ids=[c[0] for c in CONTRADICTIONS])
def test_rules_that_contradict_themselves_are_named_by_the_item(changes: dict[str, Any], code: str) -> None:
    """So that whoever wrote them finds the place."""
    assert inconsistency(rules(**changes)) == code


def test_a_particular_and_a_question_may_have_the_same_code() -> None:
    """They are told apart by where they stand, in the rules and in the texts."""
    assert inconsistency(rules(particulars=(item("since", "date"),), questions=(item("since", "date"),))) is None


def test_the_codes_of_the_texts_are_those_of_everything_that_a_reader_sees() -> None:
    """Title, sets, groups, particulars, questions and their options, each once."""
    made = rules(
        particulars=(item("holder", "text"),),
        questions=(
            item("genuine", "yes-no-unknown", set="general", group="diploma"),
            item("level", "single", options=("low", "high"), set="general", group="diploma"),
        ),
    )
    assert list(codes_of(made)) == [
        "title",
        "set.general",
        "group.diploma",
        "particular.holder",
        "question.genuine",
        "question.genuine.yes",
        "question.genuine.no",
        "question.genuine.unknown",
        "question.level",
        "question.level.low",
        "question.level.high",
    ]


words = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)


@st.composite
def areas(draw: st.DrawFn) -> AreaRules:
    """Any area with consistent rules and no conditions."""
    codes = draw(st.lists(words, min_size=1, max_size=6, unique=True))
    kinds: st.SearchStrategy[ItemType] = st.sampled_from(
        ["single", "multiple", "yes-no-unknown", "date", "number", "text", "country"]
    )
    questions = []
    for code in codes:
        kind = draw(kinds)
        options = draw(st.lists(words, min_size=1, max_size=4, unique=True)) if kind in ("single", "multiple") else ()
        names = {"set": draw(st.none() | words), "group": draw(st.none() | words)}
        questions.append(item(code, kind, options=tuple(options), **names))
    return rules(questions=tuple(questions))


@given(areas())
def test_no_two_texts_of_an_area_have_the_same_code(area: AreaRules) -> None:
    """Whatever sets, questions and options are called; and every code may be laid down."""
    assert inconsistency(area) is None
    codes = list(codes_of(area))
    assert len(codes) == len(set(codes))
    assert set(items_of(area)) <= set(codes)
    TypeAdapter(list[MessageCode]).validate_python(codes)


def test_what_a_language_lacks_is_what_some_other_has() -> None:
    """Counted for every language of the exchange, also for one that nothing is laid down in."""
    missing = missing_of({"en": ["title", "question.q"], "de": ["title"], "fr": ["title", "set.s"]})
    assert (missing["en"], missing["de"], missing["fr"], missing["hu"]) == (1, 2, 1, 3)
