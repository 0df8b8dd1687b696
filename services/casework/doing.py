"""What each action of the lifecycle checks, and what there is to remember of it. Pure.

An entry's `personal` is everything that anybody typed or picked: it is stored under the case's own key alone.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from contracts import casework as do
from contracts import own
from contracts.calendar import years_of
from contracts.refusal import Refusal
from contracts.translation import AreaRules, Period
from contracts.types import FreeText, Message, Part, Value
from services.casework.answers import check_answers, check_asked, check_particulars, check_some, part_of
from services.casework.case import ENDED, Case, Entry, Side
from services.casework.deadlines import acceptance_due, end_of_day, plainly_later
from services.casework.knowledge import Authority, Knowledge, NotAtHand, Now, behind, first_behind

MOST_CHILDREN: Final = 20
MOST_FILES: Final = 20
_BEGINS: Final = {"application/pdf": b"%PDF-", "image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
"""How files of a type begin (ISO 32000-1, 7.5.2; PNG, 5.2; JFIF)."""
MOST_STEPS: Final = 1_000
MOST_BYTES: Final = 6 * 1024 * 1024
"""A case that holds as much can only be brought to an end: the database takes 16 MiB in one document."""
_ALWAYS: Final[tuple[type[Message], ...]] = (
    do.WithdrawRequest,
    do.CloseCase,
    do.DecideReferral,
    do.ConsentCorrection,
    *own.OWN,
)

Change = Entry | Refusal


@dataclass(frozen=True, slots=True)
class Doing:
    """A command on a case, and what is known. Of a case that is not there yet, `case` has no more than its sender."""

    case: Case
    command: Any
    rules: AreaRules
    ask: Knowledge
    now: Now

    @property
    def actor(self) -> str | None:
        """The authority that acts; nobody when the exchange does."""
        return getattr(self.command, "authority", None) if not isinstance(self.command, own.OWN) else None


def begin(case: Case | None, command: Message, ask: Knowledge, now: Now) -> Doing | Refusal:
    """Return the command with all that counts for it, or why it can come to nothing."""
    if case is None:
        return _new(command, ask, now)
    if isinstance(command, do.SaveDraft) and command.area != case.area:
        return Refusal("area-fixed", "area")
    if _full(case) and not isinstance(command, _ALWAYS):
        return Refusal("case-full")
    return Doing(case, command, ask.rules(case.area, case.area_version), ask, now)


def _full(case: Case) -> bool:
    return case.version >= MOST_STEPS or case.size >= MOST_BYTES


def _new(command: Message, ask: Knowledge, now: Now) -> Doing | Refusal:
    if isinstance(command, own.OpenChild):
        return _new_child(command, ask, now)
    if not isinstance(command, do.SaveDraft | do.SendRequest):
        return Refusal("unknown-case", "case")
    sender, area = ask.authority(command.authority), ask.area(command.area)
    if area is None or sender is None:
        return Refusal("unknown-area", "area")
    if not _takes_part(sender, area.code, area.rules):
        return Refusal("no-access", "area")
    return Doing(_blank("", area.code, area.version, sender.side, now), command, area.rules, ask, now)


def _new_child(command: own.OpenChild, ask: Knowledge, now: Now) -> Doing | Refusal:
    parent = ask.case(command.parent)
    if parent is None or parent.recipient is None:
        return Refusal("unknown-case", "case")
    blank = _blank(command.case, parent.area, parent.area_version, parent.recipient, now)
    return Doing(blank, command, ask.rules(parent.area, parent.area_version), ask, now)


def _blank(case_id: str, area: str, version: int, sender: Side, now: Now) -> Case:
    return Case(case_id, 0, "nothing", area, version, sender, None, now.at)


def common(doing: Doing, what: str, leads_to: str | None) -> dict[str, Any]:
    """Return what every entry has: what, when, who, the state that follows, and by when the next thing is due."""
    entry: dict[str, Any] = {"what": what, "at": doing.now.at, "by": doing.actor}
    if user := getattr(doing.command, "user", None):
        entry["user"] = user.model_dump()
    if leads_to:
        entry["state"] = leads_to
    return entry | _clocks(doing, what, leads_to)


def _clocks(doing: Doing, what: str, leads_to: str | None) -> dict[str, Any]:
    now, retention = doing.now, doing.rules.retention
    if leads_to in ENDED:
        blocked, deleted = (plainly_later(now.at, one, now.day) for one in (retention.blocked, retention.deleted))
        return {"ended_at": now.at, "idle_at": None, "block_at": blocked, "delete_at": deleted}
    if doing.case.state in ENDED or what == "overdue":
        return {}
    drafted = (leads_to or doing.case.state) == "draft"
    return {"idle_at": plainly_later(now.at, retention.blocked if drafted else doing.rules.deadlines.idle, now.day)}


# Conditions of the table


def wants_approval(doing: Doing) -> bool:
    """Whether the area has its requests approved by a coordinator before they are sent."""
    return doing.rules.workflow.approval


def ends_as(doing: Doing, state: str) -> bool:
    """Whether the coordinator decided so."""
    return bool(doing.command.ends == state)


def erasure_was_asked(doing: Doing) -> bool:
    """Whether the other side asked for the erasure of everything."""
    asked = doing.case.correction
    return asked is not None and asked.erase and asked.by != doing.actor


def correction_was_asked(doing: Doing) -> bool:
    """Whether the other side asked for particulars to be put right."""
    asked = doing.case.correction
    return asked is not None and not asked.erase and asked.by != doing.actor


# Before the recipient hears of it


def save_draft(doing: Doing) -> Change:
    """A draft may lack anything; what it has must fit the area (two-level validation)."""
    command, rules = doing.command, doing.rules
    wrong = check_asked(rules, command.questions) or check_particulars(rules, command.particulars, "saving")
    if wrong:
        return wrong
    recipient = doing.ask.authority(command.recipient) if command.recipient else None
    if command.recipient and not recipient:
        return Refusal("recipient-not-found", "recipient")
    return _opening(doing, _content(command, recipient.side if recipient else None))


def discard(_: Doing) -> Change:
    """Nothing is left of a draft but that there was one: its key is destroyed at once."""
    return {}


def send(doing: Doing) -> Change:
    """A request needs a recipient that may have it, questions and particulars of the area, and a date to come."""
    command = doing.command
    found = _recipient(doing, command.recipient)
    if isinstance(found, Refusal):
        return found
    wrong = _unfit(doing, command, found)
    return wrong or _opening(doing, {**_content(command, found.side), **_on_its_way(doing, found.side)})


def send_draft(doing: Doing) -> Change:
    """What a draft may lack, sending needs."""
    case = doing.case
    found = _recipient(doing, case.recipient.authority if case.recipient else None)
    if isinstance(found, Refusal):
        return found
    said = do.Content(
        questions=case.questions,
        particulars={code: value_of(value) for code, value in case.particulars.items()},
        comment=FreeText(**case.comment) if case.comment else None,
        wished_date=case.wished_date,
    )
    if not said.questions:
        return Refusal("unknown-question", "questions")
    wrong = _unfit(doing, said, found)
    return wrong or {**_content(said, found.side), **_on_its_way(doing, found.side)}


def approve(doing: Doing) -> Change:
    """What was right when it was written must be so still: the recipient may have gone meanwhile."""
    recipient = doing.case.recipient
    found = _recipient(doing, recipient.authority if recipient else None)
    if isinstance(found, Refusal):
        return found
    return arrival(doing, found.side)


def modify(doing: Doing) -> Change:
    """As sending, to the same recipient."""
    recipient = doing.case.recipient
    assert recipient
    if wrong := _unfit(doing, doing.command, recipient):
        return wrong
    return _content(doing.command, recipient)


def _recipient(doing: Doing, number: str | None) -> Authority | Refusal:
    """Return whom a request may go to: active, with access, and not of the sender's state unless the area allows it."""
    case, found = doing.case, doing.ask.authority(number) if number else None
    if found is None or found.id == case.sender.authority or not found.active:
        return Refusal("recipient-not-found", "recipient")
    if not _takes_part(found, case.area, doing.rules):
        return Refusal("recipient-not-found", "recipient")
    if found.side.country == case.sender.country and not doing.rules.workflow.own_state_cases:
        return Refusal("own-state", "recipient")
    return found


