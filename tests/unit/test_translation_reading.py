"""What a reader reads: its own language, else its next, else English; and nothing but words is filled in."""

import copy
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import from_json, to_json

from contracts.case import CaseView
from contracts.directory import Card, Found, Match
from contracts.inbox import AuthorityUpdate, CaseUpdate, Milestone, Outcome, Refused, SystemUpdate
from contracts.languages import LANGUAGES, STATES
from contracts.sentences import LABELS, REFUSALS, SENTENCES
from contracts.types import Message
from services.translation.area import AreaTexts, codes_of, items_of
from services.translation.reading import Reading, in_order
from services.translation.render import area_of, render
from tests.unit.samples import item, rules

Json = dict[str, Any]
RULES = rules()
ENGLISH = {code: f"en:{code}" for code in codes_of(RULES)}
GERMAN = {code: f"de:{code}" for code in ENGLISH if code != "question.since"}
AREA = AreaTexts(items_of(RULES), {"en": ENGLISH, "de": GERMAN, "sv": {"title": "sv:title"}})
SAID = {"en": dict(SENTENCES), "de": {code: f"de:{code}" for code in SENTENCES}, "sv": {"state.closed": "Avslutat"}}


def reading(*languages: str) -> Reading:
    """Somebody who reads these languages."""
    return Reading(in_order(languages), SAID)


ORDERS = [
    ("one", ("de",), ("de", "en")),
    ("several", ("sv", "de"), ("sv", "de", "en")),
    ("English first", ("en", "de"), ("en", "de")),
    ("English between", ("sv", "en", "de"), ("sv", "en", "de")),
    ("none", (), ("en",)),
]


@pytest.mark.parametrize(("languages", "order"), [o[1:] for o in ORDERS], ids=[o[0] for o in ORDERS])
def test_languages_are_tried_in_the_readers_order_and_english_at_the_latest(
    languages: tuple[str, ...], order: tuple[str, ...]
) -> None:
    """Each once."""
    assert in_order(languages) == order


FALLBACKS = [
    ("its first language", ("sv", "de"), "title", "sv:title"),
    ("its next language", ("sv", "de"), "question.genuine", "de:question.genuine"),
    ("English", ("sv", "de"), "question.since", "en:question.since"),
    ("English for a language without texts", ("mt",), "title", "en:title"),
    ("nothing for a code without a text", ("de",), "question.nothing", None),
]


@pytest.mark.parametrize(("languages", "code", "text"), [f[1:] for f in FALLBACKS], ids=[f[0] for f in FALLBACKS])
def test_a_text_is_read_in_the_first_language_that_has_it(
    languages: tuple[str, ...], code: str, text: str | None
) -> None:
    """Text by text: one that is missing does not take the others with it."""
    assert reading(*languages).text(AREA, code) == text


SENTENCE_FALLBACKS = [
    ("its first language", ("sv", "de"), "state.closed", "Avslutat"),
    ("its next language", ("sv", "de"), "state.replied", "de:state.replied"),
    ("English", ("sv",), "state.replied", LABELS["state.replied"]),
    ("the code itself where there are no words", ("de",), "state.unheard-of", "state.unheard-of"),
]


@pytest.mark.parametrize(
    ("languages", "code", "text"), [f[1:] for f in SENTENCE_FALLBACKS], ids=[f[0] for f in SENTENCE_FALLBACKS]
)
def test_a_sentence_is_never_empty(languages: tuple[str, ...], code: str, text: str) -> None:
    """A reader that is told nothing else is told the code."""
    assert reading(*languages).sentence(code) == text


