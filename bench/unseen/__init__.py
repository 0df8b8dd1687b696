"""The services as they ship, but blind: no metric, no log, no trace. What seeing costs is measured against them."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any
from unittest.mock import patch

import uvloop
from prometheus_client.metrics import MetricWrapperBase
from pymongo import AsyncMongoClient

from services.chassis import metrics, mongo, stages


class Nothing:
    """A metric that counts nothing."""

    def labels(self, *_: str) -> "Nothing":
        """Itself, whatever the labels."""
        return self

    def inc(self, _amount: float = 1) -> None:
        """Do nothing."""

    def set(self, _value: float) -> None:
        """Do nothing."""

    def clear(self) -> None:
        """Do nothing."""

    def observe(self, _amount: float) -> None:
        """Do nothing."""

    def time(self) -> Any:
        """Measure nothing."""
        return nullcontext()


@contextmanager
def no_metrics(*modules: ModuleType) -> Iterator[None]:
    """Have nothing counted, by the chassis or by these modules' own metrics."""
    with patch.object(stages, "handling", lambda _since: nullcontext()):
        patches = [patch.object(module, name, Nothing()) for module in (metrics, *modules) for name in _names(module)]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()


def run(main: Callable[[], Coroutine[Any, Any, None]], *modules: ModuleType) -> None:
    """Run a service so."""
    os.environ["IMI_LOG_LEVEL"] = "CRITICAL"
    os.environ.pop("IMI_OTLP_ENDPOINT", None)
    unwatched = patch.object(mongo, "AsyncMongoClient", _unwatched)
    with no_metrics(*modules), unwatched, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _unwatched(*where: Any, event_listeners: object, **options: Any) -> Any:
    """A client that tells nobody what it does."""
    del event_listeners
    return AsyncMongoClient(*where, **options)


def _names(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, MetricWrapperBase)]