def _takes_part(authority: Authority, area: str, rules: AreaRules) -> bool:
    """Say whether an authority may act in an area: with access, and a competence of those that the area names."""
    access, wanted = authority.access.get(area), set(rules.participants.competences)
    return access is not None and (not wanted or not wanted.isdisjoint(access.competences))


def _unfit(doing: Doing, said: Any, recipient: Authority | Side) -> Refusal | None:
    side = recipient if isinstance(recipient, Side) else recipient.side
    if said.wished_date is None:
        return Refusal("date-missing", "wished_date")
    if said.wished_date < doing.now.today(side):
        return Refusal("date-in-the-past", "wished_date")
    return check_asked(doing.rules, said.questions) or check_particulars(doing.rules, said.particulars)


def _content(said: Any, recipient: Side | None) -> Entry:
    return {
        "recipient": asdict(recipient) if recipient else None,
        "questions": list(said.questions),
        "wished_date": said.wished_date.isoformat() if said.wished_date else None,
        "personal": {"particulars": stored(said.particulars), "comment": text(said.comment)},
    }


def _on_its_way(doing: Doing, recipient: Side) -> Entry:
    """By when it is to be accepted; where the area wants approval, who approves first."""
    if not wants_approval(doing):
        return arrival(doing, recipient)
    return {"approver": _behind(doing, doing.case.sender.authority)}


