"""The way from this machine to a Service: straight to it where that works, else by port-forward.

Not by the API server's proxy: it keeps the Authorization header, and the API key in it, to itself.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import subprocess

START_SECONDS = 20.0
CONNECT_SECONDS = 2.0


@contextlib.contextmanager
def reached(kubectl, service, port=80):
    """`host:port` that leads to the Service, while the context is open."""
    address = kubectl.get("service", service)["spec"]["clusterIP"]
    if _connects(address, port):
        yield f"{address}:{port}"
        return
    with _forwarded(kubectl.namespace, f"service/{service}", port) as local:
        yield f"127.0.0.1:{local}"


def _connects(address, port):
    try:
        socket.create_connection((address, port), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _forwarded(namespace, target, port):
    """A local port that kubectl forwards to a pod of the target."""
    command = ["kubectl", "--namespace", namespace, "port-forward", target, f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as forward:
        try:
            yield _local_port(forward)
        finally:
            forward.terminate()


def _local_port(forward):
    said = b""
    while select.select([forward.stdout], [], [], START_SECONDS)[0]:
        line = forward.stdout.readline()
        if found := re.match(rb"Forwarding from 127\.0\.0\.1:(\d+)", line):
            return int(found[1])
        said += line
        if not line:
            break
    raise OSError(f"kubectl port-forward opened no port: {said.decode()}")
