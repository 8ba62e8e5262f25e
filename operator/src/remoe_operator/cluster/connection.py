"""A connection to the API server: requests in, JSON out, errors translated once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from kubernetes.aio.client import ApiClient, ApiException, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.aio.dynamic import DynamicClient

from remoe_operator.cluster.errors import ClusterError, UnreachableError, translated
from remoe_operator.cluster.kinds import Manifest

JSON = "application/json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Connection:
    """Requests to one API server, each bounded in time.

    Kubernetes' own dynamic client does the work (sessions, tokens and their renewal); its
    discovery is left out, since all addresses are known.
    """

    def __init__(self, client: ApiClient, *, timeout_seconds: float = 30.0) -> None:
        self._client = DynamicClient(client)  # type: ignore[no-untyped-call]
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=10.0)

    async def request(
        self,
        verb: str,
        path: str,
        *,
        body: Manifest | None = None,
        query: Sequence[tuple[str, str]] = (),
        content_type: str = JSON,
    ) -> Manifest:
        """Ask once.

        Raises:
            ClusterError: refused, not there, or no answer within the time.
        """
        try:
            response = await self._client.request(
                verb,
                path,
                body=body,
                query_params=list(query),
                content_type=content_type,
                serialize=False,
                _request_timeout=self._timeout,
            )
            answer: Manifest = await response.json()
        except ApiException as error:
            raise _translated(error, f"{verb.upper()} {path}") from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            words = str(error) or type(error).__name__
            raise UnreachableError(
                f"the API server gave no answer to {verb} {path}: {words}"
            ) from error
        return answer


def _translated(error: ApiException, asked: str) -> ClusterError:
    return translated(int(error.status or 0), error.body, asked)


@asynccontextmanager
async def connected(*, timeout_seconds: float = 30.0) -> AsyncIterator[Connection]:
    """A connection as the surroundings say: a pod's service account, else KUBECONFIG.

    Raises:
        UnreachableError: neither is there, or neither can be read.
    """
    async with ApiClient(await configuration()) as client:
        yield Connection(client, timeout_seconds=timeout_seconds)


async def configuration() -> Configuration:
    """How to reach the API server from here.

    Raises:
        UnreachableError: neither a service account nor a kubeconfig is there.
    """
    found: Configuration = Configuration()
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
            load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
        else:
            await load_kube_config(client_configuration=found)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as error:
        raise UnreachableError(f"no way to an API server is known here: {error}") from error
    return found


def server_of(configuration: Configuration) -> str:
    """Its address, for logs."""
    return str(configuration.host)


def trusted_by(configuration: Configuration) -> Path | None:
    """The file with the authority that signed the API server's certificate."""
    return Path(configuration.ssl_ca_cert) if configuration.ssl_ca_cert else None
