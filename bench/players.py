"""Ten states with an authority each, from the real onboarding: five ask, five answer, no two in the same language."""

import asyncio
from pathlib import Path
from typing import Final

from bench.plan import AREA, Player
from client import publishing
from client.account import new_password, password_hash
from client.legislation import load
from client.system import System
from contracts.inbox import SystemUpdate
from contracts.registry import Account, Apply, AppointCoordinator, Approve, Details, Scope
from contracts.topology import OPERATOR
from contracts.types import User
from deploy.local.exchange import Exchange

ASKING: Final = {"DE": "de", "FR": "fr", "ES": "es", "NL": "nl", "IT": "it"}
ANSWERING: Final = {"HU": "hu", "PT": "pt", "RO": "ro", "FI": "fi", "SE": "sv"}

_ADMINISTRATOR: Final = User(id="onboarding-desk", role="data-administrator")
_LEGISLATION: Final = Path(__file__).parent.parent / "legislation"


def onboard(exchange: Exchange) -> tuple[list[Player], list[Player]]:
    """Publish the legislation and connect everybody; return who asks and who answers."""
    return asyncio.run(_onboard(exchange))


async def _onboard(exchange: Exchange) -> tuple[list[Player], list[Player]]:
    url = exchange.amqp_url(OPERATOR, exchange.systems[OPERATOR])
    async with System(url) as operator:
        await publishing.publish(operator, load(_LEGISLATION / AREA))
        players = [[await _join(exchange, operator, *one) for one in states.items()] for states in (ASKING, ANSWERING)]
    return players[0], players[1]


async def _join(exchange: Exchange, operator: System, state: str, language: str) -> Player:
    """Appoint a state's coordinator; an authority of the state applies through the coordinator's system."""
    name, password = f"{state.lower()}-bench", new_password()
    account = Account(system=name, password_hash=password_hash(password), languages=(language,))
    appointed = await operator.do(
        AppointCoordinator(details=_details(state, language, ()), account=account, user=_ADMINISTRATOR)
    )
    assert appointed.authority
    await _connected(operator, name)
    url = exchange.amqp_url(name, password)
    async with System(url) as system:
        authority = await _register(system, appointed.authority.id, _details(state, language, (AREA,)))
    return Player(system=name, url=url, authority=authority, language=language)


async def _register(system: System, coordinator: str, details: Details) -> str:
    applied = await system.do(Apply(coordinator=coordinator, details=details, user=_ADMINISTRATOR))
    assert applied.authority
    authority = applied.authority.id
    await system.do(Approve(authority=coordinator, applicant=authority, user=_ADMINISTRATOR))
    return authority


def _details(state: str, language: str, areas: tuple[str, ...]) -> Details:
    contacts = (f"office@{state.lower()}.example",)
    names = {language: f"Authority of {state}"}
    return Details(
        country=state,
        names=names,
        city="Capital",
        languages=(language,),
        contacts=contacts,
        areas=dict.fromkeys(areas, Scope()),
    )


async def _connected(operator: System, name: str) -> None:
    async with operator.expecting() as inbox:
        async for message in inbox:
            if isinstance(message, SystemUpdate) and message.system == name:
                return
