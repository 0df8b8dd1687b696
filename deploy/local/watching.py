"""Prometheus and Alertmanager as programs on this machine: they watch an exchange by the files of `deploy/prometheus`.

These files are taken as they are, but for this, which `hurried` does and nothing else:

- names of containers become addresses on loopback;
- what happens every some seconds or minutes happens every second, and what must hold `for` minutes for one second;
- windows of minutes (`[5m]`) become seconds; those of hours, which only remember, stay;
- limits that would take too long to reach are replaced by those that the caller names.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from deploy.local.exchange import Exchange
from deploy.local.ports import Ports
from deploy.local.program import Program
from deploy.local.waiting import until

FOLDER: Final = Path(__file__).parent.parent / "prometheus"
PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    # Debian's name first; the projects' own archives have the other.
    "prometheus": ("prometheus",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "promtool": ("promtool",),
}
WINDOW: Final = "20s"
"""Long enough for two of RabbitMQ's own figures, which come every five seconds."""

Json = dict[str, Any]


def program(name: str) -> str | None:
    """Return where a program is, or nothing when this machine has none."""
    return next((found for one in PROGRAMS[name] if (found := shutil.which(one))), None)


@dataclass(frozen=True)
class Watching:
    """A Prometheus that watches, and the Alertmanager that it tells."""

    url: str
    _exchange: Exchange
    _targets: Path

    def look_again(self) -> None:
        """Have Prometheus ask the replicas that there are now, in place of those that there were."""
        groups = [
            {"targets": [f"127.0.0.1:{one.port}"], "labels": {"service": one.service}}
            for one in self._exchange.replicas
        ]
        new = self._targets.with_suffix(".new")
        new.write_text(json.dumps(groups))
        new.rename(self._targets)

    def ask(self, query: str) -> list[Json]:
        """Return what a query gives now. Raises `httpx.HTTPStatusError` for one that Prometheus cannot parse."""
        return list(self._get("query", query=query)["result"])

    def names(self) -> set[str]:
        """Return the names of all metrics that have come."""
        return set(self._get("label/__name__/values"))

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {one["labels"]["alertname"] for one in self._get("alerts")["alerts"] if one["state"] == "firing"}

    def _get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, trust_env=False, timeout=10)
        return answer.raise_for_status().json()["data"]


@contextmanager
def watching(folder: Path, exchange: Exchange, mail_port: int, limits: Mapping[str, str]) -> Iterator[Watching]:
    """Have both run for as long as the context lasts. `limits` are numbers in rules, and what stands in their place.

    Raises `FileNotFoundError` where the programs are missing, TimeoutError and RuntimeError as servers do.
    """
    commands = {name: program(name) for name in ("prometheus", "alertmanager")}
    for name, found in commands.items():
        if found is None:
            raise FileNotFoundError(f"no {name} on the PATH")
    ports = Ports(folder, ("prometheus", "alertmanager"))
    targets = folder / "targets.json"
    made = Watching(f"http://127.0.0.1:{ports['prometheus']}", exchange, targets)
    made.look_again()
    write_hurried(folder, exchange, ports, mail_port, limits)
    running = [
        Program([str(commands["prometheus"]), *_prometheus(folder, ports)], folder / "prometheus.log"),
        Program([str(commands["alertmanager"]), *_alertmanager(folder, ports)], folder / "alertmanager.log"),
    ]
    try:
        for one in running:
            one.start()
        until(lambda: _answer(running, ports), "Prometheus and Alertmanager start")
        yield made
    finally:
        for one in running:
            one.stop(within=10)
        ports.close()


def write_hurried(folder: Path, exchange: Exchange, ports: Ports, mail_port: int, limits: Mapping[str, str]) -> None:
    """Write both programs' files, changed as this module says."""
    (folder / "rules").mkdir(exist_ok=True)
    for path in (FOLDER / "rules").glob("*.yml"):
        (folder / "rules" / path.name).write_text(hurried(path.read_text(), limits))
    settings = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    settings["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{ports['alertmanager']}"]}]}]
    broker = str(exchange.addresses.prometheus_url).removeprefix("http://")
    for job in settings["scrape_configs"]:
        if job.pop("dns_sd_configs", None):
            job["file_sd_configs"] = [{"files": ["targets.json"], "refresh_interval": "1s"}]
            del job["relabel_configs"]
        else:
            job["static_configs"] = [{"targets": [broker]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    settings = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())
    settings["global"]["smtp_smarthost"] = f"127.0.0.1:{mail_port}"
    settings["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(settings))


def hurried(rules: str, limits: Mapping[str, str]) -> str:
    """Return rules that need not be waited for."""
    rules = re.sub(r"\bfor: \d+[ms]\b", "for: 1s", rules)
    rules = re.sub(r"\[\d+m\]", f"[{WINDOW}]", rules)
    for limit, smaller in limits.items():
        rules = re.sub(rf"\b{limit}$", smaller, rules, flags=re.MULTILINE)
    return rules


def _prometheus(folder: Path, ports: Ports) -> list[str]:
    return [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        "--log.level=warn",
    ]


def _alertmanager(folder: Path, ports: Ports) -> list[str]:
    return [
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
        "--cluster.listen-address=",
    ]


def _answer(running: list[Program], ports: Ports) -> bool:
    for one in running:
        one.check()
    try:
        return all(
            httpx.get(f"http://127.0.0.1:{ports[name]}/-/ready", trust_env=False, timeout=5).is_success
            for name in ("prometheus", "alertmanager")
        )
    except httpx.HTTPError:
        return False
