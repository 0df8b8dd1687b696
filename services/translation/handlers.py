"""Views in, inbox messages out; and the operator's publication of legislation."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import structlog
from pydantic_core import from_json, to_json

from contracts.identity import derived_uuid
from contracts.inbox import Views
from contracts.languages import LAST_RESORT
from contracts.refusal import Refusal
from contracts.topology import OPERATOR, inbox_of
from contracts.translation import AreaPublished, PublishArea, PutTexts, ShowForm, ShowLabels
from services.chassis import faults, metrics, tracing
from services.chassis.bus import Outgoing
from services.chassis.delivery import Delivery, Handled, Later, Result
from services.chassis.desk import Answer, Event, done, refused
from services.chassis.faults import Impatient
from services.chassis.intake import Command
from services.chassis.parking import ROUTING_KEY
from services.translation.area import AreaTexts, codes_of, inconsistency
from services.translation.forms import form_of
from services.translation.freetext import said_in
from services.translation.guard import Guard
from services.translation.labels import PAGE, STANDING, labels_of, standing
from services.translation.machine import ASK_AGAIN_AFTER, PATIENCE, Machine
from services.translation.metrics import TEXTS_MISSING
from services.translation.reading import Reading, Sentences, Terms, in_order
from services.translation.render import Areas, Json, area_of, listed_in, render
from services.translation.store import Store

LOOK_AGAIN_AFTER: Final = 1.0
"""Seconds after which a view is tried again whose area a restored database may still get."""

Languages = Mapping[str, tuple[str, ...]]
log = structlog.get_logger()


class Translator:
    """The handler of the queue of views."""

    def __init__(
        self,
        store: Store,
        sentences: Sentences,
        guard: Guard | None = None,
        machine: Machine | None = None,
        catching_up: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """`sentences` are the exchange's own, by language and code; what is not there says nothing of free text.

        While it is `catching_up` after a restore, an area's version that is not there may still come.
        """
        self._store = store
        self._sentences = sentences
        self._guard = guard
        self._machine = machine
        self._catching_up = catching_up

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Result]:
        """Return each view in its reader's words, addressed to its inbox.

        A message whose translations by a machine are under way is looked at again shortly; the others do not wait.
        """
        groups = [from_json(delivery.message.body)["views"] for delivery in deliveries]
        views = [view for group in groups for view in group]
        languages = await self._store.languages(name for view in views for name in _names(view))
        areas = await self._areas(views, languages)
        terms = await self._terms(views, areas)
        awaited = await self._awaited(views, areas)
        results = list[Result]()
        for delivery, group in zip(deliveries, groups, strict=True):
            if awaited and awaited & _areas_of(group):
                results.append(_later(delivery))
                continue
            there = [await self._beside(view, languages) for view in group]
            if all(there) or delivery.age >= PATIENCE:
                results.append(Handled([self._letter_or_parked(view, languages, areas, terms) for view in group]))
            else:
                results.append(Later(ASK_AGAIN_AFTER))
        return results

    async def _beside(self, view: Json, languages: Languages) -> bool:
        """Put beside free text what is known of it; say whether nothing more is to be waited for."""
        with suppress(KeyError, TypeError, AttributeError):  # a view that is none is parked when it is rendered
            texts = list(said_in(view["message"]))
            if texts and self._guard:
                await self._guard.mark(texts)
            if texts and self._machine:
                return self._machine.fill(texts, _spoken(view, languages))
        return True

    async def _areas(self, views: Sequence[Json], languages: Languages) -> Areas:
        wanted = dict[tuple[str, int], set[str]]()
        for view in views:
            if area := area_of(view["message"]):
                wanted.setdefault(area, {LAST_RESORT}).update(_spoken(view, languages))
        areas = dict[tuple[str, int], AreaTexts]()
        for key, spoken in wanted.items():
            with suppress(KeyError):  # whoever needs it will say so
                areas[key] = await self._store.area_texts(*key, spoken)
        return areas

    async def _awaited(self, views: Sequence[Json], areas: Areas) -> set[tuple[str, int]]:
        """Return the areas' versions that these views need, and that the restored database may still get."""
        lacking = _areas_of(views) - areas.keys()
        return lacking if lacking and self._catching_up and await self._catching_up() else set()

    async def _terms(self, views: Sequence[Json], areas: Areas) -> Terms:
        """Return what the codes of lists in these views are called; most views have none, and nothing is read."""
        if not any(area.listed for area in areas.values()):
            return {}
        codes = {code for view in views for code in listed_in(view["message"], areas)}
        return await self._store.terms(codes) if codes else {}

    def _letter_or_parked(self, view: Json, languages: Languages, areas: Areas, terms: Terms) -> Outgoing:
        """One view that cannot be rendered does not take with it those that came in the same message."""
        hop = tracing.begin("translate", view.get(tracing.HEADER), {"messaging.message.id": view["message_id"]})
        reading = Reading(in_order(_spoken(view, languages)), self._sentences, terms)
        try:
            return self._letter(view, reading, areas, hop.traceparent)
        except (KeyError, TypeError, ValueError) as error:
            return _parked(view, type(error).__name__)
        finally:
            hop.end()

    def _letter(self, view: Json, reading: Reading, areas: Areas, traceparent: str | None) -> Outgoing:
        kind = render(view["message"], reading, areas)
        if reading.lacking:
            _count(reading, view["message"])
        body = to_json(view["message"])
        headers = {tracing.HEADER: traceparent} if traceparent else {}
        return Outgoing(inbox_of(view["to"]), kind, body, view["message_id"], view.get("correlation_id"), headers)


