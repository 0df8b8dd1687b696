"""The registry's lanes: each command goes to the part of the registry whose business it is."""

import asyncio
from collections.abc import Sequence
from itertools import groupby

from contracts.refusal import Refusal
from contracts.registry import COORDINATION, QUESTIONS, AppointCoordinator, PutTerms
from contracts.topology import OPERATOR
from services.chassis.desk import Answer, refused
from services.chassis.intake import Command
from services.registry.known import Known
from services.registry.lifecycle import decide
from services.registry.questions import Questions
from services.registry.registration import Registration, place_of
from services.registry.settling import now
from services.registry.store import Store
from services.registry.systems import Systems, provision
from services.registry.vocabulary import Vocabulary, put_terms


class Onboarding:
    """The handler of the registry's lanes."""

    def __init__(
        self,
        store: Store,
        registration: Registration,
        systems: Systems,
        questions: Questions,
        vocabulary: Vocabulary,
    ) -> None:
        """Hand on to these."""
        self._store = store
        self._registration = registration
        self._systems = systems
        self._questions = questions
        self._vocabulary = vocabulary

    async def __call__(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """Carry out or refuse each in their order; what changes nothing is answered side by side, before the rest."""
        asking = [index for index, command in enumerate(commands) if isinstance(command.body, QUESTIONS)]
        answers = await asyncio.gather(*(self._questions(commands[index]) for index in asking))
        by_place = dict(zip(asking, answers, strict=True))
        changing = [index for index in range(len(commands)) if index not in by_place]
        for together, run in groupby(changing, lambda index: isinstance(commands[index].body, COORDINATION)):
            some = list(run)
            by_place |= dict(zip(some, await self._change([commands[i] for i in some], together=together), strict=True))
        return [by_place[index] for index in range(len(commands))]

    async def _change(self, commands: Sequence[Command], *, together: bool) -> list[Answer]:
        if together:
            return await self._registration(commands)
        return [await self._alone(command) for command in commands]

    async def _alone(self, command: Command) -> Answer:
        match command.body:
            case AppointCoordinator() as body:
                return await self._appoint(command, body)
            case PutTerms():
                return await put_terms(self._vocabulary, command)
        return await self._systems(command)

    async def _appoint(self, command: Command, body: AppointCoordinator) -> Answer:
        """First the system, whose name only one may take; then the coordinator. Repeated, each finds itself done."""
        there_is = await self._store.authority(place_of(command))
        entry = decide(there_is, body, Known(at=now(), sender=command.system))
        wrong = entry if isinstance(entry, Refusal) else None
        claimed = await self._systems.claim(command, body.account, body.details.country, by=OPERATOR, wrong=wrong)
        if claimed.refusal:
            return Answer(refused(command, claimed.refusal))
        (answer,) = await self._registration([command])
        # The others hear of a coordinator once its inbox is there (see `Connections`).
        events = () if answer.is_refusal else (provision(body.account.system, claimed),)
        return Answer(answer.outcome, (), events)
