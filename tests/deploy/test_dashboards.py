"""What Grafana is provisioned with, checked without Grafana: it takes these files at its start, and shows them."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.dashboards import FOLDER, GRAFANA, files

Json = dict[str, Any]
DASHBOARDS: dict[str, Json] = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
PANELS: dict[str, Json] = {
    f"{name}: {panel['title']}": panel
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
}
PROVISIONED: Json = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
UNITS = {"short", "s", "ops", "bytes", "percent", "percentunit", "d"}


def test_files_are_what_their_sources_say() -> None:
    """Nobody has edited one by hand, and none is left over."""
    assert {path: path.read_text() for path in FOLDER.glob("*.json")} == files()


def test_there_is_a_dashboard_for_each_question() -> None:
    """Of the exchange, of one service, of cases, of the systems: each under a uid and a title of its own."""
    assert set(DASHBOARDS) == {"imi-glance", "imi-service", "imi-cases", "imi-systems"}
    assert {one["uid"] for one in DASHBOARDS.values()} == set(DASHBOARDS)
    assert len({one["title"] for one in DASHBOARDS.values()}) == len(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_side_by_side(name: str) -> None:
    """No panel lies over another or beyond the grid's 24 columns, and each has a number of its own."""
    panels = DASHBOARDS[name]["panels"]
    taken = [
        (x, y)
        for panel in panels
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("name", PANELS)
def test_each_panel_says_what_it_shows(name: str) -> None:
    """A sentence of description, a unit, limits that rise, and queries to the source that is provisioned."""
    panel = PANELS[name]
    assert panel["description"].endswith(".")
    assert panel["targets"]
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    limits = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    assert limits[0] is None
    assert all(low <= high for low, high in pairwise(limits[1:]))
    (source,) = PROVISIONED["datasources"]
    for target in panel["targets"]:
        assert target["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("name", DASHBOARDS)
def test_variables_are_chosen_from_what_there_is(name: str) -> None:
    """Every variable of a query is one of the dashboard's, and every one of the dashboard's is used."""
    dashboard = DASHBOARDS[name]
    text = json.dumps([panel["targets"] for panel in dashboard["panels"] if "targets" in panel])
    named = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert named == {one for one in ("service", "system", "area") if f"${one}" in text}


def test_grafana_finds_the_dashboards_where_they_are_mounted() -> None:
    """The provider's folder is the one that docker-compose.yml mounts ours at."""
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/imi.yml").read_text())["providers"]
    compose = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in compose["services"]["grafana"]["volumes"]
    url = PROVISIONED["datasources"][0]["url"]
    assert url == "http://prometheus:9090"
