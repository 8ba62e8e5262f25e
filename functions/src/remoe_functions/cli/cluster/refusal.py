"""What the API server refuses, in words for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from remoe_functions.cli.failure import CommandError

_NO_SUCH = re.compile(r'moeservices\.remoe\.dev "(?P<name>[^"]+)" not found')
_RIGHT = re.compile(r'cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"')


@contextmanager
def told(address: str, namespace: str) -> Iterator[None]:
    """Raise `CommandError`, with one line for the user, in place of the client library's errors."""
    try:
        yield
    except ApiException as error:
        raise CommandError(_words(error, address, namespace)) from error
    except HTTPError as error:
        raise CommandError(
            f"the cluster at {address} cannot be reached ({_cause(error)}); "
            "see `kubectl cluster-info`"
        ) from error


def _words(error: ApiException, address: str, namespace: str) -> str:
    message = _message(error)
    if error.status == HTTPStatus.NOT_FOUND:
        return _of_missing(message, address, namespace)
    if error.status == HTTPStatus.FORBIDDEN:
        right = _RIGHT.search(message)
        what = f"{right['verb']} {right['resource']}" if right else "do this"
        return f"you may not {what} in namespace {namespace}: {message}"
    if error.status == HTTPStatus.UNAUTHORIZED:
        return f"the cluster at {address} does not accept the kubeconfig's credentials"
    if error.status == HTTPStatus.BAD_REQUEST:
        return message
    return f"the cluster at {address} answered {error.status}: {message}"


def _of_missing(message: str, address: str, namespace: str) -> str:
    service = _NO_SUCH.search(message)
    if service is not None:
        name = service["name"]
        return f"no MoEService {name} in namespace {namespace}; see `remoe status --all-namespaces`"
    if "page not found" in message:
        return f"the cluster at {address} does not know MoEServices: install the chart first"
    return message


def _message(error: ApiException) -> str:
    body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else error.body
    try:
        return str(json.loads(body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return str(body or error.reason or "no reason given").strip()


def _cause(error: HTTPError) -> str:
    """The innermost reason, without the library's own names."""
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2]
