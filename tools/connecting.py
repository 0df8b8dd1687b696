"""The parts of the documentation that follow from the code: tables, and the messages of the walk.

A part stands between `<!-- made: <name> -->` and `<!-- end -->`, and is written anew each time.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from contracts.casework import CHANGES
from contracts.catalogue import COMMANDS, INBOX
from contracts.languages import LANGUAGES, STATES
from contracts.sentences import REFUSALS
from services.casework import lifecycle as cases
from services.registry.entitlement import Who
from services.registry.lifecycle import LIFECYCLE
from tools.examples import FOLDER, Example, compact, read
from tools.exchange_document import summary

_PART: Final = re.compile(r"(<!-- made: (?P<name>[^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_AUTHORITY_IS_TOLD: Final = "the outcome has `authority`; its own system reads `inbox.authority.v1`"
_SYSTEM_FOLLOWS: Final = "the outcome has `system`; `inbox.system.v1` follows once the broker has done it"
_TOLD: Final = "the outcome has `case`; whoever else takes part reads `inbox.case.v1`, as far as it concerns them"


_BY: Final[Mapping[Who, str]] = {
    "operator": "the operator",
    "applicant": "the system that will act for it, or its coordinator's own",
    "admitting": "a coordinator of its region and areas",
    "validating": "its validating coordinator, or one above",
    "access": "the access coordinator of the area, or one above",
    "itself": "the authority itself",
}


_ACTORS: Final[Mapping[str, str]] = {
    "sender": "the sender",
    "recipient": "the recipient",
    "approver": "the coordinator who approves",
    "coordinator": "a coordinator who was called in",
    "side": "the sender or the recipient",
    "party": "whoever takes part",
    "exchange": "the exchange itself",
}
_ON_CASES: Final = tuple(kind.TYPE for kind in CHANGES)


class Rights(NamedTuple):
    """Who may send a command, and what comes of it."""

    who: str
    then: str


def _list(codes: Iterable[str]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


def _who_may(kind: str) -> str:
    """By the lifecycle's own table."""
    rows = [row for row in cases.STEPS if kind == row.action.TYPE]
    states = dict.fromkeys(state for row in rows for state in row.of if state != "nothing")
    if not states:
        return "an active authority with access to the area"
    return f"{_ACTORS[rows[0].by]}; {_list(states)}"


