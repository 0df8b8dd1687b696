"""FastStream's broker, which waits for RabbitMQ when it starts, as everything else here does."""

import asyncio
import random
from contextlib import suppress
from typing import Final

import structlog
from faststream.rabbit import RabbitBroker

from services.chassis.bus import PUBLISH_TIMEOUT
from services.chassis.faults import BROKER_AWAY
from services.chassis.logs import where

log = structlog.get_logger()

_AGAIN_AFTER: Final = 0.5
"""Seconds, more or less: not all replicas at once."""
_STOPS_WITHIN: Final = 5.0


class PatientBroker(RabbitBroker):
    """A broker that starts when it can.

    FastStream's own starts beside the process: when RabbitMQ is away, or goes just then, it gives up, nothing that is
    to begin after it ever does, and the process lives on without any of that.
    """

    async def start(self) -> None:
        """Connect, and have all feeds consume. Returns when that is so."""
        while True:
            try:
                async with asyncio.timeout(PUBLISH_TIMEOUT):
                    await super().start()
            except BROKER_AWAY as fault:
                log.warning("broker away", fault=type(fault).__name__)
            except Exception as error:  # noqa: BLE001 - whatever it is: begin anew rather than stand still
                log.error("not started", where=where(error))  # noqa: TRY400 - never the words of an error
            else:
                return
            await self._begin_anew()
            await asyncio.sleep(_AGAIN_AFTER * random.uniform(0.5, 2))  # noqa: S311 - jitter, not a secret

    async def _begin_anew(self) -> None:
        """Leave nothing of an attempt: a connection that is forgotten would go on to connect, and to consume."""
        connection = self._connection
        with suppress(Exception):  # what did not start cannot always be stopped
            async with asyncio.timeout(_STOPS_WITHIN):
                await self.stop()
        if connection:
            with suppress(Exception):
                async with asyncio.timeout(_STOPS_WITHIN):
                    await connection.close()
        self._channel = self._connection = None
        self.config.disconnect()
