"""The chain from a command to its outcome as a state machine: everything that crashes can make of two commands. Pure.

Two replicas of a service take commands from a lane, read the documents, write what they decide guarded by `rev`,
publish, and acknowledge; translation passes on what was published and acknowledges that. `explore` walks every
interleaving of all that, with a crash of any process between any two steps. `BROKEN` are the chains that one would
build without the rules in `docs/guarantees.md`: the explorer has to find what is wrong with each.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

Stage = Literal["read", "write", "publish", "acknowledge"]
Verdict = Literal["done", "refused"]
Rules = Literal["as they are", "unguarded", "acknowledges first", "publishes first", "forgets refusals", "new ids"]

BROKEN: Final[tuple[Rules, ...]] = (
    "unguarded",
    "acknowledges first",
    "publishes first",
    "forgets refusals",
    "new ids",
)
_NEEDS: Final = {"accept": frozenset(), "reply": frozenset({"accept"})}
"""What must have happened to a document before. Nothing happens to it twice."""


class Command(NamedTuple):
    """What is asked of which document. Two with the same key are one command that was sent twice."""

    key: str
    asks: str
    place: int


class Document(NamedTuple):
    """What is stored: who has changed it, by key and what was asked, and whose commands were refused."""

    rev: int = 0
    history: tuple[tuple[str, str], ...] = ()
    refused: tuple[str, ...] = ()

    def verdict(self, key: str) -> Verdict | None:
        """Return what was decided on a command, if anything was."""
        if key in self.refused:
            return "refused"
        return "done" if any(key == done for done, _ in self.history) else None


class Outcome(NamedTuple):
    """What a sender reads: of which command, how it ended, and under which message id."""

    key: str
    verdict: Verdict
    message_id: str


class Job(NamedTuple):
    """A group of deliveries in a replica's hands."""

    deliveries: tuple[int, ...]
    stage: Stage = "read"
    drafts: tuple[tuple[int, Document], ...] = ()
    """Documents that it is about to write, as they would be then."""
    failed: bool = False
    """Whether a document had changed meanwhile."""
    outcomes: tuple[Outcome, ...] = ()


class Passing(NamedTuple):
    """A message in translation's hands, and what of it has not been passed on yet."""

    message: tuple[Outcome, ...]
    left: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class State:
    """All there is. Deliveries are numbers: places in the list of commands."""

    lane: frozenset[int]
    documents: tuple[Document, ...]
    replicas: tuple[tuple[Job, ...], ...]
    crashes: int
    attempt: int = 0
    views: frozenset[tuple[Outcome, ...]] = frozenset()
    passing: Passing | None = None
    inbox: frozenset[Outcome] = frozenset()


class Step(NamedTuple):
    """One thing that happens: who does what; `of` is which job, document or delivery, as the step needs it."""

    who: str
    what: str
    of: tuple[int, ...] = ()


def beginning(commands: Sequence[Command], replicas: int = 2, crashes: int = 1) -> State:
    """Return the state in which all commands wait and nothing has been done."""
    places = max(command.place for command in commands) + 1
    return State(frozenset(range(len(commands))), (Document(),) * places, ((),) * replicas, crashes)


