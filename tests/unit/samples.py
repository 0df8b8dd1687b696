"""What the unit tests are told with: a small area, a few people, two authorities and a stranger."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.languages import STATES
from contracts.translation import AreaRules, Condition, Deadlines, ItemRule, ItemType, Period
from contracts.types import FreeText, Message, User
from services.casework.calendar import Calendar, YearList
from services.casework.case import Side
from services.casework.lifecycle import Area, Authority, Now
from services.chassis.intake import Command

HOLIDAYS = Calendar({(state, year): YearList({}, "none") for state in STATES for year in range(2026, 2031)})
NOW = Now(datetime(2026, 3, 10, 9, 30, tzinfo=UTC), calendar=HOLIDAYS)
HANDLER = User(id="handler", role="request-handler")
SENDER, RECIPIENT, STRANGER = "DE-00000001", "HU-00000002", "FR-00000003"
SYSTEM_OF = {SENDER: "de-kammer", RECIPIENT: "hu-hivatal", STRANGER: "fr-ordre"}
CASE = "0000-0000-0001"
SECRET = "Planted Person"


def item(code: str, kind: ItemType, **changes: Any) -> ItemRule:
    """A required item without personal data, but for the changes."""
    fields = {"code": code, "type": kind, "required": True, "personal": False}
    return ItemRule.model_validate(fields | changes)


def rules(**changes: Any) -> AreaRules:
    """An area with a question of each type, a sub-question and an optional one, but for the changes."""
    fields: dict[str, Any] = {
        "legal_basis": "32005L0036",
        "deadlines": Deadlines(acceptance=Period(days=7), answer=Period(days=28)),
        "particulars": (
            item("holder", "text", personal=True),
            item("born", "date", personal=True),
            item("origin", "country", required=False),
        ),
        "questions": (
            item("genuine", "yes-no-unknown"),
            item("why-not", "text", condition=Condition(question="genuine", option="no")),
            item("level", "single", options=("low", "high")),
            item("subjects", "multiple", options=("law", "medicine", "music")),
            item("since", "date"),
            item("hours", "number"),
            item("trained-in", "country"),
            item("remarks", "text", required=False),
        ),
    }
    return AreaRules.model_validate(fields | changes)


def text(words: str = SECRET, language: str = "de") -> FreeText:
    """Words that somebody typed."""
    return FreeText(text=words, language=language)


def authority(number: str, **changes: Any) -> Authority:
    """An active authority with access to the area, but for the changes."""
    fields: dict[str, Any] = {
        "side": Side(number, f"Authority {number}", number[:2]),
        "system": SYSTEM_OF.get(number, "some-system"),
        "active": True,
        "areas": frozenset({"diplomas"}),
    }
    return Authority(**(fields | changes))


AREA = Area("diplomas", 3, rules())
KNOWN = {number: authority(number) for number in SYSTEM_OF}
PARTICULARS = {"holder": text(), "born": "1980-01-01"}


def request(**changes: Any) -> SendRequest:
    """A request that is all right, but for the changes."""
    fields: dict[str, Any] = {
        "authority": SENDER,
        "recipient": RECIPIENT,
        "area": AREA.code,
        "questions": ("genuine", "why-not"),
        "particulars": PARTICULARS,
        "comment": text("about " + SECRET),
        "wished_date": date(2026, 4, 1),
        "user": HANDLER,
    }
    return SendRequest.model_validate(fields | changes)


def accept(by: str = RECIPIENT, **changes: Any) -> AcceptRequest:
    """An acceptance."""
    return AcceptRequest.model_validate({"authority": by, "case": CASE, "user": HANDLER} | changes)


def reply(by: str = RECIPIENT, **changes: Any) -> Reply:
    """A reply that answers everything asked, but for the changes."""
    fields = {"authority": by, "case": CASE, "answers": {"genuine": "yes"}, "user": HANDLER}
    return Reply.model_validate(fields | changes)


def close(by: str = SENDER, **changes: Any) -> CloseCase:
    """A closing with a rating, but for the changes."""
    rating = {"timeliness": "good", "effort": "fair"}
    fields = {"authority": by, "case": CASE, "rating": rating, "user": HANDLER}
    return CloseCase.model_validate(fields | changes)


def command(body: Message, system: str, message_id: str = "1", digest: str | None = None, age: float = 10.0) -> Command:
    """The body as it came in from a system, long enough ago that nothing is waited for."""
    return Command(system, message_id, body, digest or body.model_dump_json(), age)


def later(days: int) -> date:
    """The day so many days after the tests' today."""
    return NOW.today("DE") + timedelta(days=days)
