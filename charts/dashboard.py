"""The Grafana dashboard, laid out. What it shows is in `rows.py`; `generate.py` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from panels import Panel
from rows import ROWS

_DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS, _HEIGHT = 3, 8


def dashboard() -> dict[str, Any]:
    """The whole dashboard, in Grafana's JSON."""
    return {
        "uid": "remoe",
        "title": "Remoe",
        "tags": ["remoe", "llm"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": list(_laid_out()),
    }


def _variables() -> list[dict[str, Any]]:
    source = {
        "name": "datasource",
        "type": "datasource",
        "query": "prometheus",
        "label": "Data source",
    }
    asked = (
        ("namespace", "label_values(llm_total_hourly_cost, namespace)"),
        ("model", 'label_values(llm_total_hourly_cost{namespace=~"$namespace"}, model_name)'),
    )
    return [source] + [
        {
            "name": name,
            "type": "query",
            "label": name.capitalize(),
            "datasource": _DATA_SOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }
        for name, query in asked
    ]


def _laid_out() -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for title, panels in ROWS:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
        }
        for place, panel in enumerate(panels):
            number += 1
            row, column = divmod(place, _COLUMNS)
            width = 24 // _COLUMNS
            box = {"x": column * width, "y": y + 1 + row * _HEIGHT, "w": width, "h": _HEIGHT}
            yield _graph(panel, number, box)
        y += 1 + -(-len(panels) // _COLUMNS) * _HEIGHT


def _graph(panel: Panel, number: int, box: dict[str, int]) -> dict[str, Any]:
    drawn = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    if panel.stacked:
        drawn["stacking"] = {"mode": "normal"}
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": _DATA_SOURCE,
        "gridPos": box,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": drawn},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "expr": query.expression,
                "legendFormat": query.legend,
                "datasource": _DATA_SOURCE,
            }
            for place, query in enumerate(panel.queries)
        ],
    }
