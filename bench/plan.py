"""What a load is made of: who writes to whom, what they say, how much of it. Sent to the load's process as JSON."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel

from contracts.case import Rating
from contracts.casework import AcceptRequest, CloseCase, Reply, SendRequest
from contracts.types import FreeText, User, Value

AREA: Final = "professional-qualifications"
CASE: Final = "0000-0000-0000"
"""Stands in a prebuilt body for the case's number."""

_HANDLER: Final = User(id="case-handler", role="request-handler")
_WISHED_IN: Final = timedelta(days=21)
ANSWERS: Final[dict[str, Value]] = {
    "is-diploma-genuine": "yes",
    "is-diploma-awarded-by-named-body": "yes",
    "date-of-award": "2013-06-28",
    "country-of-training": "HU",
    "profession-regulated": "yes",
    "entitled-to-practise": "entitled",
}
"""What is asked in every case, and answered."""


class Player(BaseModel):
    """An authority with its own system."""

    system: str
    url: str
    authority: str
    language: str


class Load(BaseModel):
    """How many cases between whom. Times in seconds."""

    asking: list[Player]
    answering: list[Player]
    areas: list[str] = [AREA]
    """What the cases are about, in turn."""
    in_flight: int
    """Cases that are open at the same time."""
    per_s: float | None = None
    """Cases begun a second, whatever is open; without it each that closes makes room for the next."""
    cases: int
    """Measured at most."""
    warm_up: float
    measured: float
    drain: float
    """How long the last cases may take, once none are begun any more."""

    @property
    def deadline(self) -> float:
        """After how long the load ends whatever happens."""
        return self.warm_up + self.measured + self.drain + 15


@dataclass(frozen=True)
class Replies:
    """What an authority says in any case of its own, ready to be sent but for the case's number."""

    accepted: bytes
    replied: bytes
    closed: bytes


def replies(player: Player) -> Replies:
    """Return what this authority says, on either side."""
    accept = AcceptRequest(authority=player.authority, case=CASE, user=_HANDLER)
    reply = Reply(authority=player.authority, case=CASE, answers=ANSWERS, user=_HANDLER)
    rating = Rating(timeliness="good", effort="good")
    close = CloseCase(authority=player.authority, case=CASE, rating=rating, user=_HANDLER)
    return Replies(*(one.model_dump_json(exclude_none=True).encode() for one in (accept, reply, close)))


def about(body: bytes, case: bytes) -> bytes:
    """Return a prebuilt body with the case's number in it."""
    return body.replace(CASE.encode(), case, 1)


def request(asking: Player, answering: Player, area: str = AREA) -> bytes:
    """Return the command by which one authority begins a case with another."""

    def text(words: str) -> FreeText:
        return FreeText(text=words, language=asking.language)

    command = SendRequest(
        authority=asking.authority,
        recipient=answering.authority,
        area=area,
        questions=tuple(ANSWERS),
        particulars={
            "holder-name": text("Dr. Kovács Eszter"),
            "date-of-birth": "1988-04-17",
            "profession": "dentist",
            "diploma-title": text("okleveles fogorvos"),
            "diploma-number": text("F-2013/0417"),
            "awarding-body": text("Semmelweis Egyetem"),
        },
        comment=text("The applicant would like to establish herself here."),
        wished_date=datetime.now(UTC).date() + _WISHED_IN,
        user=_HANDLER,
    )
    return command.model_dump_json(exclude_none=True).encode()
