"""Is the exchange well? What the broker and the replicas say, put on one page, and a verdict. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from client.looking import Queue, Replica
from contracts.topology import INBOX_LENGTH, LANE_LENGTH, SERVICES, again_lane_of, expired_lane_of, parked_queue_of

State = Literal["well", "degraded", "down"]
EXIT: Final[Mapping[State, int]] = {"well": 0, "degraded": 1, "down": 2}
_RANK: Final[Sequence[State]] = ("well", "degraded", "down")
_ATTENDED: Final = {**{service: expired_lane_of(service) for service in SERVICES}, "provisioner": "provisioner.tasks"}
"""For each service a queue that each of its replicas consumes, but while it catches up after a restore."""
_CLOSED: Final = (".commands", ".undelivered", ".expired")
"""Kinds of lanes that nobody consumes while their service catches up."""
_LATE: Final = 60.0
"""Seconds by which a copy, or a message in hand, is late."""
_LAG, _OLDEST = "imi_read_model_lag_seconds", "imi_oldest_delivery_seconds"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, in a sentence."""

    state: State
    text: str


@dataclass(slots=True)
class Kind:
    """All queues of one kind together: `casework.commands`, whichever system's."""

    name: str
    queues: int = 0
    ready: int = 0
    in_hand: int = 0
    longest: str = ""
    _most: int = -1

    def add(self, queue: Queue) -> None:
        """Count one more."""
        self.queues += 1
        self.ready += queue.ready
        self.in_hand += queue.in_hand
        if queue.ready + queue.in_hand > self._most:
            self._most, self.longest = queue.ready + queue.in_hand, queue.name


@dataclass(frozen=True, slots=True)
class Service:
    """A service: how many replicas consume, what waits for it, what it has put aside.

    One that is `catching_up` was restored, and consumes nothing of systems but what is played again.
    """

    name: str
    replicas: int
    waiting: int
    in_hand: int
    parked: int
    catching_up: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """The page."""

    services: tuple[Service, ...]
    kinds: tuple[Kind, ...]
    replicas: tuple[Replica, ...]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def state(self) -> State:
        """The worst that was found."""
        return max((finding.state for finding in self.findings), key=_RANK.index, default="well")

    @property
    def lag(self) -> float | None:
        """The greatest lag of any copy, in seconds, as far as replicas were asked."""
        return max((one.metrics[_LAG] for one in self.replicas if _LAG in one.metrics), default=None)

    @property
    def oldest(self) -> float | None:
        """The age of the oldest message in anybody's hands, in seconds, as far as replicas were asked."""
        return max((one.metrics[_OLDEST] for one in self.replicas if _OLDEST in one.metrics), default=None)


def status_of(queues: Sequence[Queue], replicas: Sequence[Replica] = ()) -> Status:
    """Return the page, with everything that is not as it should be."""
    kinds = dict[str, Kind]()
    for queue in queues:
        name = kind_of(queue.name)
        kinds.setdefault(name, Kind(name)).add(queue)
    services = tuple(_service(name, queues) for name in _ATTENDED)
    status = Status(services, tuple(kinds[name] for name in sorted(kinds)), tuple(replicas))
    findings = [*_of_services(services), *_of_queues(queues, services), *_of_replicas(replicas)]
    return Status(status.services, status.kinds, status.replicas, tuple(findings))


def down(reason: str) -> Status:
    """Return the page of an exchange whose broker cannot be asked."""
    return Status((), (), (), (Finding("down", f"the broker cannot be asked: {reason}"),))


def kind_of(queue: str) -> str:
    """Return the kind of a queue: its name, without a system's."""
    parts = queue.split(".")
    return parts[0] if parts[0] == "inbox" else ".".join(parts[:2])


def _service(name: str, queues: Iterable[Queue]) -> Service:
    own = [queue for queue in queues if queue.name.startswith(f"{name}.")]
    there = {queue.name: queue for queue in own}
    parked, attended, again = (there.get(one) for one in (parked_queue_of(name), _ATTENDED[name], again_lane_of(name)))
    catching_up = bool(attended and attended.running and not attended.consumers and again and again.consumers)
    consumed = again if catching_up else attended
    working = [queue for queue in own if queue is not parked]
    return Service(
        name,
        consumed.consumers if consumed else 0,
        sum(queue.ready for queue in working),
        sum(queue.in_hand for queue in working),
        parked.ready + parked.in_hand if parked else 0,
        catching_up,
    )


def _of_services(services: Iterable[Service]) -> Iterator[Finding]:
    for service in services:
        if not service.replicas:
            yield Finding("down", f"no replica of {service.name} consumes anything")
        if service.catching_up:
            text = f"{service.name} was restored, and takes only what is played again: imi reopen {service.name}"
            yield Finding("degraded", text)
        if service.parked:
            yield Finding("degraded", f"{service.parked} parked by {service.name}: imi parked list")


def _of_queues(queues: Iterable[Queue], services: Iterable[Service]) -> Iterator[Finding]:
    served = {service.name for service in services if service.replicas}
    closed = {service.name + lane for service in services if service.catching_up for lane in _CLOSED}
    for queue in queues:
        service, kind = queue.name.split(".")[0], kind_of(queue.name)
        if not queue.running:
            yield Finding("down", f"{queue.name} is not running: imi topology apply")
        elif service in served and kind not in closed and not kind.endswith(".parked") and not queue.consumers:
            yield Finding("degraded", f"nobody consumes {queue.name}")
        if kind.endswith((".commands", ".undelivered")) and queue.ready > LANE_LENGTH // 2:
            yield Finding("degraded", f"{queue.name} is more than half full: {queue.ready} of {LANE_LENGTH}")
        if kind == "inbox" and queue.ready > INBOX_LENGTH // 2:
            yield Finding("degraded", f"{queue.name} is more than half full: {queue.ready} of {INBOX_LENGTH}")


def _of_replicas(replicas: Iterable[Replica]) -> Iterator[Finding]:
    for replica in replicas:
        if not replica.ready:
            yield Finding("degraded", f"{replica.url} is not ready")
        for metric, what in ((_LAG, "its copies may be late"), (_OLDEST, "its oldest message waits")):
            if (seconds := replica.metrics.get(metric, 0.0)) > _LATE:
                yield Finding("degraded", f"{replica.url}: {what} by {seconds:.0f} s")
