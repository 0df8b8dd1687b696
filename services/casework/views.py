"""What each reader may see of a case, in codes. The only place that knows. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from contracts.casework import AreaLabel, CaseView, Event, Item, Party, Rating
from contracts.types import FreeText, Label
from services.casework.case import Case, Side

Entry = Mapping[str, Any]


def view_of(case: Case, reader: str, entry: Entry, epoch: int) -> CaseView:
    """Return the case as `reader` may see it after `entry`.

    Before acceptance the recipient sees neither particulars nor comment: either may hold personal data (Regulation
    (EU) 1024/2012, Art. 9: only those who participate need to know).
    """
    hidden = case.state == "awaiting-acceptance" and reader != case.sender.authority
    return CaseView(
        id=case.id,
        epoch=epoch,
        version=case.version,
        state=Label(code=case.state),
        turn=case.turn,
        area=AreaLabel(code=case.area, version=case.area_version),
        sender=_party(case.sender),
        recipient=_party(case.recipient),
        wished_date=case.wished_date,
        agreed_date=case.agreed_date,
        acceptance_due=case.acceptance_due,
        questions=_items(case.questions, case.answers),
        particulars=None if hidden else _items(case.particulars, case.particulars),
        comment=None if hidden else _text(case.comment),
        reply_comment=_text(case.reply_comment),
        rating=Rating(**case.rating) if case.rating else None,
        event=Event(code=entry["what"], at=entry["at"], by=entry["by"]),
    )


def _party(side: Side) -> Party:
    return Party(authority=side.authority, name=side.name, country=Label(code=side.country))


def _items(codes: Iterable[str], values: Mapping[str, Any]) -> tuple[Item, ...]:
    return tuple(Item(code=code, value=values.get(code)) for code in codes)


def _text(text: Mapping[str, str] | None) -> FreeText | None:
    return FreeText(**text) if text else None
