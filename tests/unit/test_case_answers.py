"""Whether what was filled in fits what was asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from contracts.languages import STATES
from contracts.refusal import Refusal
from contracts.translation import Condition, ItemType
from contracts.types import Amount, FreeText, Span, Value
from services.casework.answers import Level, check_answers, check_asked, check_particulars, check_value, part_of
from services.casework.doing import stored
from tests.unit.samples import item, rules, text

OPTIONS = ("low", "high")
WRONG = "wrong-answer-type"

VALUES: list[tuple[ItemType, str, Value, str | None]] = [
    ("yes-no-unknown", "yes", "yes", None),
    ("yes-no-unknown", "no", "no", None),
    ("yes-no-unknown", "unknown", "unknown", None),
    ("yes-no-unknown", "in capitals", "YES", "unknown-option"),
    ("yes-no-unknown", "empty", "", "unknown-option"),
    ("yes-no-unknown", "a number", 1, WRONG),
    ("yes-no-unknown", "a list", ("yes",), WRONG),
    ("yes-no-unknown", "free text", text("yes"), WRONG),
    ("single", "an option", "low", None),
    ("single", "no option", "medium", "unknown-option"),
    ("single", "a list", ("low",), WRONG),
    ("multiple", "one", ("low",), None),
    ("multiple", "all", OPTIONS, None),
    ("multiple", "all in another order", ("high", "low"), None),
    ("multiple", "none", (), WRONG),
    ("multiple", "one twice", ("low", "low"), WRONG),
    ("multiple", "one that is none", ("low", "medium"), "unknown-option"),
    ("multiple", "a single word", "low", WRONG),
    ("date", "a day", "2026-03-10", None),
    ("date", "a leap day", "2024-02-29", None),
    ("date", "the first day", "0001-01-01", None),
    ("date", "the last day", "9999-12-31", None),
    ("date", "no leap day", "2023-02-29", WRONG),
    ("date", "without dashes", "20260310", WRONG),
    ("date", "a week", "2026-W11-2", WRONG),
    ("date", "a moment", "2026-03-10T00:00:00", WRONG),
    ("date", "as Germans write it", "10.03.2026", WRONG),
    ("date", "empty", "", WRONG),
    ("date", "a number", 20260310, WRONG),
    ("number", "nought", 0, None),
    ("number", "negative", -1, None),
    ("number", "a fraction", 0.5, None),
    ("number", "the largest", 10**15 - 1, None),
    ("number", "too large", 10**15, WRONG),
    ("number", "far too large", 10**400, WRONG),
    ("number", "too small", -1e15, WRONG),
    ("number", "a word", "1", WRONG),
    ("text", "free text", text("words"), None),
    ("text", "words without a language", "words", WRONG),
    ("country", "a state", "HU", None),
    ("country", "Greece", "EL", None),
    ("country", "Greece by ISO", "GR", "unknown-option"),
    ("country", "in small letters", "hu", "unknown-option"),
    ("country", "a state that takes no part", "US", "unknown-option"),
    ("country", "a list", ("HU",), WRONG),
    ("amount", "euros", Amount(amount="12.50", currency="EUR"), None),
    ("amount", "nothing", Amount(amount="0", currency="HUF"), None),
    ("amount", "a debt", Amount(amount="-3", currency="SEK"), None),
    ("amount", "a decimal comma", Amount(amount="12,50", currency="EUR"), WRONG),
    ("amount", "a leading nought", Amount(amount="012", currency="EUR"), WRONG),
    ("amount", "no number", Amount(amount="NaN", currency="EUR"), WRONG),
    ("amount", "digits of another script", Amount(amount="\u0661", currency="EUR"), WRONG),
    ("amount", "a line's end", Amount(amount="1\n", currency="EUR"), WRONG),
    ("amount", "too many digits", Amount(amount="1" * 16, currency="EUR"), WRONG),
    ("amount", "a currency that was", Amount(amount="1", currency="DEM"), "unknown-option"),
    ("amount", "a mere number", 12, WRONG),
    ("period", "some days", Span(begin="2026-01-01", end="2026-03-31"), None),
    ("period", "one day", Span(begin="2026-01-01", end="2026-01-01"), None),
    ("period", "backwards", Span(begin="2026-03-31", end="2026-01-01"), WRONG),
    ("period", "no day", Span(begin="2026-01-01", end="2026-02-30"), WRONG),
    ("period", "a date", "2026-01-01", WRONG),
    ("code-list", "a section", "F", None),
    ("code-list", "a division", "41", None),
    ("code-list", "a class", "41.20", None),
    ("code-list", "no section", "W", "unknown-option"),
    ("code-list", "too deep", "41.200", "unknown-option"),
    ("code-list", "a line's end", "F\n", "unknown-option"),
    ("code-list", "a number", 41, WRONG),
]


@pytest.mark.parametrize(
    ("kind", "value", "wrong"), [(v[0], *v[2:]) for v in VALUES], ids=[f"{v[0]}: {v[1]}" for v in VALUES]
)
def test_a_value_fits_its_type_or_is_refused(kind: ItemType, value: Value, wrong: str | None) -> None:
    """Nothing is guessed or converted; the extremes belong to the type or do not."""
    options = OPTIONS if kind in ("single", "multiple") else ()
    of = {"list": "nace"} if kind == "code-list" else {}
    assert check_value(item("q", kind, options=options, **of), value) == wrong


LISTED = [
    ("languages", "mt", None),
    ("languages", "xx", "unknown-option"),
    ("competences", "tour-guide", None),
    ("competences", "Tour guide", "unknown-option"),
]


@pytest.mark.parametrize(("name", "code", "wrong"), LISTED)
def test_a_code_is_one_of_its_list(name: str, code: str, wrong: str | None) -> None:
    """A list's codes have a form, and what has another is none of them."""
    assert check_value(item("q", "code-list", list=name), code) == wrong


