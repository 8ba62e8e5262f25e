"""A cluster, as the kubeconfig or a pod's service account names it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from kubernetes.stream import portforward
from yaml import YAMLError

from remoe_functions.cli.cluster.refusal import told
from remoe_functions.cli.failure import CommandError

GROUP, VERSION, PLURAL = "remoe.dev", "v1alpha1", "moeservices"
Manifest = dict[str, Any]

_SECONDS = 30.0
_QUIET_SECONDS = 86_400.0  # that a followed log may say nothing
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Cluster:
    """Requests to one API server, about one namespace; each fails with one line for the user.

    Attributes:
        namespace: the one that requests are about.
    """

    def __init__(self, configuration: client.Configuration, namespace: str) -> None:
        self.namespace = namespace
        self._address = str(configuration.host)
        self._configuration = configuration
        api = client.ApiClient(configuration)
        self._objects: Any = client.CustomObjectsApi(api)
        self._core: Any = client.CoreV1Api(api)

    @classmethod
    def current(cls, namespace: str | None = None) -> Cluster:
        """The cluster of the current context.

        Args:
            namespace: None for the context's own.

        Raises:
            CommandError: no cluster is configured.
        """
        configuration = client.Configuration()
        own = _configure(configuration)
        configuration.retries = 0  # whoever sits before the terminal tries again better
        return cls(configuration, namespace or own)

    def service(self, name: str) -> Manifest:
        """The MoEService of that name."""
        with self._told():
            found: Manifest = self._objects.get_namespaced_custom_object(
                GROUP, VERSION, self.namespace, PLURAL, name, _request_timeout=_SECONDS
            )
        return found

    def services(self, *, everywhere: bool = False) -> Sequence[Manifest]:
        """All MoEServices of the namespace, or of all namespaces."""
        with self._told():
            if everywhere:
                found = self._objects.list_cluster_custom_object(
                    GROUP, VERSION, PLURAL, _request_timeout=_SECONDS
                )
            else:
                found = self._objects.list_namespaced_custom_object(
                    GROUP, VERSION, self.namespace, PLURAL, _request_timeout=_SECONDS
                )
        items: Sequence[Manifest] = found["items"]
        return items

    def annotate(self, name: str, annotations: Mapping[str, str]) -> None:
        """Set annotations of a MoEService."""
        with self._told():
            self._objects.patch_namespaced_custom_object(
                *(GROUP, VERSION, self.namespace, PLURAL, name),
                {"metadata": {"annotations": dict(annotations)}},
                _request_timeout=_SECONDS,
            )

    def events(self, uid: str) -> Sequence[Any]:
        """Events of a MoEService, as the API keeps them; none of an earlier one of its name."""
        about = f"involvedObject.kind=MoEService,involvedObject.uid={uid}"
        with self._told():
            found = self._core.list_namespaced_event(
                self.namespace, field_selector=about, _request_timeout=_SECONDS
            )
        events: Sequence[Any] = found.items
        return events

    def pods(self, selector: str) -> Sequence[Any]:
        """Pods that a label selector chooses."""
        with self._told():
            found = self._core.list_namespaced_pod(
                self.namespace, label_selector=selector, _request_timeout=_SECONDS
            )
        pods: Sequence[Any] = found.items
        return pods

    def log(self, pod: str, *, lines: int, follow: bool, previous: bool) -> Iterator[str]:
        """Lines of a pod's log; without end where it is followed."""
        with self._told():
            response = self._core.read_namespaced_pod_log(
                pod,
                self.namespace,
                tail_lines=lines,
                follow=follow,
                previous=previous,
                _preload_content=False,
                _request_timeout=(_SECONDS, _QUIET_SECONDS if follow else _SECONDS),
            )
            try:
                for line in response:
                    yield line.decode("utf-8", "replace").rstrip("\n")
            finally:
                response.release_conn()

    def forward(self, pod: str, port: int) -> Any:  # noqa: ANN401 - the library's own socket
        """A socket whose other end is a port of a pod."""
        own: Any = client.CoreV1Api(
            client.ApiClient(self._configuration)
        )  # it is changed meanwhile
        with self._told():
            forwarded = portforward(
                own.connect_get_namespaced_pod_portforward, pod, self.namespace, ports=str(port)
            )
        return forwarded.socket(port)

    def _told(self) -> Any:  # noqa: ANN401 - a context manager
        return told(self._address, self.namespace)


def _configure(configuration: client.Configuration) -> str:
    """Fill in how the cluster is reached; gives the namespace meant where none is named."""
    kubeconfig: Any = config  # whose functions have no types
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
            kubeconfig.load_incluster_config(client_configuration=configuration)
            return _OWN_NAMESPACE.read_text("utf-8").strip()
        file = os.environ.get("KUBECONFIG") or None
        kubeconfig.load_kube_config(file, client_configuration=configuration)
        _, current = kubeconfig.list_kube_config_contexts(file)
    except (ConfigException, YAMLError) as error:
        raise CommandError(
            f"no cluster is configured here ({error}); set KUBECONFIG or make ~/.kube/config"
        ) from error
    return str(current["context"].get("namespace") or "default")
