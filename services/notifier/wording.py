"""What an e-mail says, in one language and by its reader's clock: no header, no mark-up. Pure."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final
from urllib.parse import quote

from babel import Locale
from babel.dates import format_date, format_time

from contracts.dates import DeadlineKind
from contracts.languages import LAST_RESORT
from services.notifier.deadlines import Step
from services.notifier.letters import Due, Letter, Notices, Undeliverable, parts_of
from services.notifier.notices import AWAITS, Told
from services.notifier.zones import name_of_zone, zone_of

Texts = Mapping[str, Mapping[str, str]]
"""Texts by language and code."""

_LOCALES: Final = {"pt": "pt_PT", "en": "en_IE"}
_LONGEST: Final = 200
"""Letters of a number or a name that are shown: as many as a name may have."""
_ISOLATED: Final = "\u2068{}\u2069"
"""Words of the other direction keep it to themselves (Unicode Standard Annex 9, first strong isolate)."""
_DASH: Final = " \u2013 "
_EVERYWHERE: Final = frozenset({"open", "open.button", "preferences", "footer"})
_CARD: Final = frozenset({"label.case", "label.awaited", "label.until"})


@dataclass(frozen=True, slots=True)
class Links:
    """Where readers are sent: to a case, `{case}` standing for its number, and to their preferences if there are."""

    case: str
    preferences: str | None = None

    def to(self, case: str) -> str:
        """Return where a case is opened."""
        return self.case.replace("{case}", quote(case, safe=""))


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a mail says: what it is, and the facts of it, each under its label."""

    sentence: str
    facts: tuple[tuple[str, str], ...] = ()
    until: str | None = None
    """The facts in a sentence of their own, where the first does not hold them."""
    case: str | None = None
    link: str | None = None
    open_at: str | None = None
    """In plain text, the line that says where the case is opened."""


@dataclass(frozen=True, slots=True)
class Page:
    """All that a mail says."""

    language: str
    direction: str
    subject: str
    items: tuple[Item, ...]
    open: str
    footer: str
    preferences: str
    preferences_link: str | None


class Wording:
    """The words of one language for one reader."""

    def __init__(self, text: Mapping[str, str], language: str, country: str, links: Links) -> None:
        """`country` is the state by whose clock the reader lives."""
        self.language = language
        self._text = text
        self._country = country
        self._links = links
        self._locale = _locale(language)

    def page(self, letter: Letter) -> Page:
        """Return all that the letter says."""
        items = tuple(self._items(letter))
        return Page(
            language=self.language,
            direction=self._locale.text_direction,
            subject=self._subject(letter),
            items=items,
            open=self._text["open.button"],
            footer=self._text["footer"],
            preferences=self._text["preferences"],
            preferences_link=self._links.preferences if _is_governed(letter) else None,
        )

    def calendar(self, case: str, kind: DeadlineKind) -> str:
        """Return what a calendar calls this deadline."""
        return self._text[f"calendar.{kind}"].format(case=shown(case))

    def link(self, case: str) -> str:
        """Return where the case is opened."""
        return self._links.to(case)

    def _items(self, letter: Letter) -> Iterator[Item]:
        if isinstance(letter, Undeliverable):
            yield Item(self._text["undeliverable.body"].format(authority=shown(letter.about)))
            return
        told, due = parts_of(letter)
        yield from map(self._due, due)
        yield from map(self._told, told)

    def _due(self, one: Due) -> Item:
        step = one.step
        sentence = self._text[f"{code_of(step)}.body"].format_map(self._filling(one.case, step.due))
        return self._item(sentence, one.case, self._facts(one.case, step.kind, step.due))

    def _told(self, one: Told) -> Item:
        if one.case is None:
            return Item(self._text[f"notice.{one.kind}"])
        sentence, case = self._text[f"notice.{one.kind}"].format(case=shown(one.case)), one.case
        if one.due is None:
            return self._item(sentence, case)
        kind = AWAITS[one.kind]
        until = self._text[f"reminder.{kind}.body"].format_map(self._filling(case, one.due))
        return self._item(sentence, case, self._facts(case, kind, one.due), until)

    def _item(
        self, sentence: str, case: str, facts: tuple[tuple[str, str], ...] = (), until: str | None = None
    ) -> Item:
        link = self._links.to(case)
        return Item(sentence, facts, until, shown(case), link, self._text["open"].format(link=link))

    def _facts(self, case: str, kind: DeadlineKind, due: datetime) -> tuple[tuple[str, str], ...]:
        text = self._text
        return (
            (text["label.case"], shown(case)),
            (text["label.awaited"], text[f"awaited.{kind}"]),
            (text["label.until"], self._moment(due)),
        )

    def _subject(self, letter: Letter) -> str:
        """What matters first, and by when: of several things how much is overdue, else which date is the next."""
        if isinstance(letter, Undeliverable):
            return self._text["undeliverable.subject"].format(authority=shown(letter.about))
        told, due = parts_of(letter)
        daily = isinstance(letter, Notices) and letter.daily
        if len(told) + len(due) == 1 and not daily:
            return self._subject_of_one(*told, *due)
        code, count = "digest.subject" if daily else "notices.subject", len(told) + len(due)
        first = self._most_pressing(told, due)
        return _DASH.join(filter(None, (first, self._text[code].format(count=count))))

    def _subject_of_one(self, one: Told | Due) -> str:
        if isinstance(one, Due):
            return self._text[f"{code_of(one.step)}.subject"].format_map(self._filling(one.case, one.step.due))
        if one.case and one.due:
            return self._text[f"reminder.{AWAITS[one.kind]}.subject"].format_map(self._filling(one.case, one.due))
        return self._text[f"notice.{one.kind}"].format(case=shown(one.case or "")).rstrip(".")

    def _most_pressing(self, told: Iterable[Told], due: Iterable[Due]) -> str:
        overdue = sum(one.step.stage != "reminder" for one in due)
        if overdue:
            return self._text["gathered.overdue"].format(count=overdue)
        dates = [*(one.step.due for one in due), *(one.due for one in told if one.due)]
        return self._text["gathered.next"].format(date=self._date(self._local(min(dates)))) if dates else ""

    def _filling(self, case: str, due: datetime) -> dict[str, str]:
        local = self._local(due)
        return {
            "case": shown(case),
            "date": self._date(local),
            "time": format_time(local, "short", locale=self._locale),
            "zone": name_of_zone(local, self._locale),
        }

    def _moment(self, due: datetime) -> str:
        return "{date}, {time} ({zone})".format_map(self._filling("", due))

    def _date(self, local: datetime) -> str:
        return format_date(local, "long", self._locale)

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(zone_of(self._country))


