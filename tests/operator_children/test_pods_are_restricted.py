"""Every pod passes the `restricted` standard; who weakens one does so knowingly."""

from __future__ import annotations

import pytest
from builders.moe_services import a_service, children, only, pod_specs, settings


def restricted(pod):
    """The standard's demands, as its page lists them."""
    whole = pod["securityContext"]
    volumes = ("configMap", "emptyDir", "persistentVolumeClaim", "secret", "projected")
    yield whole["runAsNonRoot"] is True
    yield whole["runAsUser"] != 0
    yield whole["seccompProfile"] == {"type": "RuntimeDefault"}
    yield not any(pod.get(field) for field in ("hostNetwork", "hostPID", "hostIPC"))
    yield all(len({*volume} & {*volumes}) == 1 for volume in pod["volumes"])
    for container in pod["containers"]:
        own = container["securityContext"]
        yield own["allowPrivilegeEscalation"] is False
        yield own["capabilities"] == {"drop": ["ALL"]}
        yield own["readOnlyRootFilesystem"] is True


SERVICES = {
    "demo": {},
    "gpu": {"main": {"device": "gpu"}},
    "claim": {"model": {"uri": "pvc://mine/path"}, "auth": {"keysSecret": "keys"}},
    "hub": {"model": {"uri": "hf://org/name", "tokenSecret": {"name": "hub"}}},
}


@pytest.mark.parametrize("sections", SERVICES.values(), ids=SERVICES)
def test_every_pod_is_restricted(sections):
    pods = pod_specs(children(a_service(**sections)))
    assert len(pods) == 4
    for pod in pods:
        assert all(restricted(pod))


def test_every_pod_can_write_to_tmp_alone_of_its_own_root():
    for pod in pod_specs(children(a_service())):
        (container,) = pod["containers"]
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_only_those_who_wake_others_get_a_token_of_the_api_server():
    pods = pod_specs(children(a_service()))
    told = {pod["containers"][0]["name"]: pod["automountServiceAccountToken"] for pod in pods}
    assert told == {"main": True, "function": False, "gateway": True, "fetch": False}


def test_security_is_weakened_knowingly_alone():
    template = {"spec": {"securityContext": {"runAsUser": 1000}}}
    made = children(a_service(main={"podTemplate": template}))
    pod = only(made, "Deployment", "demo-main")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_settings_place_every_pod():
    placed = {
        "nodeSelector": {"pool": "moe"},
        "tolerations": [{"key": "moe", "operator": "Exists"}],
        "priorityClassName": "low",
    }
    operator = settings(pods=placed, imagePullSecrets=[{"name": "registry"}])
    for pod in pod_specs(children(a_service(), operator=operator)):
        assert {name: pod[name] for name in placed} == placed
        assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_settings_that_say_nothing_leave_nothing_empty():
    for pod in pod_specs(children(a_service())):
        assert all(value not in ({}, [], "", None) for value in pod.values())
