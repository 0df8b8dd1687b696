"""An area's version: its rules, and which texts they call for. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from contracts.translation import AreaRules, ItemRule

YES_NO_UNKNOWN = ("yes", "no", "unknown")


@dataclass(frozen=True, slots=True)
class AreaTexts:
    """The words of one published version in all its languages, and the types of its items."""

    items: Mapping[str, ItemRule]
    texts: Mapping[str, Mapping[str, str]]

    def find(self, languages: tuple[str, ...], code: str) -> str | None:
        """Return the text in the first of `languages` that has it."""
        return next((found for one in languages if (found := self.texts.get(one, {}).get(code))), None)


def items_of(rules: AreaRules) -> dict[str, ItemRule]:
    """Return the items by the code of their text."""
    particulars = {f"particular.{item.code}": item for item in rules.particulars}
    return particulars | {f"question.{item.code}": item for item in rules.questions}


def codes_of(rules: AreaRules) -> Iterator[str]:
    """Return the code of every text that an area with these rules needs."""
    yield "title"
    yield from dict.fromkeys(f"set.{item.set}" for item in rules.questions if item.set)
    yield from dict.fromkeys(f"group.{item.group}" for item in rules.questions if item.group)
    for code, item in items_of(rules).items():
        yield code
        yield from (f"{code}.{option}" for option in options_of(item))


def options_of(item: ItemRule) -> tuple[str, ...]:
    """Return the answers to pick from; those of a yes-no question are the same for all, but not their texts."""
    return YES_NO_UNKNOWN if item.type == "yes-no-unknown" else item.options


def inconsistency(rules: AreaRules) -> str | None:
    """Return the code of the first item that contradicts the rest, or nothing."""
    for items in (rules.particulars, rules.questions):
        ordered = sorted(item.code for item in items)
        if twice := next((one for one, other in pairwise(ordered) if one == other), None):
            return twice
    return next((item.code for item in items_of(rules).values() if not _consistent(item, rules)), None)


def _consistent(item: ItemRule, rules: AreaRules) -> bool:
    if not _options_fit(item):
        return False
    if item.condition is None:
        return True
    asked = {question.code: question for question in rules.questions}.get(item.condition.question)
    return asked is not None and asked is not item and item.condition.option in options_of(asked)


def _options_fit(item: ItemRule) -> bool:
    if item.type == "yes-no-unknown":
        return item.options in ((), YES_NO_UNKNOWN)
    return (item.type in ("single", "multiple")) == bool(item.options)
