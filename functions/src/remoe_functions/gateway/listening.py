"""The gateway's listening socket: its own, or one that outlives it and was handed to it.

A supervisor that binds the socket itself loses nobody while no gateway runs: connections wait in
the backlog for the next gateway to accept them. What is said on them does not belong here.
"""

from __future__ import annotations

import socket

from remoe_functions.gateway.config import ConfigError

# Clients that may wait while no gateway accepts; the system's own bound may be lower.
BACKLOG = 4096


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one.

    Raises:
        ConfigError: the address cannot be had, for example because the port is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def adopt(descriptor: int) -> socket.socket:
    """The listening socket that this process inherited as `descriptor`.

    Raises:
        ConfigError: it is no such thing.
    """
    try:
        listener = socket.socket(fileno=descriptor)
    except (OSError, ValueError) as error:
        raise _no_listener(descriptor) from error
    if not _listens(listener):
        listener.close()
        raise _no_listener(descriptor)
    listener.set_inheritable(False)
    return listener


def _listens(candidate: socket.socket) -> bool:
    try:
        return candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) != 0
    except OSError:
        return False


def _no_listener(descriptor: int) -> ConfigError:
    return ConfigError(f"--listen-fd must be an inherited listening socket, got {descriptor}")
