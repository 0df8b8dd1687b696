"""The limit's process: runs the C client, writes to the database beside it, counts the cases that both have done.

Reads a `Limit` from standard input, and tells of it as the load does (`bench.load`). The messages are C's alone; the
writes go in bulks of 50 from here, which is off the messages' path.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, Any, Final

from pydantic import BaseModel
from pymongo import InsertOne, MongoClient, UpdateOne

from bench.limit.shape import Shape
from bench.told import tell

BULK: Final = 50
WRITERS: Final = 4
"""Bulks at once: with fewer the database would wait for us."""
SETTLED: Final = 2_000
"""After so many more a document is there for sure."""
_PROGRESS_EVERY: Final = 0.5

Write = InsertOne[dict[str, Any]] | UpdateOne


class Limit(BaseModel):
    """What to do, for how long. Times in seconds."""

    program: str
    amqp_url: str
    mongo_url: str
    shape: Shape
    in_flight: int
    warm_up: float
    measured: float


class Writing:
    """Writes as many documents as so many cases come to."""

    def __init__(self, limit: Limit) -> None:
        """Nothing is written yet."""
        self._client: MongoClient[dict[str, Any]] = MongoClient(limit.mongo_url, w="majority", journal=True)
        self._documents = self._client["limit"]["documents"]
        self._shape = limit.shape
        self._pool = ThreadPoolExecutor(WRITERS)
        self._asked = self._done = self._inserted = self._updated = 0
        self._due = 0.0
        self._counting = threading.Lock()

    @property
    def cases(self) -> int:
        """How many cases are written."""
        return int(self._done / self._shape.writes)

    def until(self, cases: int) -> None:
        """Have all writes of so many cases done, in whole bulks."""
        while self._asked + BULK <= cases * self._shape.writes:
            self._asked += BULK
            self._pool.submit(self._bulk, [self._write() for _ in range(BULK)])

    def end(self) -> None:
        """Finish what was begun, and forget it all."""
        self._pool.shutdown()
        self._client.drop_database("limit")
        self._client.close()

    def _write(self) -> Write:
        """Updates come as often as they do in cases, each to a document that has been there for a while."""
        self._due += self._shape.updates / self._shape.writes
        content = os.urandom(self._shape.document_bytes)
        if self._due < 1 or self._inserted <= SETTLED:
            self._inserted += 1
            return InsertOne({"_id": self._inserted, "rev": 1, "content": content})
        self._due -= 1
        self._updated += 1
        there = 1 + self._updated % (self._inserted - SETTLED)
        return UpdateOne({"_id": there}, {"$set": {"content": content}, "$inc": {"rev": 1}})

    def _bulk(self, writes: list[Write]) -> None:
        self._documents.bulk_write(writes, ordered=False)
        with self._counting:
            self._done += BULK


class Flow:
    """The C client and the writes, side by side."""

    def __init__(self, limit: Limit, process: subprocess.Popen[str]) -> None:
        """`process` runs."""
        self._process = process
        self._writing = Writing(limit)
        self._read = 0
        self._ending = threading.Lock()

    @property
    def cases(self) -> int:
        """How many are whole."""
        return min(self._read, self._writing.cases)

    def run(self) -> None:
        """Write what was read, and say so, until the client ends."""
        told = 0
        for line in _output(self._process):
            self._read = int(line)
            self._writing.until(self._read)
            if self._writing.cases > told:
                told = self._writing.cases
                self._say(told)

    def end(self) -> None:
        """Have the client end: it does when nobody speaks to it any more."""
        assert self._process.stdin
        with self._ending:
            self._process.stdin.close()

    def check(self) -> None:
        """Raise `RuntimeError` when the client has failed."""
        if self._process.poll():
            raise RuntimeError("the limit's client failed")

    def forget(self) -> None:
        """Remove what was written."""
        self._writing.end()

    def _say(self, cases: int) -> None:
        assert self._process.stdin
        with self._ending:
            if not self._process.stdin.closed:
                self._process.stdin.write(f"{cases}\n")
                self._process.stdin.flush()


def main() -> int:
    """Warm up, measure, tell."""
    limit = Limit.model_validate_json(sys.stdin.read())
    with _client(limit) as process:
        flow = Flow(limit, process)
        running = threading.Thread(target=flow.run)
        running.start()
        _pass(flow, limit.warm_up)
        result = _measure(flow, limit.measured)
        flow.end()
        running.join(20)
        process.wait(20)
    flow.forget()
    tell("result", **result)
    return 0


def _measure(flow: Flow, measured: float) -> dict[str, Any]:
    before, start = flow.cases, time.monotonic()
    tell("begin")
    while (passed := time.monotonic() - start) < measured:
        _pass(flow, min(_PROGRESS_EVERY, measured - passed))
        tell("progress", closed=flow.cases - before, seconds=time.monotonic() - start)
    result = {"closed": flow.cases - before, "seconds": time.monotonic() - start}
    tell("end")
    return result


def _pass(flow: Flow, seconds: float) -> None:
    time.sleep(seconds)
    flow.check()


@contextmanager
def _client(limit: Limit) -> Iterator[subprocess.Popen[str]]:
    streams = [f"{one.name}:{one.queues}:{one.per_case:.4f}:{one.bytes}" for one in limit.shape.streams]
    command = [limit.program, str(limit.in_flight), *streams]
    environment = {**os.environ, "LIMIT_AMQP_URL": limit.amqp_url}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def _output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout
    return process.stdout


if __name__ == "__main__":
    sys.exit(main())