LEVELS: list[tuple[Any, list[str | None]]] = [
    ("no", [None, None]),
    ("saving", ["q", "q"]),
    ("sending", [None, "q"]),
    (True, [None, "q"]),
    (False, [None, None]),
]


@pytest.mark.parametrize(("required", "missing"), LEVELS)
def test_what_is_required_for_saving_is_wanted_sooner(required: Any, missing: list[str | None]) -> None:
    """And for sending as well; true and false are read as they always were."""
    area = rules(questions=(item("q", "date", required=required),), particulars=(item("q", "date", required=required),))
    levels: tuple[Level, ...] = ("saving", "sending")
    answers = [check_answers(area, ["q"], {}, level) for level in levels]
    particulars = [check_particulars(area, {}, level) for level in levels]
    assert answers == [code and Refusal("answer-missing", f"answers.{code}") for code in missing]
    assert particulars == [code and Refusal("particular-missing", f"particulars.{code}") for code in missing]


PARTS = [FreeText(text="x", language="de"), Amount(amount="1", currency="EUR"), Span(begin="a", end="b")]


@pytest.mark.parametrize("value", PARTS)
def test_what_was_kept_is_what_came_in(value: FreeText | Amount | Span) -> None:
    """No kind of answer is taken for another, neither in a store nor in a message."""
    assert part_of(value.model_dump()) == value
    assert TypeAdapter[Value](Value).validate_python(value.model_dump()) == value


ANSWERS: list[tuple[str, tuple[str, ...], dict[str, Value], Refusal | None]] = [
    ("all answered", ("genuine", "level"), {"genuine": "yes", "level": "low"}, None),
    ("one missing", ("genuine", "level"), {"genuine": "yes"}, Refusal("answer-missing", "answers.level")),
    ("none given", ("genuine",), {}, Refusal("answer-missing", "answers.genuine")),
    ("an optional one missing", ("genuine", "remarks"), {"genuine": "yes"}, None),
    (
        "one that was not asked",
        ("genuine",),
        {"genuine": "yes", "level": "low"},
        Refusal("question-not-asked", "answers.level"),
    ),
    ("one that does not exist", ("genuine",), {"nothing": "x"}, Refusal("unknown-question", "answers.nothing")),
    ("one of the wrong type", ("hours",), {"hours": "many"}, Refusal(WRONG, "answers.hours")),
    ("one with another option", ("level",), {"level": "medium"}, Refusal("unknown-option", "answers.level")),
    (
        "a sub-question that arises, missing",
        ("genuine", "why-not"),
        {"genuine": "no"},
        Refusal("answer-missing", "answers.why-not"),
    ),
    ("a sub-question that arises", ("genuine", "why-not"), {"genuine": "no", "why-not": text()}, None),
    ("a sub-question that does not arise", ("genuine", "why-not"), {"genuine": "yes"}, None),
    ("a sub-question asked by itself, missing", ("why-not",), {}, Refusal("answer-missing", "answers.why-not")),
    ("a sub-question asked by itself", ("why-not",), {"why-not": text()}, None),
]


