"""What is said of a case and put to it, disputes, personal data put right or erased, and its end. Pure."""

import base64
import hashlib
from typing import Final

from contracts.refusal import Refusal
from services.casework.answers import check_some
from services.casework.doing import Change, Doing, coordinators, due, remark, stored

MOST_FILES: Final = 20
_BEGINS: Final = {"application/pdf": b"%PDF-", "image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
"""How files of a type begin (ISO 32000-1, 7.5.2; PNG, 5.2; JFIF)."""


def ask_clarification(doing: Doing) -> Change:
    """It is due within the period that the area gives for an acceptance."""
    recipient = doing.case.recipient
    assert recipient
    return {"clarification_due": due(doing, recipient, doing.rules.deadlines.acceptance), **remark(doing.command.text)}


def refer(doing: Doing) -> Change:
    """Call in who mediates for either side."""
    return {"coordinators": coordinators(doing), **remark(doing.command.reason)}


def decide_referral(doing: Doing) -> Change:
    """No coordinator decides before the other side's has been heard."""
    case = doing.case
    others = set(case.coordinators) - {doing.actor}
    if not others <= case.heard:
        return Refusal("other-side-not-heard")
    return {"rating": None, **remark(doing.command.text)}


def close(doing: Doing) -> Change:
    """With or without a rating."""
    rating = doing.command.rating
    return {"rating": rating.model_dump() if rating else None}


def say_reason(doing: Doing) -> Change:
    """Nothing but why, if so."""
    return remark(doing.command.reason)


def say_text(doing: Doing) -> Change:
    """Nothing but what is said."""
    return remark(doing.command.text)


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
            "remarks": [one.said for one in case.remarks],
            "files": {file.id: file.content for file in case.files if file.content},
        }
    }