class Chain:
    """The machine for some commands, by some rules."""

    def __init__(self, commands: Sequence[Command], rules: Rules = "as they are") -> None:
        """`rules` other than the real ones leave one out."""
        self.commands = tuple(commands)
        self.rules = rules

    def steps(self, state: State) -> Iterator[tuple[Step, State]]:
        """Yield everything that can happen next, with what comes of it."""
        for number, jobs in enumerate(state.replicas):
            yield from self._takes(state, number, jobs)
            for job in range(len(jobs)):
                yield from self._works(state, number, job)
        yield from _passes_on(state)
        if state.crashes:
            yield from self._crashes(state)

    def _takes(self, state: State, number: int, jobs: tuple[Job, ...]) -> Iterator[tuple[Step, State]]:
        """A group is taken while another is told, but not while another is decided on."""
        if any(job.stage in ("read", "write") for job in jobs):
            return
        for group in _groups(state.lane):
            taken = replace(state, lane=state.lane - set(group))
            yield Step(f"replica {number}", "take", group), _with_jobs(taken, number, (*jobs, Job(group)))

    def _works(self, state: State, number: int, place: int) -> Iterator[tuple[Step, State]]:
        job, who = state.replicas[number][place], f"replica {number}"
        if job.stage == "read":
            yield Step(who, "read", (place,)), self._read(state, number, place)
        elif job.stage == "write":
            for draft in range(len(job.drafts)):
                yield Step(who, "write", (place, draft)), self._write(state, number, place, draft)
        elif job.stage == "publish":
            said = state if not job.outcomes else replace(state, views=state.views | {job.outcomes})
            yield Step(who, "publish", (place,)), self._after(said, number, place, "publish")
        elif not any(one.stage == "acknowledge" for one in state.replicas[number][:place]):
            yield Step(who, "acknowledge", (place,)), self._after(state, number, place, "acknowledge")

    def _read(self, state: State, number: int, place: int) -> State:
        """Read, and decide on the whole group: each command on what those before it will have left."""
        job, drafts = state.replicas[number][place], dict[int, Document]()
        outcomes = list[Outcome]()
        for command in (self.commands[one] for one in job.deliveries):
            before = drafts.get(command.place, state.documents[command.place])
            after = self._decided(before, command)
            if after != before:
                drafts[command.place] = after
            verdict = after.verdict(command.key) or "refused"
            outcomes.append(Outcome(command.key, verdict, self._id(command, state)))
        read = job._replace(drafts=tuple(drafts.items()), outcomes=tuple(outcomes), failed=False)
        decided = _with_job(replace(state, attempt=self._attempt(state)), number, place, read)
        return self._after(decided, number, place, "read")

    def _decided(self, document: Document, command: Command) -> Document:
        if document.verdict(command.key):
            return document
        happened = {asked for _, asked in document.history}
        if command.asks not in happened and _NEEDS[command.asks] <= happened:
            return document._replace(history=(*document.history, (command.key, command.asks)))
        if self.rules == "forgets refusals":
            return document
        return document._replace(refused=(*document.refused, command.key))

    def _write(self, state: State, number: int, place: int, draft: int) -> State:
        """One document, whole or not at all: what it was decided on must be there still."""
        job = state.replicas[number][place]
        where, wanted = job.drafts[draft]
        stored, left = state.documents[where], job.drafts[:draft] + job.drafts[draft + 1 :]
        fits = stored.rev == wanted.rev or self.rules == "unguarded"
        if fits:
            written = wanted._replace(rev=stored.rev + 1)
            documents = (*state.documents[:where], written, *state.documents[where + 1 :])
            state = replace(state, documents=documents)
        job = job._replace(drafts=left, failed=job.failed or not fits)
        if left:
            return _with_job(state, number, place, job)
        if job.failed:
            return _with_job(state, number, place, job._replace(stage="read"))
        return self._after(_with_job(state, number, place, job), number, place, "write")

    def _after(self, state: State, number: int, place: int, stage: Stage) -> State:
        """A job goes behind the others, for acknowledgements are sent in the order in which they came to be due."""
        jobs = state.replicas[number]
        job, others = jobs[place], jobs[:place] + jobs[place + 1 :]
        following = self._next(stage, written=bool(job.drafts))
        return _with_jobs(state, number, (*others, job._replace(stage=following)) if following else others)

    def _next(self, stage: Stage, *, written: bool = True) -> Stage | None:
        """Return the stage that follows, or nothing. What has nothing to write goes on without."""
        order = _ORDERS.get(self.rules, _ORDER)
        following = [one for one in order[order.index(stage) + 1 :] if written or one != "write"]
        return following[0] if following else None

    def _crashes(self, state: State) -> Iterator[tuple[Step, State]]:
        """What was not acknowledged comes again; what was in hand is forgotten."""
        fewer = replace(state, crashes=state.crashes - 1)
        for number, jobs in enumerate(state.replicas):
            if jobs:
                kept = {one for job in jobs for one in job.deliveries if not self._acknowledged(job)}
                yield (
                    Step(f"replica {number}", "crash"),
                    _with_jobs(replace(fewer, lane=state.lane | kept), number, ()),
                )
        if state.passing:
            views = state.views | {state.passing.message}
            yield Step("translation", "crash"), replace(fewer, passing=None, views=views)

    def _acknowledged(self, job: Job) -> bool:
        order = _ORDERS.get(self.rules, _ORDER)
        return order.index(job.stage) > order.index("acknowledge")

    def _id(self, command: Command, state: State) -> str:
        return f"of {command.key}" + (f", attempt {state.attempt}" if self.rules == "new ids" else "")

    def _attempt(self, state: State) -> int:
        return state.attempt + 1 if self.rules == "new ids" else 0

    def wrong(self, state: State) -> str | None:
        """Return what is wrong with a state, if anything is: with any, and with one in which nothing is left to do."""
        told = [*state.inbox, *(outcome for message in state.views for outcome in message)]
        for command in self.commands:
            stored = state.documents[command.place]
            if [key for key, _ in stored.history].count(command.key) + stored.refused.count(command.key) > 1:
                return f"{command.key} has had two effects"
            if len({one for one in told if one.key == command.key}) > 1:
                return f"{command.key} has two outcomes"
            if any(one.key == command.key and one.verdict != stored.verdict(one.key) for one in told):
                return f"what is said of {command.key} is not what is stored"
        return None

    def missing(self, state: State) -> str | None:
        """Return which command has no outcome. Asked when nothing is left to do."""
        heard = {outcome.key for outcome in state.inbox}
        return next((f"{c.key} has no outcome" for c in self.commands if c.key not in heard), None)


