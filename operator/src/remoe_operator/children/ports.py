"""The ports of every part, as the images listen on them."""

from __future__ import annotations

from typing import Final

API: Final = 8000
"""Main models and gateways: HTTP, metrics included."""

CALLS: Final = 9000
"""Functions: the wire."""

FUNCTION_HTTP: Final = 9001
"""Functions: readiness, metrics, activity."""

PROGRESS: Final = 8080
"""The fetch Job: how far it is."""

HTTP_NAME, CALLS_NAME = "http", "calls"
