"""The gateway's process from its options to its exit status."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from pathlib import Path

import uvloop

from remoe_functions.gateway.composition import FUNCTION_TOKEN, Gateway
from remoe_functions.gateway.config import ConfigError, GatewayConfig
from remoe_functions.gateway.keys import KeyRing
from remoe_functions.gateway.listening import adopt, listen
from remoe_functions.gateway.runtimes import runtimes_for
from remoe_functions.gateway.server import GatewayServer
from remoe_functions.runtime.tether import Tether

_EXIT_MISCONFIGURED = 2


def run(arguments: list[str]) -> int:
    """Be the gateway until SIGTERM; returns the process's exit status."""
    tether = Tether.from_environment()
    tether.phase("imports")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        options = _parser().parse_args(arguments)
        config = GatewayConfig.read(options.config)
        uvloop.run(_serve(config, _listener(config, options.listen_fd), tether))
    except ConfigError as error:
        sys.stderr.write(f"remoe gateway: {error}\n")
        return _EXIT_MISCONFIGURED
    finally:
        tether.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m remoe_functions.gateway",
        description="The front door of Remoe: OpenAI's API before a main model and its functions.",
        epilog="Secrets come by environment: REMOE_API_KEYS (JSON, name -> key), "
        "REMOE_FUNCTION_TOKEN; or as files that the configuration names. REMOE_CONTROL names the "
        "runtime's socket, where the configuration names no cluster.",
    )
    parser.add_argument("--config", type=Path, required=True, help="JSON file (GatewayConfig)")
    parser.add_argument(
        "--listen-fd",
        type=int,
        metavar="N",
        help="inherited listening socket, instead of one bound to the configuration's address",
    )
    return parser


def _listener(config: GatewayConfig, descriptor: int | None) -> socket.socket:
    return listen(config.host, config.port) if descriptor is None else adopt(descriptor)


async def _serve(config: GatewayConfig, listener: socket.socket, tether: Tether) -> None:
    gateway = Gateway.build(
        config,
        runtimes_for(config),
        keys=KeyRing.from_environment(),
        token=os.environ.get(FUNCTION_TOKEN, ""),
    )
    tether.phase("load")

    def tell() -> None:
        tether.phase("listen")
        tether.ready(*listener.getsockname()[:2])
        tether.beat(lambda: (gateway.drain.in_flight, 0.0))

    server = GatewayServer(gateway.app, config.limits, gateway.drain, on_started=tell)
    await server.serve(sockets=[listener])
