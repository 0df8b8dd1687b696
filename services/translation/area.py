"""An area's version: its rules, and which texts they call for. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from contracts.languages import LANGUAGES
from contracts.translation import AreaRules, Condition, ItemRule, ListName

VOCABULARIES: Final = ("nace", "competences")
YES_NO_UNKNOWN = ("yes", "no", "unknown")


@dataclass(frozen=True, slots=True)
class AreaTexts:
    """The words of one published version by language, as far as they have been read, and the types of its items."""

    items: Mapping[str, ItemRule]
    texts: dict[str, dict[str, str]]
    listed: Mapping[str, ListName] = field(init=False)
    """Of which list the answer to an item is a code whose words are the vocabulary's."""

    def __post_init__(self) -> None:
        """Note what has its words elsewhere."""
        lists = {code: item.list for code, item in self.items.items() if item.list in VOCABULARIES}
        object.__setattr__(self, "listed", lists)


def missing_of(codes: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return how many texts there are in some language and not in this one; `codes` are what each language has."""
    everything = set[str]().union(*codes.values())
    return {language: len(everything - set(codes.get(language, ()))) for language in LANGUAGES}


def items_of(rules: AreaRules) -> dict[str, ItemRule]:
    """Return the items by the code of their text."""
    particulars = {f"particular.{item.code}": item for item in rules.particulars}
    return particulars | {f"question.{item.code}": item for item in rules.questions}


def term_of(list_name: str, code: str) -> str:
    """Return the code under which the vocabulary has a code of a list: an activity's has its list's name before it."""
    return f"nace-{code.lower()}" if list_name == "nace" else code


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
        if twice := _twice([item.code for item in items]):
            return twice
    wrong = (item.code for item in rules.particulars if item.condition or not _options_fit(item))
    return next(wrong, None) or _unreachable(rules.questions)


def _unreachable(questions: Sequence[ItemRule]) -> str | None:
    """A condition may name a question that stands before, so that none waits for itself."""
    before: dict[str, ItemRule] = {}
    for item in questions:
        if not _options_fit(item) or (item.condition and not _can_hold(item.condition, before)):
            return item.code
        before[item.code] = item
    return None


def _can_hold(condition: Condition, before: Mapping[str, ItemRule]) -> bool:
    asked = before.get(condition.question)
    return asked is not None and condition.option in options_of(asked)


def _twice(codes: Iterable[str]) -> str | None:
    ordered = sorted(codes)
    return next((one for one, other in pairwise(ordered) if one == other), None)


def _options_fit(item: ItemRule) -> bool:
    if _twice(item.options):
        return False
    if (item.type == "code-list") != (item.list is not None):
        return False
    if item.type == "yes-no-unknown":
        return item.options in ((), YES_NO_UNKNOWN)
    return (item.type in ("single", "multiple")) == bool(item.options)
