"""What a recipient does: it assigns, accepts, hands on, splits, answers. Pure."""

from dataclasses import asdict
from typing import Final

from contracts.refusal import Refusal
from services.casework.answers import check_answers
from services.casework.case import Entry
from services.casework.deadlines import end_of_day
from services.casework.doing import Change, Doing, arrival, remark, stored, takes_part, text, value_of
from services.casework.knowledge import Authority, first_behind

MOST_CHILDREN: Final = 20


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
        **remark(doing.command.reason),
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
    if not takes_part(found, case.area, doing.rules) and not (
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
