"""Known vulnerabilities of the packages that are locked, from a database of advisories on this machine.

    python -m tools.audit ADVISORIES [--accept ID ...]

ADVISORIES is a folder of files in the OSV format (https://ossf.github.io/osv-schema/), one advisory each, or a zip of
them, as osv.dev exports them for PyPI. Nothing is asked of anybody. Ends with 1 when a locked version is affected, with
2 when there is no database to look into: that is no clean bill. The last line is the result in JSON.
"""

import argparse
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.version import InvalidVersion, Version

from tools.locks import LOCKS, Locked, normal, read

ECOSYSTEM: Final = "PyPI"
Advisory = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Finding:
    """An advisory that a locked package is affected by."""

    package: str
    version: str
    advisory: str
    aliases: tuple[str, ...]
    fixed: tuple[str, ...]
    """Versions that it is fixed in, of all branches."""
    locks: tuple[str, ...]


class NoDatabaseError(Exception):
    """There is nothing to look into. Says why."""


def advisories_in(place: Path | None) -> Iterator[Advisory]:
    """Yield what a folder or a zip holds. Raises `NoDatabaseError` when that is nothing."""
    if place is None:
        raise NoDatabaseError("name a folder or a zip of advisories in the OSV format")
    found = False
    for text in _texts(place):
        found = True
        yield json.loads(text)
    if not found:
        raise NoDatabaseError(f"no advisory in {place}")


def _texts(place: Path) -> Iterator[bytes]:
    if place.is_dir():
        yield from (file.read_bytes() for file in sorted(place.rglob("*.json")))
    elif zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            yield from (archive.read(name) for name in sorted(archive.namelist()) if name.endswith(".json"))
    else:
        raise NoDatabaseError(f"neither a folder nor a zip: {place}")


def findings(advisories: Iterable[Advisory], locks: Mapping[str, Sequence[Locked]]) -> list[Finding]:
    """Return what affects any of the locks' packages."""
    locked: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for lock, packages in locks.items():
        for one in packages:
            locked[one.name][one.version].append(lock)
    found = set[Finding]()
    for advisory in advisories:
        if "withdrawn" in advisory:
            continue
        for affected in advisory.get("affected", ()):
            found |= set(_of(advisory, affected, locked))
    return sorted(found)


def _of(advisory: Advisory, affected: Advisory, locked: Mapping[str, Mapping[str, Sequence[str]]]) -> Iterator[Finding]:
    package = affected.get("package", {})
    name = normal(package.get("name", ""))
    if package.get("ecosystem") != ECOSYSTEM or name not in locked:
        return
    for version, locks in locked[name].items():
        if affects(affected, version):
            aliases, fixed = tuple(sorted(advisory.get("aliases", ()))), tuple(_fixed(affected))
            yield Finding(name, version, advisory["id"], aliases, fixed, tuple(locks))


def affects(affected: Advisory, version: str) -> bool:
    """Say whether a version is among those listed, or in one of the ranges, as PEP 440 orders versions."""
    this = Version(version)
    listed = any(_same(this, one) for one in affected.get("versions", ()))
    ranges = (one["events"] for one in affected.get("ranges", ()) if one.get("type") == "ECOSYSTEM")
    return listed or any(_in_range(this, events) for events in ranges)


def _same(this: Version, other: str) -> bool:
    try:
        return this == Version(other)
    except InvalidVersion:
        return False  # one of before PEP 440: no lock has it


def _in_range(this: Version, events: Sequence[Mapping[str, str]]) -> bool:
    """By the events up to this version, in the order of versions: the last one says."""
    within = False
    for kind, version in sorted(_events(events), key=lambda event: event[1]):
        if kind == "introduced" and version <= this:
            within = True
        elif (kind in ("fixed", "limit") and version <= this) or (kind == "last_affected" and version < this):
            within = False
    return within


def _events(events: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, Version]]:
    for event in events:
        for kind, version in event.items():
            # "0" is before every version, a development release of 0 among them.
            yield kind, Version("0.dev0") if version == "0" else Version(version)


def _fixed(affected: Advisory) -> list[str]:
    events = [event for one in affected.get("ranges", ()) if one.get("type") == "ECOSYSTEM" for event in one["events"]]
    return [event["fixed"] for event in events if "fixed" in event]


def main(arguments: Sequence[str]) -> int:
    """Look, and say what was found."""
    options = _options(arguments)
    try:
        found = findings(advisories_in(options.advisories), {name: read(lock) for name, lock in LOCKS.items()})
    except NoDatabaseError as reason:
        print(json.dumps({"audited": False, "reason": str(reason)}))
        return 2
    open_ones = [one for one in found if not {one.advisory, *one.aliases} & set(options.accept)]
    for one in open_ones:
        remedy = f"fixed in {', '.join(one.fixed)}" if one.fixed else "not fixed"
        print(f"{one.package} {one.version}: {one.advisory} ({remedy}), in {', '.join(one.locks)}")
    print(json.dumps({"audited": True, "vulnerable": len(open_ones), "accepted": len(found) - len(open_ones)}))
    return 1 if open_ones else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.audit", description=__doc__)
    parser.add_argument("advisories", type=Path, nargs="?", help="a folder or a zip of advisories in the OSV format")
    parser.add_argument("--accept", nargs="*", default=[], help="ids of advisories that do not concern the exchange")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
