"""A local address whose other end is a gateway in the cluster: the API server carries the bytes.

The API server's HTTP proxy would not do: it keeps the Authorization header, and with it the
gateway's key, to itself.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

from remoe_functions.cli.cluster.connection import Cluster
from remoe_functions.cli.failure import CommandError

GATEWAYS = "app.kubernetes.io/name=remoe,app.kubernetes.io/component=gateway"
_PORT = 8000
_CHUNK = 65_536


@contextmanager
def tunnel(cluster: Cluster) -> Iterator[str]:
    """The base address of the namespace's gateway, as long as the context lasts.

    Each connection goes to a gateway that is ready then.

    Raises:
        CommandError: no gateway is ready.
    """
    ready_gateway(cluster)

    class Carrier(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, CommandError):
                _carry(self.request, cluster.forward(ready_gateway(cluster), _PORT))

    with ThreadingTCPServer(("127.0.0.1", 0), Carrier) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def ready_gateway(cluster: Cluster) -> str:
    """The name of a gateway pod that takes requests.

    Raises:
        CommandError: none does.
    """
    pods = cluster.pods(GATEWAYS)
    for pod in pods:
        if _is_ready(pod):
            return str(pod.metadata.name)
    state = f"{len(pods)} of its pods start or fail" if pods else "it has no pods"
    raise CommandError(
        f"no gateway is ready in namespace {cluster.namespace}: {state}; see `remoe status`"
    )


def _is_ready(pod: Any) -> bool:  # noqa: ANN401 - the client library's pod
    conditions = pod.status.conditions or ()
    return pod.metadata.deletion_timestamp is None and any(
        condition.type == "Ready" and condition.status == "True" for condition in conditions
    )


def _carry(near: socket.socket, far: Any) -> None:  # noqa: ANN401 - the library's own socket
    """Bytes both ways, until either side has no more."""
    back = Thread(target=_pump, args=(far, near), daemon=True)
    back.start()
    _pump(near, far)
    back.join()
    far.close()


def _pump(source: Any, sink: Any) -> None:  # noqa: ANN401 - sockets of two kinds
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
