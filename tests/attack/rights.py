"""What a system may not do with cases and authorities of others, and may not learn of them either."""

import asyncio
import functools
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import HealthCheck, given, seed, settings

from client.account import password_hash
from contracts import casework, notifier, own, registry, translation
from contracts.dates import AllDates
from contracts.directory import AuthorityState, Provision
from contracts.inbox import Views
from contracts.types import FreeText, Message, User
from tests.attack.named import ATTACKER, VICTIM, Attack
from tests.attack.shapes import valid_bodies
from tests.broker.raw import Json, RawSystem, raw_system
from tests.world import AREA, HANDLER, HOLDER, World, details_of

NOBODYS_CASE: Final = "0000-0000-0000"
NOBODY: Final = ("HU-00000000", "hu-nobody")
"""An authority and a system that there are not."""


def example(kind: type[Message]) -> Json:
    """Return a body that passes as such a message, the same each time."""
    found = list[Json]()

    @seed(7)
    @settings(max_examples=3, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(valid_bodies(kind))
    def keep(body: Json) -> None:
        found.append(body)

    keep()
    return found[-1]


async def _case_of_others(kind: type[Message], world: World) -> None:
    """The answer is the same to the letter for a case of others as for a number that no case has."""
    number = await a_case(world)
    async with raw_system(world.url(ATTACKER), ATTACKER) as attacker:
        body = {**example(kind), "authority": world.ids[ATTACKER]}
        theirs, nobodys = [
            _said(await _asked(attacker, kind, {**body, "case": case})) for case in (number, NOBODYS_CASE)
        ]
        assert theirs == nobodys
        assert theirs["refused"]["code"] == "unknown-case"


async def _in_anothers_name(kinds: Sequence[type[Message]], world: World) -> None:
    """Each is refused, however right it is. Side by side: a service that may be behind looks twice."""
    number = await a_case(world)
    async with raw_system(world.url(ATTACKER), ATTACKER) as attacker:
        bodies: list[Json] = [{**example(kind), "authority": world.ids[VICTIM]} for kind in kinds]
        asked = (
            _asked(attacker, kind, {**body, "case": number} if "case" in body else body)
            for kind, body in zip(kinds, bodies, strict=True)
        )
        for kind, outcome in zip(kinds, await asyncio.gather(*asked), strict=True):
            assert outcome["refused"]["code"] == "not-your-authority", kind
            assert "case" not in outcome, kind


async def _onboarding(kind: type[Message], world: World) -> None:
    """A plain authority is told that it is no coordinator, and nothing else: neither whom nor what there is."""
    code = "not-its-coordinator" if kind is registry.Trail else "not-a-coordinator"
    there = [(world.ids[name], name) for name in (VICTIM, "de-kammer")]
    async with raw_system(world.url(ATTACKER), ATTACKER) as attacker:
        bodies = [about(kind, *subject, by=world.ids[ATTACKER]) for subject in (*there, NOBODY)]
        assert len({json.dumps(body) for body in bodies}) == len(bodies), "each names another"
        said = [_said(await _asked(attacker, kind, body)) for body in bodies]
        assert said[0]["refused"]["code"] == code
        assert said == [said[0]] * len(said)


def about(kind: type[Message], authority: str, system: str, *, by: str) -> Json:
    """A body by which a coordinator would do this to an authority or a system, as right as it can be for all others."""
    said: Json = {
        **dict.fromkeys(("applicant", "of", "to"), authority),
        **dict.fromkeys(("request_coordinators", "linked"), ()),
        **dict.fromkeys(("realm", "successor")),
        "system": system,
        "account": _account(system),
        "acts_for": [authority],
        "details": details_of("DE", "de", "Zahnärztekammer", (AREA,)).model_dump(mode="json", exclude_none=True),
        "area": AREA,
        "scope": {},
    }
    return {**example(kind), "authority": by, **{name: said[name] for name in said if name in kind.model_fields}}


def _account(system: str) -> Json:
    return {"system": system, "password_hash": password_hash("mine"), "languages": ["hu"]}


async def _anothers_account(world: World) -> None:
    """Who has a system's account is asked of the registry: for another's it refuses, and what opened it opens it."""
    async with raw_system(world.url(ATTACKER), ATTACKER) as attacker:
        said = []
        for system in (VICTIM, "hu-nobody"):
            body = {"account": _account(system), "user": HANDLER.model_dump()}
            said.append(_said(await _asked(attacker, registry.RotateCredential, body)))
        assert said[0] == said[1]
        assert said[0]["refused"]["code"] == "unknown-system"
    async with raw_system(world.url(VICTIM), VICTIM):
        pass


async def _own(kind: type[Message], world: World) -> None:
    """What the exchange tells itself has a queue of its own: by a lane it is no command."""
    async with raw_system(world.url(ATTACKER), ATTACKER) as attacker:
        outcome = await _asked(attacker, kind, {})
        assert outcome["refused"]["code"] in {"unknown-type", "not-routable"}


async def _operators(kind: type[Message], world: World) -> None:
    async with raw_system(world.url(ATTACKER), ATTACKER) as attacker:
        outcome = await _asked(attacker, kind, example(kind))
        assert outcome["refused"]["code"] == "operator-only"


async def _agreed_before_acceptance(world: World) -> None:
    """Who has not accepted a request reads none of its personal data, and not by agreeing that they are put right."""
    holder = {"holder-name": FreeText(text="Put Right", language="hu")}
    parties = {"authority": world.ids[VICTIM], "recipient": world.ids[ATTACKER]}
    async with world.system(VICTIM) as asking, raw_system(world.url(ATTACKER), ATTACKER) as attacker:
        case = (await asking.do(world.request(**parties))).case
        assert case
        about = {"case": case.id, "user": _ADMINISTRATOR}
        await asking.do(casework.AskCorrection(authority=world.ids[VICTIM], particulars=holder, **about))
        agreed = casework.ConsentCorrection(authority=world.ids[ATTACKER], **about)
        for command in (agreed, *(kind(authority=agreed.authority, **about) for kind in _READING)):
            outcome = await _asked(attacker, type(command), command.model_dump(mode="json"))
            assert outcome["status"] == "done"
        heard = json.dumps([body for _, body in attacker.received], ensure_ascii=False)
        assert case.id in heard
        assert not [one for one in (HOLDER, "Put Right", "1980-01-01", "Semmelweis") if one in heard]


async def a_case(world: World) -> str:
    """A case between Germany and Hungary that is none of the attacker's."""
    async with world.system("de-kammer") as asking:
        case = (await asking.do(world.request())).case
        assert case
        return case.id


async def _asked(attacker: RawSystem, kind: type[Message], body: Json) -> Json:
    message_id = str(uuid.uuid4())
    await attacker.command(kind.TYPE, body, message_id)
    return await attacker.outcome(message_id)


def _said(outcome: Mapping[str, Any]) -> Json:
    return {key: value for key, value in outcome.items() if key != "command"}


_ADMINISTRATOR: Final = User(id="administrator", role="data-administrator")
_READING: Final = (casework.ShowCase, casework.ShowTrail)
_COMMANDS: Final = {"casework": casework.COMMANDS, "registry": registry.COMMANDS, "notifier": notifier.COMMANDS}
CASE_COMMANDS: Final = [kind for kind in casework.COMMANDS if {"case", "authority"} <= kind.model_fields.keys()]
"""What the operator alone may ask of a case is asked as nobody, and so stands in `_OPERATORS_ALONE`."""
_OPERATORS_ALONE: Final = (
    registry.AppointCoordinator,
    registry.PutTerms,
    casework.RunRetention,
    casework.VerifyCases,
    casework.RecountScores,
    casework.RepublishCases,
    casework.TraceCase,
    translation.PutTexts,
    translation.PublishArea,
)
_INSIDE: Final[tuple[type[Message], ...]] = (*own.OWN, AllDates, AuthorityState, Provision, Views)
COORDINATORS: Final = [
    kind
    for kind in registry.COMMANDS
    if "authority" in kind.model_fields and kind not in (registry.Search, registry.Show, registry.UpdateAuthority)
]

ATTACKS: Final = [
    *(
        Attack(
            f"{kind.TYPE} on a case of others",
            "it, or to know of it",
            functools.partial(_case_of_others, kind),
        )
        for kind in CASE_COMMANDS
    ),
    *(
        Attack(
            f"each command of {name} in another's name",
            "what the other may do",
            functools.partial(_in_anothers_name, [kind for kind in kinds if "authority" in kind.model_fields]),
        )
        for name, kinds in _COMMANDS.items()
    ),
    *(
        Attack(f"{kind.TYPE} by no coordinator", "a say in who takes part", functools.partial(_onboarding, kind))
        for kind in COORDINATORS
    ),
    *(
        Attack(f"{kind.TYPE} by no operator", "the operator's rights", functools.partial(_operators, kind))
        for kind in _OPERATORS_ALONE
    ),
    Attack("agree to a correction before acceptance", "personal data of a request", _agreed_before_acceptance),
    Attack("registry.rotate_credential.v1 for another's account", "to log in as the other", _anothers_account),
    *(
        Attack(f"{kind.TYPE} by a system", "what the exchange alone tells itself", functools.partial(_own, kind))
        for kind in _INSIDE
    ),
]