def _opening(doing: Doing, content: Entry) -> Entry:
    case = doing.case
    if case.version:
        return content
    return {"area": case.area, "area_version": case.area_version, "sender": asdict(case.sender), **content}


# The recipient's side


def assign(doing: Doing) -> Change:
    """Nobody named: whoever has the role may handle the case."""
    return {"handlers": list(dict.fromkeys(doing.command.users))}


def accept(doing: Doing) -> Change:
    """The agreed date is the one proposed, else the one wished, and never before today."""
    there = doing.case.recipient
    assert there
    today = doing.now.today(there)
    agreed = doing.command.propose_date or max(doing.case.wished_date or today, today)
    if agreed < today:
        return Refusal("date-in-the-past", "propose_date")
    return {"agreed_date": agreed.isoformat(), "answer_due": end_of_day(agreed, there.country, there.region)}


def forward(doing: Doing) -> Change:
    """To an authority that the sender could have asked, or to a coordinator of one's own."""
    found = _handed_to(doing)
    if isinstance(found, Refusal):
        return found
    return {
        "recipient": asdict(found.side),
        **arrival(doing, found.side),
        **_said(doing.command.reason),
    }


def split(doing: Doing) -> Change:
    """Questions that no other child has; the child's number shows its parent."""
    case, command = doing.case, doing.command
    if case.parent:
        return Refusal("child-cannot-split")
    if len(case.children) == MOST_CHILDREN:
        return Refusal("too-many-children")
    free = set(case.questions) - case.delegated
    wrong = next((place for place, code in enumerate(command.questions) if code not in free), None)
    if wrong is not None or len(set(command.questions)) != len(command.questions):
        return Refusal("question-not-asked", f"questions.{wrong or 0}")
    found = _handed_to(doing)
    if isinstance(found, Refusal):
        return found
    if command.wished_date < doing.now.today(found.side):
        return Refusal("date-in-the-past", "wished_date")
    return {
        "child": f"{case.id}.{len(case.children) + 1}",
        "to": asdict(found.side),
        "questions": list(command.questions),
        "wished_date": command.wished_date.isoformat(),
    }


def _handed_to(doing: Doing) -> Authority | Refusal:
    case, found = doing.case, doing.ask.authority(doing.command.to)
    here = doing.ask.authority(doing.command.authority)
    if found is None or not found.active or found.id in (case.sender.authority, doing.command.authority):
        return Refusal("recipient-not-found", "to")
    if not _takes_part(found, case.area, doing.rules) and not (
        here and found.id in {here.coordinator, first_behind(here, case.area)}
    ):
        return Refusal("recipient-not-found", "to")
    if found.side.country == case.sender.country and not doing.rules.workflow.own_state_cases:
        return Refusal("own-state", "to")
    return found


def save_answers(doing: Doing) -> Change:
    """What is kept must fit its question; what is missing may come later."""
    kept = {code: value_of(value) for code, value in doing.case.kept_answers.items()}
    wrong = check_answers(doing.rules, doing.case.questions, kept | doing.command.answers, "saving")
    return wrong or {"personal": _answers(doing)}


def reply(doing: Doing) -> Change:
    """Every question must be answered that no open child answers, by what was kept or what is said now."""
    case = doing.case
    waiting = {question for child in case.open_children for question in child.questions}
    asked = [code for code in case.questions if code not in waiting]
    kept = {code: value_of(value) for code, value in case.kept_answers.items() if code in asked}
    wrong = check_answers(doing.rules, asked, kept | doing.command.answers)
    return wrong or {"personal": _answers(doing)}


def clarify(doing: Doing) -> Change:
    """Answers given again must fit together with those that stay."""
    case, command = doing.case, doing.command
    there = {code: value_of(value) for code, value in {**case.answers, **case.kept_answers}.items()}
    if command.answers and (wrong := check_answers(doing.rules, case.questions, there | command.answers)):
        return wrong
    return {"says": True, "personal": {"answers": stored(command.answers), "text": text(command.text)}}


def _answers(doing: Doing) -> Entry:
    return {"answers": stored(doing.command.answers), "comment": text(doing.command.comment)}


# Disputes, messages, the end


def ask_clarification(doing: Doing) -> Change:
    """It is due within the period that the area gives for an acceptance."""
    recipient = doing.case.recipient
    assert recipient
    return {"clarification_due": due(doing, recipient, doing.rules.deadlines.acceptance), **_said(doing.command.text)}


