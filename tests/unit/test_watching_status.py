"""`imi status --watch` looks again and again, also while the broker is away, until it is interrupted."""

import json

import pytest
from typer.testing import CliRunner

from client import cli_status
from client.cli import app
from client.status import Status, down, status_of
from contracts.topology import SERVICES

EVERY = "2.5"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Status]:
    """What is found, one look after the other; after the last somebody interrupts. The clock stands still."""
    found = [status_of([]), down("HTTP 502"), down("HTTP 503")]

    async def look(url: str, urls: list[str]) -> Status:
        assert (url, urls) == ("http://x", [])
        return found.pop(0)

    def rest(seconds: float) -> None:
        assert seconds == float(EVERY)
        if not found:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli_status, "_status", look)
    monkeypatch.setattr("client.cli_status.time.sleep", rest)
    return found


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["for people", "for programs"])
def test_it_goes_on_until_it_is_interrupted(looks: list[Status], options: list[str]) -> None:
    """Each look replaces the one before; as JSON each is a line of its own."""
    done = CliRunner().invoke(app, ["status", "--watch", EVERY, "--management-url", "http://x", *options])
    assert done.exit_code == 130
    assert not looks
    if options:
        looks_like = [len(json.loads(line)["services"]) for line in done.stdout.splitlines()]
        assert looks_like == [len(SERVICES) + 1, 0, 0]
    else:
        assert done.stdout.splitlines()[-1] == "the broker cannot be asked: HTTP 503"
        assert "502" not in done.stdout
