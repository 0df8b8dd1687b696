"""Whether what was filled in fits what was asked. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Final, Literal

from contracts.currencies import CURRENCIES
from contracts.languages import LANGUAGES, STATES
from contracts.refusal import Refusal
from contracts.translation import AreaRules, ItemRule
from contracts.types import Amount, FreeText, Span, Value

Level = Literal["saving", "sending"]
"""What is wanted at once when something is saved, and what no later than when it is sent."""

YES_NO_UNKNOWN: Final = ("yes", "no", "unknown")


def check_asked(rules: AreaRules, questions: Iterable[str]) -> Refusal | None:
    """Say what is wrong with the choice of questions: one that the area lacks, or that stands twice."""
    known, seen = {question.code for question in rules.questions}, set[str]()
    for position, code in enumerate(questions):
        if code not in known or code in seen:
            return Refusal("unknown-question", f"questions.{position}")
        seen.add(code)
    return None


def check_particulars(rules: AreaRules, values: Mapping[str, Value], level: Level = "sending") -> Refusal | None:
    """Say what is wrong with the sender's particulars of the person or company concerned."""
    items = {item.code: item for item in rules.particulars}
    for code, value in values.items():
        if code not in items:
            return Refusal("particular-unknown", f"particulars.{code}")
        if wrong := check_value(items[code], value):
            return Refusal(wrong, f"particulars.{code}")
    missing = (item.code for item in items.values() if _wanted(item, level) and item.code not in values)
    return next((Refusal("particular-missing", f"particulars.{code}") for code in missing), None)


def check_answers(
    rules: AreaRules, asked: Iterable[str], values: Mapping[str, Value], level: Level = "sending"
) -> Refusal | None:
    """Say what is wrong with the recipient's answers.

    Every question asked must be answered, unless it is optional or its condition is not met; before it is saved,
    only what is required for saving.
    """
    items = {item.code: item for item in rules.questions if item.code in set(asked)}
    known = {item.code for item in rules.questions}
    for code, value in values.items():
        if code not in items:
            return Refusal("question-not-asked" if code in known else "unknown-question", f"answers.{code}")
        if wrong := check_value(items[code], value):
            return Refusal(wrong, f"answers.{code}")
    due = (item for item in items.values() if _wanted(item, level) and _arises(item, items, values))
    return next((Refusal("answer-missing", f"answers.{item.code}") for item in due if item.code not in values), None)


def part_of(kept: Mapping[str, str]) -> FreeText | Amount | Span:
    """Return a value of several fields as it had come in: which it is, its fields say."""
    if "currency" in kept:
        return Amount(**kept)
    return Span(**kept) if "begin" in kept else FreeText(**kept)


def _wanted(item: ItemRule, level: Level) -> bool:
    """What is required for saving is required for sending, too."""
    return item.required == "saving" if level == "saving" else bool(item.required)


def _arises(item: ItemRule, items: Mapping[str, ItemRule], values: Mapping[str, Value]) -> bool:
    """A sub-question whose question was not asked stands by itself."""
    if item.condition is None or item.condition.question not in items:
        return True
    answer = values.get(item.condition.question)
    return item.condition.option in answer if isinstance(answer, tuple) else item.condition.option == answer


def check_value(item: ItemRule, value: Value) -> str | None:
    """Return the code of what is wrong with a value, or nothing."""
    return _CHECKS[item.type](item, value)


def _option(item: ItemRule, value: Value) -> str | None:
    if not isinstance(value, str):
        return "wrong-answer-type"
    options = YES_NO_UNKNOWN if item.type == "yes-no-unknown" else item.options
    return None if value in options else "unknown-option"


def _options(item: ItemRule, value: Value) -> str | None:
    if not isinstance(value, tuple) or not value or len(set(value)) != len(value):
        return "wrong-answer-type"
    return None if set(value) <= set(item.options) else "unknown-option"


def _date(_: ItemRule, value: Value) -> str | None:
    try:
        fits = isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        fits = False
    return None if fits else "wrong-answer-type"


def _number(_: ItemRule, value: Value) -> str | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return None if fits else "wrong-answer-type"


def _text(_: ItemRule, value: Value) -> str | None:
    return None if isinstance(value, FreeText) else "wrong-answer-type"


def _country(_: ItemRule, value: Value) -> str | None:
    if not isinstance(value, str):
        return "wrong-answer-type"
    return None if value in STATES else "unknown-option"


_DECIMAL: Final = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,4})?", re.ASCII)


def _amount(_: ItemRule, value: Value) -> str | None:
    if not isinstance(value, Amount) or not _DECIMAL.fullmatch(value.amount):
        return "wrong-answer-type"
    return None if value.currency in CURRENCIES else "unknown-option"


def _period(item: ItemRule, value: Value) -> str | None:
    """The days are in a form in which their order is that of the alphabet."""
    fits = isinstance(value, Span) and not _date(item, value.begin) and not _date(item, value.end)
    return None if fits and isinstance(value, Span) and value.begin <= value.end else "wrong-answer-type"


_LISTS: Final[Mapping[str, re.Pattern[str]]] = {
    "nace": re.compile(r"[A-V]|\d{2}(?:\.\d{1,2})?", re.ASCII),
    "competences": re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"),
    "languages": re.compile("|".join(LANGUAGES)),
}
"""How codes look: NACE has sections, divisions, groups and classes (Regulation (EC) 1893/2006, Annex I)."""


def _code(item: ItemRule, value: Value) -> str | None:
    if not isinstance(value, str):
        return "wrong-answer-type"
    return None if _LISTS[item.list or "competences"].fullmatch(value) else "unknown-option"


_CHECKS: Final[Mapping[str, Callable[[ItemRule, Value], str | None]]] = {
    "yes-no-unknown": _option,
    "single": _option,
    "multiple": _options,
    "date": _date,
    "number": _number,
    "text": _text,
    "country": _country,
    "amount": _amount,
    "period": _period,
    "code-list": _code,
}


def check_some(rules: AreaRules, values: Mapping[str, Value]) -> Refusal | None:
    """Say what is wrong with some of the particulars, whatever else there may be."""
    items = {item.code: item for item in rules.particulars}
    for code, value in values.items():
        wrong = check_value(items[code], value) if code in items else "particular-unknown"
        if wrong:
            return Refusal(wrong, f"particulars.{code}")
    return None