def language_of(letter: Letter, languages: Iterable[str], texts: Texts) -> str:
    """Return the first of the reader's languages that has every text: no mail is half in one, half in another."""
    needed = codes_of(letter)
    return next((one for one in languages if needed <= texts.get(one, {}).keys()), LAST_RESORT)


def _is_governed(letter: Letter) -> bool:
    """Say whether preferences decide on it. They decide neither on a deadline nor on a registration."""
    return isinstance(letter, Notices) and (letter.daily or any(one.case and not one.due for one in letter.told))


def codes_of(letter: Letter) -> Set[str]:
    """Return the codes of all texts that the letter needs."""
    if isinstance(letter, Undeliverable):
        return {*_EVERYWHERE, "undeliverable.subject", "undeliverable.body"}
    told, due = parts_of(letter)
    gathered = {"digest.subject", "notices.subject", "gathered.overdue", "gathered.next"}
    return _EVERYWHERE.union(
        gathered if isinstance(letter, Notices) else (),
        *(_codes_of_step(one.step) for one in due),
        *(_codes_of_notice(one) for one in told),
    )


def _codes_of_step(step: Step) -> Set[str]:
    code = code_of(step)
    return _CARD | {f"{code}.subject", f"{code}.body", f"awaited.{step.kind}", f"calendar.{step.kind}"}


def _codes_of_notice(one: Told) -> Set[str]:
    asked = AWAITS.get(one.kind) if one.due else None
    more = (f"reminder.{asked}.subject", f"reminder.{asked}.body", f"awaited.{asked}", f"calendar.{asked}")
    return {f"notice.{one.kind}"} | (_CARD.union(more) if asked else set())


def code_of(step: Step) -> str:
    """Return how the texts of a step are called."""
    return step.stage if step.stage == "escalated" else f"{step.stage}.{step.kind}"


def shown(words: str) -> str:
    """Return a number or a name so that it can do no harm: one line, nothing invisible, not endlessly long."""
    if words.isascii() and words.isprintable() and "  " not in words and len(words) <= _LONGEST:
        return words.strip()  # as case numbers are: nothing to look for, letter by letter
    seen = "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in words)
    line = " ".join(seen.split())
    short = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    turned = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in short)
    return _ISOLATED.format(short) if turned else short


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES.get(language, language))