class CatalogueDesk:
    """The handler of translation's lanes. Repeating a command of the operator's does no more than it did."""

    def __init__(self, store: Store) -> None:
        """Keep what is published in `store`."""
        self._store = store

    async def __call__(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """Carry out or refuse each."""
        return [await self._decide(command) for command in commands]

    async def _decide(self, command: Command) -> Answer:
        if command.expired:
            return Answer(refused(command, Refusal("expired", "expiration")))
        body = command.body
        if isinstance(body, ShowForm):
            return await self._form(command, body)
        if isinstance(body, ShowLabels):
            return await self._labels(command, body)
        if command.system != OPERATOR:
            return Answer(refused(command, Refusal("operator-only")))
        if isinstance(body, PutTexts):
            return await self._put(command, body)
        assert isinstance(body, PublishArea)
        return await self._publish(command, body)

    async def _form(self, command: Command, asked: ShowForm) -> Answer:
        version = asked.version or await self._store.in_force(asked.area)
        rules = await self._store.rules(asked.area, version) if version else None
        if version is None or rules is None:
            return Answer(refused(command, Refusal("unknown-area", "area")))
        if asked.set and asked.set not in {item.set for item in rules.questions}:
            return Answer(refused(command, Refusal("unknown-question", "set")))
        area = await self._store.area_texts(asked.area, version, (asked.language, LAST_RESORT))
        return Answer(done(command, form=form_of(asked, version, rules, area)))

    async def _labels(self, command: Command, asked: ShowLabels) -> Answer:
        if asked.of in STANDING:
            terms = standing(asked)
        else:
            terms = await self._store.vocabulary(asked.of, asked.after or "", PAGE + 1)
        if not terms and not asked.after:
            return Answer(refused(command, Refusal("unknown-vocabulary", "of")))
        return Answer(done(command, labels=labels_of(asked, terms)))

    async def _put(self, command: Command, body: PutTexts) -> Answer:
        there = await self._store.texts(body.area, body.version, body.language)
        if there == body.texts:
            return Answer(done(command))
        if await self._store.rules(body.area, body.version):
            return Answer(refused(command, Refusal("version-published", "version")))
        await self._store.put_texts(body.area, body.version, body.language, body.texts)
        return Answer(done(command))

    async def _publish(self, command: Command, body: PublishArea) -> Answer:
        refusal = await self._cannot_publish(body)
        if refusal:
            return Answer(refused(command, refusal))
        if await self._store.publish(body.area, body.version, body.rules) != body.rules:
            return Answer(refused(command, Refusal("version-published", "version")))
        event = AreaPublished(area=body.area, version=body.version, rules=body.rules)
        event_id = derived_uuid("area", body.area, str(body.version))
        return Answer(done(command), events=(Event("event.area", event, event_id),))

    async def _cannot_publish(self, body: PublishArea) -> Refusal | None:
        there = await self._store.rules(body.area, body.version)
        if there:
            return None if there == body.rules else Refusal("version-published", "version")
        if code := inconsistency(body.rules):
            return Refusal("rules-inconsistent", code)
        english = await self._store.texts(body.area, body.version, LAST_RESORT) or {}
        missing = next((code for code in codes_of(body.rules) if code not in english), None)
        return Refusal("texts-missing", missing) if missing else None


def _areas_of(views: Sequence[Json]) -> set[tuple[str, int]]:
    return {area for view in views if (area := area_of(view["message"]))}


def _later(delivery: Delivery) -> Later:
    """Hold it for a while. Raises `Impatient` when it has been held too long: then it comes again."""
    if delivery.age > faults.PATIENCE:
        raise Impatient
    return Later(LOOK_AGAIN_AFTER)


def _parked(view: Json, reason: str) -> Outgoing:
    metrics.PARKED.labels(reason).inc()
    log.error("parked", message_id=view["message_id"], reason=reason)
    headers = {"imi-reason": reason, "imi-queue": "translation.views"}
    message_id = derived_uuid("parked", view["message_id"], reason)
    return Outgoing(ROUTING_KEY, Views.TYPE, to_json({"views": [view]}), message_id, headers=headers)


def _count(reading: Reading, message: Json) -> None:
    area, _ = area_of(message) or ("", 0)
    for lack in reading.lacking:
        TEXTS_MISSING.labels(area if lack.of_area else "exchange", reading.languages[0]).inc()


def _spoken(view: Json, languages: Languages) -> tuple[str, ...]:
    return next((languages[name] for name in _names(view) if name in languages), (LAST_RESORT,))


def _names(view: Json) -> list[str]:
    """Whose languages count: the reading authority's, else its system's."""
    return [name for name in (view.get("reader"), view["to"]) if name]