@pytest.mark.parametrize(("asked", "values", "refusal"), [a[1:] for a in ANSWERS], ids=[a[0] for a in ANSWERS])
def test_every_question_asked_is_answered_unless_optional_or_its_condition_is_not_met(
    asked: tuple[str, ...], values: dict[str, Value], refusal: Refusal | None
) -> None:
    """A sub-question whose question was not asked stands by itself."""
    assert check_answers(rules(), asked, values) == refusal


def test_a_sub_question_of_a_sub_question_arises_only_with_it() -> None:
    """Three levels: what the first answer rules out is asked of nobody further down."""
    nested = rules(
        questions=(
            item("genuine", "yes-no-unknown"),
            item("copied", "yes-no-unknown", condition=Condition(question="genuine", option="no")),
            item("by-whom", "text", condition=Condition(question="copied", option="yes")),
        )
    )
    asked = ("genuine", "copied", "by-whom")
    assert check_answers(nested, asked, {"genuine": "yes"}) is None
    assert check_answers(nested, asked, {"genuine": "no", "copied": "no"}) is None
    missing = check_answers(nested, asked, {"genuine": "no", "copied": "yes"})
    assert missing == Refusal("answer-missing", "answers.by-whom")


PARTICULARS: list[tuple[str, dict[str, Value], Refusal | None]] = [
    ("all", {"holder": text(), "born": "1980-01-01", "origin": "EL"}, None),
    ("the required ones", {"holder": text(), "born": "1980-01-01"}, None),
    ("one missing", {"holder": text()}, Refusal("particular-missing", "particulars.born")),
    ("one that does not exist", {"shoe-size": 42}, Refusal("particular-unknown", "particulars.shoe-size")),
    ("a question for a particular", {"genuine": "yes"}, Refusal("particular-unknown", "particulars.genuine")),
    ("one of the wrong type", {"holder": "a name"}, Refusal(WRONG, "particulars.holder")),
]


@pytest.mark.parametrize(("values", "refusal"), [p[1:] for p in PARTICULARS], ids=[p[0] for p in PARTICULARS])
def test_particulars_are_those_of_the_area_and_the_required_ones_are_there(
    values: dict[str, Value], refusal: Refusal | None
) -> None:
    """A fault in what is given comes before what is missing."""
    assert check_particulars(rules(), values) == refusal


ASKED: list[tuple[str, tuple[str, ...], Refusal | None]] = [
    ("one", ("genuine",), None),
    ("all in any order", tuple(reversed([question.code for question in rules().questions])), None),
    ("one twice", ("genuine", "level", "genuine"), Refusal("unknown-question", "questions.2")),
    ("one that does not exist", ("genuine", "nothing"), Refusal("unknown-question", "questions.1")),
    ("a particular", ("holder",), Refusal("unknown-question", "questions.0")),
]


@pytest.mark.parametrize(("asked", "refusal"), [a[1:] for a in ASKED], ids=[a[0] for a in ASKED])
def test_the_questions_asked_are_those_of_the_area_each_once(asked: tuple[str, ...], refusal: Refusal | None) -> None:
    """The position of the first wrong one is named."""
    assert check_asked(rules(), asked) == refusal


codes = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
free_texts = st.builds(FreeText, text=st.text(min_size=1, max_size=20), language=st.sampled_from(["de", "el"]))
values = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(codes, max_size=4).map(tuple),
    free_texts,
    st.sampled_from(STATES),
    st.dates().map(str),
)
_VALUE: TypeAdapter[Any] = TypeAdapter(Value)


@given(values)
def test_what_passes_a_check_is_kept_and_read_back_as_it_was(value: Value) -> None:
    """Stored as plain strings, numbers, lists and mappings; whatever fits no type never gets that far."""
    kinds: tuple[ItemType, ...] = ("yes-no-unknown", "date", "number", "text", "country")
    if any(check_value(item("q", kind), value) is None for kind in kinds):
        assert _VALUE.validate_python(stored({"q": value})["q"]) == value
    assert sum(check_value(item("q", kind), value) is None for kind in kinds) <= 1, "the types do not overlap"
