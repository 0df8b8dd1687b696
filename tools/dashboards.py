"""Write `deploy/grafana/dashboards/*.json` from `deploy/grafana/source/*.yml`, laid out on Grafana's grid.

A dashboard is rows of panels. A panel asks one thing: `queries` by legend, a `unit`, a `description`, and the `limits`
at which its colour changes to orange, then red (`worse_below`: the other way round).

`python -m tools.dashboards` writes them; with `--check` it exits with 1 when what is there is something else.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

GRAFANA: Final = Path(__file__).parent.parent / "deploy" / "grafana"
FOLDER: Final = GRAFANA / "dashboards"
SOURCE: Final = GRAFANA / "source"
DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
_COLUMNS: Final = 24
_HEIGHT: Final = 8
_COLOURS: Final = ("green", "orange", "red")

Json = dict[str, Any]


def files() -> dict[Path, str]:
    """Return what each file holds."""
    sources = [yaml.safe_load(path.read_text()) for path in sorted(SOURCE.glob("*.yml"))]
    return {FOLDER / f"{one['uid']}.json": json.dumps(_dashboard(one), indent=2) + "\n" for one in sources}


def _dashboard(dashboard: Json) -> Json:
    return {
        "uid": dashboard["uid"],
        "title": dashboard["title"],
        "description": dashboard["description"],
        "tags": ["imi"],
        "timezone": "browser",
        "schemaVersion": 39,
        "editable": False,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"title": "Dashboards", "type": "dashboards", "tags": ["imi"], "asDropdown": True}],
        "templating": {"list": [_variable(name, query) for name, query in dashboard.get("variables", {}).items()]},
        "panels": list(_panels(dashboard)),
    }


def _variable(name: str, query: str) -> Json:
    return {
        "name": name,
        "label": name,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": False,
    }


def _panels(dashboard: Json) -> Iterator[Json]:
    """From left to right, row by row; the panels of a row are as wide and as high as each other."""
    number, top = 1, 0
    for row in dashboard["rows"]:
        yield {"id": number, "type": "row", "title": row["title"], "collapsed": False, **_at(0, top, _COLUMNS, 1)}
        panels, height = row["panels"], row.get("height", _HEIGHT)
        width = _COLUMNS // len(panels)
        for place, panel in enumerate(panels):
            yield {"id": number + 1 + place, **_panel(panel), **_at(place * width, top + 1, width, height)}
        number, top = number + 1 + len(panels), top + 1 + height


def _at(left: int, top: int, width: int, height: int) -> Json:
    return {"gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _panel(panel: Json) -> Json:
    kind, is_line = panel["kind"], panel["kind"] == "timeseries"
    targets = [
        {
            "refId": chr(ord("A") + place),
            "datasource": DATASOURCE,
            "expr": expr,
            "legendFormat": legend,
            **_MOMENT[is_line],
        }
        for place, (legend, expr) in enumerate(panel["queries"].items())
    ]
    lines = {"custom": {**_LINE, **(_DASHED if "limits" in panel else {})}} if is_line else {}
    limits = {"thresholds": {"mode": "absolute", "steps": _steps(panel)}}
    return {
        "type": kind,
        "title": panel["title"],
        "description": panel["description"],
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": {"unit": panel["unit"], "min": 0, **limits, **lines}, "overrides": []},
        "options": _OPTIONS[kind],
        "targets": targets,
    }


def _steps(panel: Json) -> list[Json]:
    limits = [None, *panel.get("limits", ())]
    colours = _COLOURS[: len(limits)]
    ordered = reversed(colours) if panel.get("worse_below") else colours
    return [{"color": colour, "value": value} for colour, value in zip(ordered, limits, strict=True)]


_MOMENT: Final = {True: {"range": True}, False: {"instant": True}}
_LINE: Final = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
_DASHED: Final = {"thresholdsStyle": {"mode": "dashed"}}
_REDUCED: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: Final[dict[str, Json]] = {
    "stat": {"reduceOptions": _REDUCED, "colorMode": "background", "graphMode": "none", "textMode": "auto"},
    "bargauge": {"reduceOptions": _REDUCED, "displayMode": "basic", "orientation": "horizontal"},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}


def main() -> None:
    """Write the files, or check them."""
    wanted = files()
    if "--check" in sys.argv[1:]:
        there = {path: path.read_text() for path in FOLDER.glob("*.json")}
        sys.exit(0 if there == wanted else "deploy/grafana/dashboards is stale: python -m tools.dashboards")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