RIGHTS: Final[Mapping[str, Rights]] = {
    "registry.appoint_coordinator.v1": Rights(
        "the operator", "the outcome has `authority`; `inbox.system.v1` follows when its system can log in"
    ),
    "registry.invite.v1": Rights("a coordinator", "the outcome has `authority`, `invited`, with its number"),
    "registry.apply.v1": Rights(
        "the system that will act for the authority, or the coordinator's own",
        "the outcome has `authority`, `pending`, and in `alike` what it may double; the coordinator reads "
        "`inbox.authority.v1`",
    ),
    "registry.register.v1": Rights("a coordinator", "the outcome has `authority`, `active`"),
    "registry.approve.v1": Rights("the validating coordinator, or one above", _AUTHORITY_IS_TOLD),
    "registry.reject.v1": Rights("the validating coordinator, or one above", _AUTHORITY_IS_TOLD),
    "registry.grant_access.v1": Rights("the area's access coordinator, or one above", _AUTHORITY_IS_TOLD),
    "registry.withdraw_access.v1": Rights("the area's access coordinator, or one above", _AUTHORITY_IS_TOLD),
    "registry.update_authority.v1": Rights(
        "the authority itself", "the outcome has `authority`; what waits is in the coordinator's `inbox.authority.v1`"
    ),
    "registry.decide_change.v1": Rights("the validating coordinator, or one above", _AUTHORITY_IS_TOLD),
    "registry.suspend.v1": Rights("the validating coordinator, or one above", _AUTHORITY_IS_TOLD),
    "registry.reinstate.v1": Rights("the validating coordinator, or one above", _AUTHORITY_IS_TOLD),
    "registry.close.v1": Rights("the validating coordinator, or one above", _AUTHORITY_IS_TOLD),
    "registry.assign_system.v1": Rights("the validating coordinator, or one above", _AUTHORITY_IS_TOLD),
    "registry.connect_system.v1": Rights(
        "a coordinator, for its state", "the outcome has `system`; `inbox.system.v1` follows when it can log in"
    ),
    "registry.rotate_credential.v1": Rights(
        "the system itself, or the one that had it connected",
        "the outcome has `system`; `inbox.system.v1` follows when the new credential is in force",
    ),
    "registry.suspend_system.v1": Rights("the coordinator that connected it, or one above", _SYSTEM_FOLLOWS),
    "registry.reinstate_system.v1": Rights("the coordinator that connected it, or one above", _SYSTEM_FOLLOWS),
    "registry.close_system.v1": Rights("the coordinator that connected it, or one above", _SYSTEM_FOLLOWS),
    "registry.search.v1": Rights("any system", "the outcome has `found`, and `next` when there is more"),
    "registry.suggest.v1": Rights("any system", "the outcome has `suggested`"),
    "registry.show.v1": Rights("any system", "the outcome has `full`"),
    "registry.trail.v1": Rights("the authority itself, or a coordinator above it", "the outcome has `trail`"),
    "registry.put_terms.v1": Rights("the operator", "the outcome says done"),
    **{kind: Rights(_who_may(kind), _TOLD) for kind in _ON_CASES},
    "casework.show_case.v1": Rights("whoever takes part in the case or observes it", "the outcome has `case`"),
    "casework.show_file.v1": Rights("whoever takes part in the case and may read it", "the outcome has `file`"),
    "casework.show_trail.v1": Rights("whoever takes part in the case", "the outcome has `proof`"),
    "casework.list_cases.v1": Rights("an active authority", "the outcome has `cases`, and `next` when there is more"),
    "casework.show_scoreboard.v1": Rights("any system", "the outcome has `scores`"),
    "notifier.set_preferences.v1": Rights("an active authority", "the outcome has `preferences`"),
    "notifier.show_preferences.v1": Rights("an active authority", "the outcome has `preferences`"),
    "notifier.list_emails.v1": Rights(
        "an active authority, of itself or of one that it coordinates",
        "the outcome has `emails`, the last first, and `next` when there is more",
    ),
    "casework.verify_cases.v1": Rights("the operator", "the outcome has `verified`, and `next` for the next page"),
    "casework.run_retention.v1": Rights("the operator", "the outcome has `retention`"),
    "casework.recount_scores.v1": Rights("the operator", "the outcome has `recount`"),
    "casework.republish_cases.v1": Rights(
        "the operator", "the outcome has `republished`, and `next` for the next page"
    ),
    "casework.trace_case.v1": Rights("the operator", "the outcome has `traced`"),
    "translation.put_texts.v1": Rights("the operator", "the outcome says done"),
    "translation.show_form.v1": Rights("any system", "the outcome has `form`"),
    "translation.show_labels.v1": Rights("any system", "the outcome has `labels`"),
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


def _lifecycle(_: str) -> str:
    rows = (
        (f"`{step.command.TYPE}`", ", ".join(step.of) or "nothing", _BY[step.by], step.what, step.leads_to or "stays")
        for step in LIFECYCLE
    )
    return _table(("command", "from", "by", "what happens", "to"), rows)


def _case_lifecycle(_: str) -> str:
    rows = (
        (
            f"`{row.action.TYPE}`",
            "nothing" if row.of == ("nothing",) else ", ".join(row.of),
            _ACTORS[row.by],
            ", ".join(sorted(row.roles)) or "",
            row.when.words if row.when else "",
            row.what,
            row.leads_to or "stays",
        )
        for row in cases.STEPS
    )
    return _table(("command", "from", "by", "role", "if", "what happens", "to"), rows)


def _case_diagram(_: str) -> str:
    """The states and the steps between them, as Mermaid draws it; steps that stay in a state are in the table alone."""
    moves = dict.fromkeys(
        f"    {_node(state)} --> {_node(row.leads_to)}: {row.what}"
        for row in cases.STEPS
        for state in row.of
        if row.leads_to and row.leads_to != state
    )
    return "\n".join(["```mermaid", "stateDiagram-v2", *moves, "```", ""])


def _node(state: str) -> str:
    return "[*]" if state == "nothing" else state.replace("-", "_")


def _inbox(_: str) -> str:
    rows = ((f"`{kind}`", summary(model)) for kind, model in INBOX.items())
    return _table(("type", "what it says"), rows)


def _refusals(_: str) -> str:
    return _table(("code", "sentence in English"), ((f"`{code}`", text) for code, text in REFUSALS.items()))


def _codes(_: str) -> str:
    return f"Languages: {_list(LANGUAGES)}.\n\nStates: {_list(STATES)}.\n"


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
    "lifecycle": _lifecycle,
    "case-lifecycle": _case_lifecycle,
    "case-diagram": _case_diagram,
    "refusals": _refusals,
    "message": _message,
}
