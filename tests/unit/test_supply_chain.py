"""What images are made of is told from their locks, and known vulnerabilities are found in a database at hand."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.version import Version

from tools.audit import NoDatabaseError, advisories_in, affects, findings, main
from tools.locks import IMAGES, LOCKS, PROJECT, Locked, read
from tools.sbom import bill_of

IMAGE = pytest.mark.parametrize("image", list(IMAGES))


@pytest.mark.parametrize("lock", list(LOCKS))
def test_every_package_of_a_lock_is_read(lock: str) -> None:
    """As many as there are lines that pin one, each with a version and somebody who wants it."""
    text = LOCKS[lock].read_text()
    packages = read(LOCKS[lock])
    assert len(packages) == sum("==" in line for line in text.splitlines() if line[:1] not in ("#", " ", ""))
    assert all(one.wanted_by and str(Version(one.version)) for one in packages)
    assert {wanted for one in packages for wanted in one.wanted_by} <= {PROJECT, *(one.name for one in packages)}


def test_what_is_no_lock_is_an_error(tmp_path: Path) -> None:
    """Rather than a package that is left out."""
    (tmp_path / "lock").write_text("pydantic>=2\n")
    with pytest.raises(ValueError, match="pydantic>=2"):
        read(tmp_path / "lock")


@IMAGE
def test_an_images_bill_of_materials_is_one(image: str) -> None:
    """CycloneDX' own strict schema takes it."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill_of(image)) is None


@IMAGE
def test_an_images_bill_names_all_that_its_lock_pins(image: str) -> None:
    """Each with its version, the base image besides; and by what it is wanted, from the image on."""
    bill = json.loads(bill_of(image))
    pinned = {f"pkg:pypi/{one.name}@{one.version}" for one in read(LOCKS[image])}
    assert {one["purl"] for one in bill["components"] if "purl" in one} == pinned
    assert "python:3.13-slim" in {one["bom-ref"] for one in bill["components"]}
    graph = {one["ref"]: set(one.get("dependsOn", ())) for one in bill["dependencies"]}
    assert reached(graph, image) == pinned


def reached(graph: dict[str, set[str]], start: str) -> set[str]:
    seen, todo = set[str](), [start]
    while todo:
        new = graph.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return seen


def test_the_same_lock_gives_the_same_bill() -> None:
    """To the byte: no time is in it, and its number is the lock's."""
    assert bill_of("imi-notifier") == bill_of("imi-notifier")
    bills = [json.loads(bill_of(image)) for image in IMAGES]
    assert not any("timestamp" in bill["metadata"] for bill in bills)
    assert len({bill["serialNumber"] for bill in bills}) == len(bills)


def made_up(**changes: Any) -> dict[str, Any]:
    """An advisory about a package that the locks below have."""
    events = [{"introduced": "1.0"}, {"fixed": "1.5"}]
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    affected = {"package": {"ecosystem": "PyPI", "name": "Some_Package"}, "ranges": ranges}
    return {"id": "MADE-UP-1", "aliases": ["CVE-0000-1"], "affected": [affected]} | changes


def locked(version: str) -> dict[str, list[Locked]]:
    return {"imi-registry": [Locked("some-package", version, "", (PROJECT,))]}


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("0.9", False),
        ("1.0rc1", False),
        ("1.0", True),
        ("1.4.post1", True),
        ("1.5rc1", True),
        ("1.5", False),
        ("2", False),
    ],
)
def test_a_version_is_held_against_ranges_as_packages_order_them(version: str, affected: bool) -> None:
    """From the one that brought the fault, up to and without the one that took it away (PEP 440)."""
    found = findings([made_up()], locked(version))
    assert bool(found) == affected
    assert all(one.fixed == ("1.5",) and one.aliases == ("CVE-0000-1",) for one in found)


@pytest.mark.parametrize(
    ("events", "within", "without"),
    [
        ([{"introduced": "0"}], ["0.0.1.dev1", "99"], []),
        ([{"introduced": "0"}, {"last_affected": "2.1"}], ["2.1"], ["2.1.post1", "2.2"]),
        ([{"introduced": "0"}, {"fixed": "1"}, {"introduced": "2"}, {"fixed": "2.3"}], ["0.5", "2.2"], ["1.9", "2.3"]),
        ([{"introduced": "1"}, {"limit": "2"}], ["1.9"], ["2"]),
    ],
)
def test_events_of_a_range(events: list[dict[str, str]], within: list[str], without: list[str]) -> None:
    """All kinds that the OSV format has, in any number."""
    affected = {"ranges": [{"type": "ECOSYSTEM", "events": events}]}
    assert all(affects(affected, version) for version in within)
    assert not any(affects(affected, version) for version in without)


def test_versions_that_are_listed_count_too() -> None:
    """However they are written; what is no version of today's is no locked one."""
    affected = {"versions": ["1.0", "2013-beta~old"]}
    assert affects(affected, "1.0.0")
    assert not affects(affected, "1.1")


@pytest.mark.parametrize(
    "other",
    [
        made_up(withdrawn="2026-01-01T00:00:00Z"),
        made_up(affected=[{"package": {"ecosystem": "npm", "name": "some-package"}, "versions": ["1.2"]}]),
        made_up(affected=[{"package": {"ecosystem": "PyPI", "name": "another"}, "versions": ["1.2"]}]),
        made_up(affected=[]),
    ],
    ids=["withdrawn", "another ecosystem", "another package", "nothing"],
)
def test_what_does_not_concern_a_lock_is_no_finding(other: dict[str, Any]) -> None:
    """Though the version would be one."""
    assert findings([made_up()], locked("1.2"))
    assert not findings([other], locked("1.2"))


def test_a_locked_package_that_is_affected_fails_the_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a folder and from a zip; unless the advisory is accepted, by any of its names."""
    (package,) = (one for one in read(LOCKS["imi-registry"]) if one.name == "pydantic")
    affected = {"package": {"ecosystem": "PyPI", "name": "pydantic"}, "versions": [package.version]}
    folder, archive = tmp_path / "osv", tmp_path / "all.zip"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(made_up(affected=[affected])))
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(folder / "one.json", "one.json")
    for place in (folder, archive):
        assert main([str(place)]) == 1
        *lines, last = capsys.readouterr().out.splitlines()
        assert f"pydantic {package.version}: MADE-UP-1" in lines[0]
        assert json.loads(last) == {"audited": True, "vulnerable": 1, "accepted": 0}
    assert main([str(folder), "--accept", "CVE-0000-1"]) == 0


def test_no_database_is_no_clean_bill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither none that is named, nor an empty one, nor what is none."""
    (tmp_path / "file").write_text("{}")
    for arguments in ([], [str(tmp_path / "file")], [str(tmp_path / "missing")]):
        assert main(arguments) == 2
        assert json.loads(capsys.readouterr().out)["audited"] is False
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoDatabaseError, match="no advisory"):
        list(advisories_in(tmp_path / "empty"))