CLDR = [
    ("bg", "1 април 2026 г.", "1 234 567,25", "Гърция"),  # noqa: RUF001 - Bulgarian
    ("cs", "1. dubna 2026", "1 234 567,25", "Řecko"),
    ("da", "1. april 2026", "1.234.567,25", "Grækenland"),
    ("de", "1. April 2026", "1.234.567,25", "Griechenland"),
    ("el", "1 Απριλίου 2026", "1.234.567,25", "Ελλάδα"),
    ("en", "1 April 2026", "1,234,567.25", "Greece"),
    ("es", "1 de abril de 2026", "1.234.567,25", "Grecia"),
    ("et", "1. aprill 2026", "1 234 567,25", "Kreeka"),
    ("fi", "1. huhtikuuta 2026", "1 234 567,25", "Kreikka"),
    ("fr", "1 avril 2026", "1 234 567,25", "Grèce"),
    ("ga", "1 Aibreán 2026", "1,234,567.25", "an Ghréig"),
    ("hr", "1. travnja 2026.", "1.234.567,25", "Grčka"),
    ("hu", "2026. április 1.", "1 234 567,25", "Görögország"),
    ("is", "1. apríl 2026", "1.234.567,25", "Grikkland"),
    ("it", "1 aprile 2026", "1.234.567,25", "Grecia"),
    ("lt", "2026 m. balandžio 1 d.", "1 234 567,25", "Graikija"),
    ("lv", "2026. gada 1. aprīlis", "1 234 567,25", "Grieķija"),
    ("mt", "1 ta’ April 2026", "1,234,567.25", "il-Greċja"),  # noqa: RUF001 - CLDR's apostrophe
    ("nb", "1. april 2026", "1 234 567,25", "Hellas"),
    ("nl", "1 april 2026", "1.234.567,25", "Griekenland"),
    ("pl", "1 kwietnia 2026", "1 234 567,25", "Grecja"),
    ("pt", "1 de abril de 2026", "1 234 567,25", "Grécia"),
    ("ro", "1 aprilie 2026", "1.234.567,25", "Grecia"),
    ("sk", "1. apríla 2026", "1 234 567,25", "Grécko"),
    ("sl", "1. april 2026", "1.234.567,25", "Grčija"),
    ("sv", "1 april 2026", "1 234 567,25", "Grekland"),
]


@pytest.mark.parametrize(("language", "day", "number", "greece"), CLDR, ids=[row[0] for row in CLDR])
def test_dates_numbers_and_states_are_written_as_the_reader_writes_them(
    language: str, day: str, number: str, greece: str
) -> None:
    """By the Unicode Common Locale Data Repository (CLDR); whichever space it puts between digits counts as one."""
    read = reading(language)
    shown = [
        read.value(AREA, "question.since", "2026-04-01"),
        read.value(AREA, "question.hours", 1234567.25),
        read.value(AREA, "question.trained-in", "EL"),
    ]
    assert [" ".join(one.split()) for one in shown] == [day, number, greece]


def test_the_table_of_languages_is_whole() -> None:
    """Every language of the exchange stands in it."""
    assert tuple(row[0] for row in CLDR) == LANGUAGES


NEW = [
    item("pay", "amount"),
    item("stay", "period"),
    item("spoken", "code-list", list="languages"),
    item("trade", "code-list", list="nace"),
]
NEWER = AreaTexts(items_of(rules(questions=tuple(NEW))), {})
FORMS: list[tuple[str, str, Any, str]] = [
    ("de", "pay", {"amount": "1234.5", "currency": "EUR"}, "1.234,50 €"),
    ("en", "pay", {"amount": "1234.5", "currency": "EUR"}, "€1,234.50"),
    ("hu", "pay", {"amount": "1500000", "currency": "HUF"}, "1 500 000,00 Ft"),
    ("de", "pay", {"amount": "0.1234", "currency": "EUR"}, "0,1234 €"),
    ("de", "stay", {"begin": "2026-01-05", "end": "2026-03-31"}, "5. Jan. – 31. März 2026"),  # noqa: RUF001
    ("fr", "stay", {"begin": "2026-01-05", "end": "2026-03-31"}, "5 janv. – 31 mars 2026"),  # noqa: RUF001
    ("de", "stay", {"begin": "2026-01-05", "end": "2026-01-05"}, "5. Jan. 2026"),
    ("de", "spoken", "mt", "Maltesisch"),
    ("de", "trade", "41.20", "41.20"),
]


@pytest.mark.parametrize(("language", "code", "value", "shown"), FORMS)
def test_amounts_periods_and_codes_are_written_as_the_reader_writes_them(
    language: str, code: str, value: Any, shown: str
) -> None:
    """A currency's decimals are its own, and none that was stated is lost."""
    read = reading(language).value(NEWER, f"question.{code}", value)
    assert " ".join(read.split()) == shown


TERMS = {"nace-41.20": {"de": "Bau von Gebäuden", "en": "Construction"}, "doctor": {"en": "Doctor"}}
LISTED = [
    ("an activity, by its code and its words", "trade", "41.20", ("de",), "41.20 Bau von Gebäuden"),
    ("in English", "trade", "41.20", ("mt",), "41.20 Construction"),
    ("in the next language", "trade", "41.20", ("mt", "de"), "41.20 Bau von Gebäuden"),
    ("a profession", "profession", "doctor", ("mt",), "Doctor"),
    ("one that the vocabulary lacks", "trade", "01.10", ("de",), "01.10"),
]