_ORDER: Final[tuple[Stage, ...]] = ("read", "write", "publish", "acknowledge")
_ORDERS: Final[dict[Rules, tuple[Stage, ...]]] = {
    "acknowledges first": ("acknowledge", "read", "write", "publish"),
    "publishes first": ("read", "publish", "write", "acknowledge"),
}


def _groups(lane: frozenset[int]) -> Iterator[tuple[int, ...]]:
    """What a replica may take together: each alone, or all in their order."""
    waiting = sorted(lane)
    yield from ((one,) for one in waiting)
    if len(waiting) > 1:
        yield tuple(waiting)


def _passes_on(state: State) -> Iterator[tuple[Step, State]]:
    """Translation: take, pass on one by one, acknowledge."""
    passing = state.passing
    if passing is None:
        for message in sorted(state.views):
            yield (
                Step("translation", "take"),
                replace(state, views=state.views - {message}, passing=Passing(message, message)),
            )
    elif passing.left:
        for one in passing.left:
            left = tuple(other for other in passing.left if other != one)
            moved = replace(state, inbox=state.inbox | {one}, passing=passing._replace(left=left))
            yield Step("translation", "publish"), moved
    else:
        yield Step("translation", "acknowledge"), replace(state, passing=None)


def _with_jobs(state: State, number: int, jobs: tuple[Job, ...]) -> State:
    return replace(state, replicas=(*state.replicas[:number], jobs, *state.replicas[number + 1 :]))


def _with_job(state: State, number: int, place: int, job: Job) -> State:
    jobs = state.replicas[number]
    return _with_jobs(state, number, (*jobs[:place], job, *jobs[place + 1 :]))


@dataclass(frozen=True, slots=True)
class Explored:
    """How many states there are, in how many of them nothing is left to do, and the shortest story that goes wrong."""

    states: int
    ends: int
    wrong: str | None = None
    story: tuple[Step, ...] = ()


def explore(chain: Chain, start: State, at_most: int = 2_000_000) -> Explored:
    """Walk every state that can be reached, the nearest first; stop at the first that is wrong."""
    came_from: dict[State, tuple[State, Step] | None] = {start: None}
    waiting, ends = deque([start]), 0
    while waiting:
        state = waiting.popleft()
        following = list(chain.steps(state))
        at_the_end = all(step.what == "crash" for step, _ in following)
        ends += at_the_end
        wrong = chain.wrong(state) or (chain.missing(state) if at_the_end else None)
        if wrong:
            return Explored(len(came_from), ends, wrong, _story(came_from, state))
        for step, after in following:
            if after not in came_from:
                came_from[after] = (state, step)
                waiting.append(after)
        if len(came_from) > at_most:
            raise RuntimeError("too many states to walk")
    return Explored(len(came_from), ends)


def _story(came_from: dict[State, tuple[State, Step] | None], state: State) -> tuple[Step, ...]:
    story = list[Step]()
    while before := came_from[state]:
        state, step = before
        story.append(step)
    return tuple(reversed(story))
