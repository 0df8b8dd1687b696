"""The parts of `docs/connecting.md` that follow from the code: tables, and the messages of the walk.

A part stands between `<!-- made: <name> -->` and `<!-- end -->`, and is written anew each time.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from contracts.catalogue import COMMANDS, INBOX
from contracts.languages import LANGUAGES, STATES
from contracts.sentences import REFUSALS
from tools.examples import FOLDER, Example, compact, read
from tools.exchange_document import summary

_PART: Final = re.compile(r"(<!-- made: (?P<name>[^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SENDER_OR_RECIPIENT: Final = "the outcome has `case`; the other side reads `inbox.case.v1`"


class Rights(NamedTuple):
    """Who may send a command, and what comes of it."""

    who: str
    then: str


RIGHTS: Final[Mapping[str, Rights]] = {
    "registry.appoint_coordinator.v1": Rights(
        "the operator", "the outcome has `authority`; `inbox.system.v1` follows when its system can log in"
    ),
    "registry.connect_system.v1": Rights(
        "a national coordinator, for its state",
        "the outcome has `system`; `inbox.system.v1` follows when it can log in",
    ),
    "registry.apply.v1": Rights(
        "any system, for an authority of the coordinator's state",
        "the outcome has `authority` with its number, `pending`; the coordinator reads `inbox.authority.v1`",
    ),
    "registry.approve.v1": Rights(
        "the coordinator named in the application",
        "the outcome has `authority`, `active`; the applicant's system reads `inbox.authority.v1`",
    ),
    "registry.reject.v1": Rights(
        "the coordinator named in the application",
        "the outcome has `authority`, `rejected`; the applicant's system reads `inbox.authority.v1`",
    ),
    "registry.search.v1": Rights("any system", "the outcome has `found`"),
    "casework.send_request.v1": Rights("an active authority with access to the area", _SENDER_OR_RECIPIENT),
    "casework.accept_request.v1": Rights("the recipient, while `awaiting-acceptance`", _SENDER_OR_RECIPIENT),
    "casework.reply.v1": Rights("the recipient, once `accepted`", _SENDER_OR_RECIPIENT),
    "casework.close_case.v1": Rights("the sender, once `replied`", _SENDER_OR_RECIPIENT),
    "translation.put_texts.v1": Rights("the operator", "the outcome says done"),
    "translation.publish_area.v1": Rights("the operator", "the outcome says done; requests of the area can be sent"),
}


def filled(page: str) -> str:
    """Return the page with all its parts as they should be. Raises KeyError for a part that nobody makes."""
    return _PART.sub(lambda found: f"{found[1]}\n{_made(found['name'])}\n{found[3]}", page)


def _made(name: str) -> str:
    kind, _, argument = name.partition(" ")
    return _MAKERS[kind](argument)


def _commands(_: str) -> str:
    rows = ((f"`{kind}`", summary(model), *RIGHTS[kind]) for kind, model in COMMANDS.items())
    return _table(("type", "what it does", "who may send it", "what comes back"), rows)


def _inbox(_: str) -> str:
    rows = ((f"`{kind}`", summary(model)) for kind, model in INBOX.items())
    return _table(("type", "what it says"), rows)


def _refusals(_: str) -> str:
    return _table(("code", "sentence in English"), ((f"`{code}`", text) for code, text in REFUSALS.items()))


def _codes(_: str) -> str:
    return f"Languages: {_list(LANGUAGES)}.\n\nStates: {_list(STATES)}.\n"


def _list(codes: Iterable[str]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


def _message(name: str) -> str:
    example = read(FOLDER / "walk" / f"{name}.json")
    return f"{_envelope(example)}\n\n```json\n{compact(example.body)}\n```\n"


def _envelope(example: Example) -> str:
    verb = "sends" if example.is_command else "reads"
    ids = (
        f"`{name}` `{example.properties[name]}`"
        for name in ("message_id", "correlation_id")
        if name in example.properties
    )
    return f"**`{example.system}` {verb} `{example.type}`**, {', '.join(ids)}:"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_MAKERS: Final[Mapping[str, Callable[[str], str]]] = {
    "commands": _commands,
    "codes": _codes,
    "inbox": _inbox,
    "refusals": _refusals,
    "message": _message,
}