@pytest.mark.parametrize(
    ("code", "value", "languages", "shown"), [one[1:] for one in LISTED], ids=[one[0] for one in LISTED]
)
def test_codes_of_lists_are_read_in_the_words_of_the_vocabulary(
    code: str, value: str, languages: tuple[str, ...], shown: str
) -> None:
    """In the first of the reader's languages that has any; a code without words is read as it is."""
    area = AreaTexts(items_of(rules(questions=(*NEW, item("profession", "code-list", list="competences")))), {})
    assert Reading(in_order(languages), SAID, TERMS).value(area, f"question.{code}", value) == shown


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("code", "value"), [form[1:3] for form in FORMS[3:]])
def test_every_language_has_a_form_for_every_type(language: str, code: str, value: Any) -> None:
    """No reader meets an error or nothing."""
    assert reading(language).value(NEWER, f"question.{code}", value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_has_a_name_in_every_language(language: str) -> None:
    """Another for each state, and never its code: the EU's EL is known too."""
    names = [reading(language).country(state) for state in STATES]
    assert len(set(names)) == len(STATES)
    assert not set(names) & set(STATES)


VALUES: list[tuple[str, str, Any, str]] = [
    ("yes or no", "question.genuine", "yes", "de:question.genuine.yes"),
    ("one option", "question.level", "low", "de:question.level.low"),
    ("several", "question.subjects", ["law", "music"], "de:question.subjects.law; de:question.subjects.music"),
    ("an option without words", "question.level", "medium", "medium"),
    ("free text stays as it was typed", "question.why-not", {"text": "Igen", "language": "hu"}, "Igen"),
    ("a particular", "particular.born", "1980-02-29", "29. Februar 1980"),
    ("nought", "question.hours", 0, "0"),
    ("a negative number", "question.hours", -1.5, "-1,5"),
    ("a value whose item is unknown", "question.nothing", 7, "7"),
]


@pytest.mark.parametrize(("code", "value", "text"), [v[1:] for v in VALUES], ids=[v[0] for v in VALUES])
def test_a_value_is_read_by_the_type_of_its_item(code: str, value: Any, text: str) -> None:
    """A code is never shown where there are words for it."""
    assert reading("de").value(AREA, code, value) == text


def case(**changes: Any) -> CaseView:
    """A case that has been replied to, as its sender sees it before it is translated."""
    side = {"name": "Amt", "authority": "DE-00000001", "country": {"code": "DE"}}
    fields = {
        "id": "0000-0000-0001",
        "version": 3,
        "state": {"code": "replied"},
        "turn": "DE-00000001",
        "area": {"code": "diplomas", "version": 3},
        "sender": side,
        "recipient": side | {"authority": "HU-00000002", "country": {"code": "EL"}},
        "wished_date": date(2026, 4, 1),
        "acceptance_due": datetime(2026, 3, 17, tzinfo=UTC),
        "questions": [{"code": "genuine", "value": "yes"}, {"code": "level"}, {"code": "since", "value": "2026-04-01"}],
        "particulars": [{"code": "holder", "value": {"text": "x", "language": "de"}}],
        "event": {"code": "replied", "at": datetime(2026, 3, 20, tzinfo=UTC), "by": "HU-00000002"},
    }
    return CaseView.model_validate(fields | changes)


def as_sent(message: BaseModel) -> Json:
    """The message as it comes from the queue."""
    return cast("Json", from_json(to_json(message, exclude_none=True)))


def rendered(message: Message, *languages: str) -> Json:
    """The message as the reader of these languages gets it."""
    made = as_sent(message)
    assert render(made, reading(*languages), {("diplomas", 3): AREA}) == message.TYPE
    return made


def labels(node: Any) -> list[Json]:
    """Every object in the message that has a code to be read."""
    if isinstance(node, list):
        return [found for one in node for found in labels(one)]
    if not isinstance(node, dict):
        return []
    own = [node] if "code" in node else []
    return own + [found for key, one in node.items() if key != "value" for found in labels(one)]


CARD = Card(
    id="HU-0000000A", status="pending", kind="authority", country="HU", names={"hu": "x"}, city="x",
    languages=("hu",), areas=(),
)  # fmt: skip
MESSAGES: list[tuple[str, Message]] = [
    ("an outcome with a case", Outcome(command="1", status="done", case=case())),
    ("a refusal", Outcome(command="1", status="refused", refused=Refused(code="wrong-state"))),
    ("a refusal with the case", Outcome(status="refused", refused=Refused(code="not-your-step"), case=case())),
    ("the other side's step", CaseUpdate(reader="DE-00000001", case=case())),
    ("a case without particulars", CaseUpdate(reader="DE-00000001", case=case(particulars=None))),
    ("an application", AuthorityUpdate(event="applied", authority=CARD)),
    ("what was found", Outcome(status="done", found=(Found(card=CARD, match=Match(kind="all-words", words=("x",))),))),
    ("a milestone", Milestone(activations=5000, authority=CARD)),
    ("a system", SystemUpdate(system="hu-hivatal")),
]


@pytest.mark.parametrize("message", [m[1] for m in MESSAGES], ids=[m[0] for m in MESSAGES])
@pytest.mark.parametrize("languages", [("de",), ("sv", "de"), ("mt",), ("en",)], ids="-".join)
def test_every_label_is_filled_in_and_the_message_keeps_its_form(message: Message, languages: tuple[str, ...]) -> None:
    """Every code has words beside it, every value is readable, and what comes out is still of its type."""
    made = rendered(message, *languages)
    for label in labels(made):
        assert label["text"]
        assert ("value" in label) == ("value_text" in label)
    for update in (AuthorityUpdate, SystemUpdate):
        assert not isinstance(message, update) or made["text"]
    type(message).model_validate(made)


def without_words(node: Any) -> Any:
    """The same without what translation may fill in."""
    if isinstance(node, list):
        return [without_words(one) for one in node]
    if isinstance(node, dict):
        words = {"value_text"} if "language" in node else {"text", "value_text", "in_other_language"}
        return {key: without_words(one) for key, one in node.items() if key not in words}
    return node


values = {
    "genuine": st.sampled_from(["yes", "no", "unknown"]),
    "level": st.sampled_from(["low", "high"]),
    "subjects": st.lists(st.sampled_from(["law", "medicine", "music"]), min_size=1, unique=True),
    "since": st.dates().map(str),
    "hours": st.integers(-(10**14), 10**14) | st.floats(-1e14, 1e14),
    "trained-in": st.sampled_from(STATES),
    "remarks": st.fixed_dictionaries({"text": st.text(min_size=1), "language": st.sampled_from(LANGUAGES)}),
}


@given(st.fixed_dictionaries({}, optional=values), st.lists(st.sampled_from(LANGUAGES), max_size=3))
def test_rendering_changes_no_code_and_no_value(answers: dict[str, Any], languages: list[str]) -> None:
    """Whatever the answers and whoever reads: without the words it is what casework said."""
    items = [{"code": code, "value": value} for code, value in answers.items()]
    message = CaseUpdate(reader="DE-00000001", case=case(questions=items, particulars=None))
    before = as_sent(message)
    after = rendered(message, *languages)
    assert without_words(after) == without_words(copy.deepcopy(before))
    assert [item["value"] for item in after["case"]["questions"]] == [i["value"] for i in before["case"]["questions"]]


def test_only_a_message_with_a_case_needs_the_words_of_an_area() -> None:
    """In the version with which the case began."""
    assert area_of(as_sent(CaseUpdate(reader="DE-00000001", case=case()))) == ("diplomas", 3)
    assert area_of(as_sent(SystemUpdate(system="hu-hivatal"))) is None


def test_a_message_names_what_is_read_in_another_language_than_the_readers_first() -> None:
    """By that language, each text once, labels and options too; and nothing is said where nothing is lacking."""
    made = rendered(CaseUpdate(reader="DE-00000001", case=case()), "sv", "de")
    assert made["case"]["questions"][2]["text"] == "en:question.since"
    said = made["in_other_language"]
    assert said["en"] == ["question.since"]
    assert "title" not in said["de"]
    assert {"state.replied", "question.genuine", "question.genuine.yes", "particular.holder"} <= set(said["de"])
    assert len(said["de"]) == len(set(said["de"]))
    assert CaseUpdate.model_validate(made).in_other_language
    assert "in_other_language" not in rendered(CaseUpdate(reader="DE-00000001", case=case()), "en", "de")


@pytest.mark.parametrize("code", REFUSALS)
def test_every_refusal_is_told_in_words(code: str) -> None:
    """Also to a reader whose languages have none."""
    made = rendered(Outcome(status="refused", refused=Refused(code=code)), "mt")
    assert made["refused"]["text"] == REFUSALS[code]
