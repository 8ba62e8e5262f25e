"""Kopf, for real, against a mock of the API server: changes knock, and nothing is written."""

from __future__ import annotations

import asyncio

import kopf
import pytest

from remoe_operator.controller.watching import kopf_settings, registry_of

SERVICES = "remoe.dev/v1alpha1/moeservices"
KINDS = (
    ("remoe.dev", "v1alpha1", "moeservices", "MoEService"),
    ("apps", "v1", "deployments", "Deployment"),
    ("batch", "v1", "jobs", "Job"),
    ("", "v1", "pods", "Pod"),
    ("", "v1", "configmaps", "ConfigMap"),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    ("", "v1", "namespaces", "Namespace"),
    ("", "v1", "events", "Event"),
)


@pytest.fixture
def cluster(kmock):
    for group, version, plural, kind in KINDS:
        kmock.resources[group, version, plural] = {
            "kind": kind,
            "namespaced": plural != "namespaces",
            "verbs": ["get", "list", "watch", "patch"],
        }
    return kmock


def service(name, **metadata):
    return {
        "apiVersion": "remoe.dev/v1alpha1",
        "kind": "MoEService",
        "metadata": {"name": name, "namespace": "n", "resourceVersion": "1", **metadata},
        "spec": {},
    }


class Watch:
    """A running watch, what it told, and whether it told its end."""

    def __init__(self, cluster):
        self.told, self.ended = [], asyncio.Event()
        self._stop = asyncio.Event()
        self._something = asyncio.Event()
        self._url = str(cluster.url)

    def knock(self, event, manifest):
        self.told.append((event, manifest["kind"], manifest["metadata"]["name"]))
        self._something.set()

    async def until(self, expected):
        async with asyncio.timeout(20):
            while expected not in self.told:
                self._something.clear()
                await self._something.wait()

    async def __aenter__(self):
        async def login(**_):
            return kopf.ConnectionInfo(server=self._url, insecure=True)

        self._task = asyncio.create_task(
            kopf.operator(
                registry=registry_of(self.knock, self.ended.set, login),
                settings=kopf_settings(),
                standalone=True,
                namespaces=["n"],
                stop_flag=self._stop,
            )
        )
        return self

    async def __aexit__(self, *_):
        self._stop.set()
        await asyncio.wait_for(self._task, 20)


async def test_services_and_children_knock_and_nothing_is_written(cluster):
    cluster.objects["remoe.dev/v1alpha1/moeservices", "n", "chat"] = service("chat")
    cluster.objects["v1/pods", "n", "p"] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "n", "resourceVersion": "1"},
    }
    async with Watch(cluster) as watch:
        await watch.until((None, "MoEService", "chat"))
        await watch.until((None, "Pod", "p"))
    assert watch.ended.is_set()
    assert not [r for r in cluster if r.method in ("PATCH", "PUT", "POST", "DELETE")]
    lists = [r for r in cluster if r.url.path.endswith("/pods") and "watch" not in r.params]
    assert lists
    assert all(
        r.params["labelSelector"] == "app.kubernetes.io/managed-by=remoe-operator" for r in lists
    )
