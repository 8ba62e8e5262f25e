"""Annotations by which a Prometheus that reads annotated pods finds a part's metrics."""

from __future__ import annotations


def scraped(port: int) -> dict[str, str]:
    """Of a pod with metrics on this port."""
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port),
        "prometheus.io/path": "/metrics",
    }
