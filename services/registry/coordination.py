"""Who stands above whom: the coordinators of a state, and what each of them is one for. Pure."""

from collections.abc import Iterable

from contracts.registry import Realm
from services.registry.authority import Authority


def covers(realm: Realm, region: str | None, area: str | None) -> bool:
    """Say whether a region's matters in an area (or, without one, in all areas) lie within a realm."""
    in_region = realm.region is None or (region or "").startswith(realm.region)
    return in_region and (realm.area is None or realm.area == area)


def above(actor: Authority, other: Authority) -> bool:
    """Say whether a coordinator that may act stands above another one: same state, a truly larger realm."""
    if actor.realm is None or other.realm is None or actor.realm == other.realm:
        return False
    return _may_act_in(actor, other.details.country) and covers(actor.realm, other.realm.region, other.realm.area)


def admits(actor: Authority, country: str, region: str | None, areas: Iterable[str], realm: Realm | None) -> bool:
    """Say whether a coordinator may let in an authority of this region, with these wishes.

    The coordinator of one area lets in those alone that ask for this area and no other. Whoever is to become a
    coordinator must stay below the one who lets it in.
    """
    if actor.realm is None or not _may_act_in(actor, country):
        return False
    if realm is not None and (realm == actor.realm or not covers(actor.realm, realm.region, realm.area)):
        return False
    wished: list[str | None] = list(areas) or [realm.area if realm else None]
    return all(covers(actor.realm, region, area) for area in wished)


def in_charge(actor: Authority, subject: Authority, validating: Authority | None) -> bool:
    """Say whether a coordinator is an authority's validating one, or one that stands above that and above itself.

    Nobody is in charge of a national coordinator: the operator appoints it, and nothing else.
    """
    if actor.id == subject.id or not _may_act_in(actor, subject.details.country) or subject.coordinator is None:
        return False
    return actor.id == subject.coordinator or (validating is not None and above(actor, validating))


def grants(actor: Authority, subject: Authority, area: str, holder: Authority | None) -> bool:
    """Say whether a coordinator may be the access coordinator of an authority in an area.

    `holder` is the present one: only itself or one above may change what it gave. A coordinator does not give access
    to itself, but a national one, which has nobody above.
    """
    if actor.realm is None or not _may_act_in(actor, subject.details.country):
        return False
    if not covers(actor.realm, subject.details.region, area):
        return False
    if actor.id == subject.id:
        return actor.kind == "national-coordinator"
    if subject.realm is not None and not above(actor, subject):
        return False
    return holder is None or holder.id == actor.id or above(actor, holder)


def _may_act_in(actor: Authority, country: str) -> bool:
    return actor.coordinates and actor.details.country == country
