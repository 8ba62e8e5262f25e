"""The operator's process: its options, its log, its end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from remoe_operator.cluster.errors import ClusterError
from remoe_operator.controller.operation import Options, operate
from remoe_operator.settings import Settings, SettingsError

_SETTINGS = "/etc/remoe/operator.json"


def run() -> int:
    """Look after MoEServices until told to end; the exit status says whether it was told."""
    given = _arguments()
    logging.basicConfig(
        level=given.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
    try:
        options = Options(host=given.host, port=given.port, workers=given.workers)
        asyncio.run(operate(Settings.read(Path(given.settings)), options))
    except (SettingsError, ClusterError, ValueError, OSError) as error:
        sys.stderr.write(f"remoe-operator: {error}\n")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="remoe-operator", description="Look after MoEServices until told to end."
    )
    parser.add_argument(
        "--settings",
        default=os.environ.get("REMOE_OPERATOR_SETTINGS", _SETTINGS),
        help="JSON file with images and defaults (REMOE_OPERATOR_SETTINGS)",
    )
    parser.add_argument("--host", default="0.0.0.0", help="of /health and /metrics")  # noqa: S104
    parser.add_argument("--port", type=int, default=8080, help="of /health and /metrics")
    parser.add_argument("--workers", type=int, default=4, help="services dealt with at once")
    parser.add_argument(
        "--log-level",
        default=os.environ.get("REMOE_LOG_LEVEL", "info"),
        choices=("debug", "info", "warning", "error"),
        help="of what is logged (REMOE_LOG_LEVEL)",
    )
    return parser.parse_args()
