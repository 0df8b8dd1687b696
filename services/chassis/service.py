"""A service's process: FastStream starts and stops what it is made of, and serves its health and its metrics."""

import gc
import platform
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.rabbit import RabbitBroker
from prometheus_client import disable_created_metrics, make_asgi_app

from services.chassis import metrics, tracing
from services.chassis.faults import outlast
from services.chassis.feed import Feed
from services.chassis.loops import Loop
from services.chassis.observing import EVERY, Observing
from services.chassis.settings import BrokerSettings
from services.chassis.tolerance import be_tolerant
from services.chassis.worker import Worker

COLLECT_AFTER: Final = (20_000, 20, 50)
"""Objects made, and collections of the young and of the middle-aged, after which Python looks for garbage: a group of
messages alone makes more than Python's own 700, nearly all of it freed without being looked for."""

Probe = Callable[[], Awaitable[bool]]
Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Parts:
    """What a process is made of. `prepare` runs before anything is consumed, `begin` and `end` around its own loops."""

    broker: RabbitBroker
    workers: Sequence[Worker] = ()
    probes: Sequence[Probe] = ()
    prepare: Sequence[Step] = ()
    begin: Sequence[Step] = ()
    end: Sequence[Step] = field(default=())
    copies: Sequence[Feed] = ()
    """The feeds of what this service keeps of another's data."""


def assemble(parts: Parts) -> AsgiFastStream:
    """Return the application with `/health/live`, `/health/ready` and `/metrics`."""

    @get
    async def live(_: object) -> AsgiResponse:
        well = all(worker.alive for worker in parts.workers)
        return AsgiResponse(b"live" if well else b"dead", status_code=200 if well else 503)

    async def is_ready() -> bool:
        checks = [worker.ready for worker in parts.workers] + list(parts.probes)
        return all([await check() for check in checks])

    @get
    async def ready(_: object) -> AsgiResponse:
        well = await is_ready()
        return AsgiResponse(b"ready" if well else b"not ready", status_code=200 if well else 503)

    looking = Loop("looking", Observing(is_ready, parts.workers, parts.copies).turn, EVERY)
    return AsgiFastStream(
        parts.broker,
        logger=None,
        asgi_routes=[("/health/live", live), ("/health/ready", ready), ("/metrics", make_asgi_app())],
        on_startup=[_patiently(step) for step in parts.prepare],
        after_startup=[
            *(worker.start for worker in parts.workers),
            *parts.begin,
            looking.begin,
            _look_seldom_for_garbage,
        ],
        # Before the broker closes: FastStream's own order would drop what arrives in between.
        on_shutdown=[looking.end, *parts.end, *(worker.stop for worker in parts.workers), tracing.shut_down],
    )


def _patiently(step: Step) -> Step:
    """Return what takes a step again while a server is away: the database may change its primary just then."""

    async def taken() -> None:
        await outlast(step)

    return taken


async def _look_seldom_for_garbage() -> None:
    """What is there when a service starts stays, and is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def serve(name: str, parts: Parts, settings: BrokerSettings) -> None:
    """Run until a signal asks to stop, then finish what is in hand."""
    be_tolerant()
    metrics.BUILD.labels(name, settings.version, platform.python_version()).set(1)
    metrics.begin_at_nothing()
    # A second series for each counter, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types for it
    options: dict[str, bool | str | list[bool | str] | list[str] | list[bool] | int | None] = {
        "host": settings.http_host,
        "port": settings.http_port,
        "log_config": None,
        "access_log": "false",
        **_encrypted(settings),
    }
    await assemble(parts).run(run_extra_options=options)


def _encrypted(settings: BrokerSettings) -> dict[str, str]:
    if not (settings.http_certificate and settings.http_key):
        return {}
    return {"ssl_certfile": str(settings.http_certificate), "ssl_keyfile": str(settings.http_key)}