def refer(doing: Doing) -> Change:
    """Call in who mediates for either side."""
    return {"coordinators": coordinators(doing), **_said(doing.command.reason)}


def coordinators(doing: Doing) -> list[str]:
    """Return who mediates for the sender, and who for the recipient."""
    case = doing.case
    assert case.recipient
    return [_behind(doing, case.sender.authority), _behind(doing, case.recipient.authority)]


def decide_referral(doing: Doing) -> Change:
    """No coordinator decides before the other side's has been heard."""
    case = doing.case
    others = set(case.coordinators) - {doing.actor}
    if not others <= case.heard:
        return Refusal("other-side-not-heard")
    return {"rating": None, **_said(doing.command.text)}


def close(doing: Doing) -> Change:
    """With or without a rating."""
    rating = doing.command.rating
    return {"rating": rating.model_dump() if rating else None}


def say_reason(doing: Doing) -> Change:
    """Nothing but why, if so."""
    return _said(doing.command.reason)


def say_text(doing: Doing) -> Change:
    """Nothing but what is said."""
    return _said(doing.command.text)


def attach(doing: Doing) -> Change:
    """A file is what its type says, as far as its first bytes tell; the same one is kept once."""
    command, case = doing.command, doing.case
    try:
        content = base64.b64decode(command.content, validate=True)
    except ValueError:
        return Refusal("file-unfit", "content")
    if not content or not content.startswith(_BEGINS.get(command.media_type, b"")):
        return Refusal("file-unfit", "content")
    file_id = hashlib.sha256(content).hexdigest()[:32]
    if len(case.files) == MOST_FILES or file_id in {file.id for file in case.files}:
        return Refusal("too-many-files", "content")
    said = {"name": command.name, "media_type": command.media_type, "content": command.content}
    return {"file": file_id, "size": len(content), "personal": {"file": said}}


def unblock(doing: Doing) -> Change:
    """On which ground it is read is kept for ever."""
    return {"ground": doing.command.ground}


def ask_correction(doing: Doing) -> Change:
    """Either everything is to be erased, or particulars that the area has are put right."""
    command = doing.command
    if bool(command.particulars) == command.erase:
        return Refusal("correction-unclear", "particulars")
    wrong = check_some(doing.rules, command.particulars)
    return wrong or {"erase": command.erase, "personal": {"particulars": stored(command.particulars)}}


def consent(doing: Doing) -> Change:
    """What stays is written anew, under a new key: nobody can read what stood there before. Erased, nothing is."""
    case, asked = doing.case, doing.case.correction
    assert asked
    if asked.erase:
        return {}
    return {
        "personal": {
            "particulars": {**case.particulars, **asked.particulars},
            "comment": case.comment,
            "answers": dict(case.answers),
            "reply_comment": case.reply_comment,
            "kept_answers": dict(case.kept_answers),
            "kept_comment": case.kept_comment,
            "remarks": [remark.said for remark in case.remarks],
            "files": {file.id: file.content for file in case.files if file.content},
        }
    }


# Shared


def arrival(doing: Doing, there: Side) -> dict[str, Any]:
    """Return by when a recipient is to accept, and who stands behind it."""
    recipient = doing.ask.authority(there.authority)
    above = first_behind(recipient, doing.case.area) if recipient else None
    return {
        "acceptance_due": due(doing, there, doing.rules.deadlines.acceptance),
        "behind": [above] if above else [],
    }


def due(doing: Doing, there: Side, period: Period) -> datetime:
    """Return by when something is due that an authority has a period for. Raises `NotAtHand` without its holidays."""
    now = doing.now
    try:
        return acceptance_due(period, there, now.at, now.day, now.calendar)
    except NotAtHand:
        raise
    except LookupError as error:
        years = years_of(now.today(there), period)
        raise NotAtHand("holidays", there.country, there.region or "", years.start, years.stop) from error


def _behind(doing: Doing, number: str) -> str:
    found = doing.ask.authority(number)
    return behind(found, doing.case.area, doing.ask).id if found else number


def _said(said: FreeText | None) -> Entry:
    return {"says": True, "personal": {"text": text(said)}} if said else {}


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they are kept: nothing but strings, numbers, lists and mappings."""
    return {code: _plain(value) for code, value in values.items()}


def value_of(kept: Any) -> Value:
    """Return a value that was kept as it had come in."""
    if isinstance(kept, Mapping):
        return part_of(kept)
    result: Value = tuple(kept) if isinstance(kept, list) else kept
    return result


def text(said: FreeText | None) -> dict[str, str] | None:
    """Return free text as it is kept."""
    return said.model_dump() if said else None


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value
