"""Translation tells casework again which areas are published, when casework's copy of them is not the same."""

from typing import cast

import pytest

from contracts.directory import Compare, Tally
from contracts.translation import AreaPublished, AreaRules
from services.chassis.bus import Outgoing
from services.chassis.copies import tally_of
from services.chassis.feed import Feed
from services.translation.again import AreasAgain
from services.translation.store import Store
from tests.unit.samples import rules

PUBLISHED = ["diplomas/1", "diplomas/2", "posting-of-workers/10"]


class Published:
    """Translation's store, and the feed by which it tells."""

    def __init__(self) -> None:
        self.said: list[Outgoing] = []

    async def published(self) -> list[str]:
        """Every version."""
        return PUBLISHED

    async def rules(self, area: str, version: int) -> AreaRules | None:
        """The same of all."""
        assert f"{area}/{version}" in PUBLISHED
        return rules()

    async def publish(self, message: Outgoing) -> None:
        """Note it."""
        self.said.append(message)


async def told(areas: Tally | None) -> list[Outgoing]:
    """What casework, which has so many versions, is told."""
    here = Published()
    compare = Compare(service="casework", authorities={}, systems=Tally(count=0, versions=0), areas=areas)
    await AreasAgain(cast("Store", here), cast("Feed", here)).compare(compare)
    return here.said


@pytest.mark.parametrize(
    "areas", [Tally(count=0, versions=0), tally_of(PUBLISHED[:2]), tally_of([*PUBLISHED, "more/1"])]
)
async def test_a_copy_that_lacks_something_is_told_of_every_version(areas: Tally) -> None:
    """Also where it has more than is here: that can hide what it lacks. The earliest version of an area comes first."""
    said = await told(areas)
    events = [AreaPublished.model_validate_json(one.body) for one in said]
    assert [(one.area, one.version) for one in events] == [
        ("diplomas", 1),
        ("diplomas", 2),
        ("posting-of-workers", 10),
    ]
    assert {one.routing_key for one in said} == {"replay.casework"}
    assert {event.rules for event in events} == {rules()}


@pytest.mark.parametrize("areas", [None, tally_of(PUBLISHED)], ids=["says nothing of areas", "has them all"])
async def test_a_copy_that_is_whole_is_told_nothing(areas: Tally | None) -> None:
    """Nor is casework of the release before, which says nothing of areas."""
    assert await told(areas) == []
