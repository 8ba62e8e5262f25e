"""What is rendered is what Kubernetes takes, safe by default, and changes only on purpose."""

import os
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from builders.chart import NAMESPACE, one, rendered

ALL = {
    "imagePullSecrets": [{"name": "pull"}],
    "operator__extraEnv": [{"name": "A", "value": "b"}],
    "operator__nodeSelector": {"disk": "fast"},
    "operator__tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "operator__affinity": {"nodeAffinity": {}},
    "operator__topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "operator__priorityClassName": "high",
    "operator__podLabels": {"team": "a"},
    "operator__podAnnotations": {"note": "b"},
    "serviceAccount__annotations": {"role": "c"},
    "networkPolicy__metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    "monitoring__podMonitor__enabled": True,
    "monitoring__podMonitor__labels": {"release": "prometheus"},
    "monitoring__dashboard__enabled": True,
    "monitoring__rules__enabled": True,
    "test__keySecret__name": "keys",
}
NAMESPACED = {"watchNamespaces": ["team-a", "team-b"], "crds__install": False}
WAYS = {"default": {}, "all": ALL, "namespaced": NAMESPACED}
FOREIGN = "monitoring.coreos.com/v1"
KEPT = Path(__file__).parent / "rendered/default.yaml"


@pytest.mark.parametrize("version", ["1.30", "1.34"])
@pytest.mark.parametrize("way", WAYS)
def test_every_manifest_is_one_that_kubernetes_knows(way, version):
    for manifest in rendered(**WAYS[way]):
        if manifest["apiVersion"] != FOREIGN:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("way", WAYS)
def test_every_object_says_whose_it_is(way):
    for manifest in rendered(**WAYS[way]):
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "remoe"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"


def pods(manifests):
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield manifest["spec"]
        elif manifest["kind"] == "Deployment":
            yield manifest["spec"]["template"]["spec"]


@pytest.mark.parametrize("way", WAYS)
def test_every_pod_keeps_to_the_restricted_standard(way):
    found = list(pods(rendered(**WAYS[way])))
    assert len(found) == 2
    for pod in found:
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert {kind for volume in pod["volumes"] for kind in volume} <= {
            "name",
            "emptyDir",
            "configMap",
        }
        for container in pod["containers"]:
            inner = container["securityContext"]
            assert inner["allowPrivilegeEscalation"] is False
            assert inner["readOnlyRootFilesystem"] is True
            assert inner["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_one_operator_at_a_time():
    spec = one(rendered(), "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_only_the_operator_has_a_token():
    assert one(rendered(), "ServiceAccount")["automountServiceAccountToken"] is False
    operator, test = (
        one(rendered(), "Deployment")["spec"]["template"]["spec"],
        one(rendered(), "Pod")["spec"],
    )
    assert operator["automountServiceAccountToken"] is True
    assert test["automountServiceAccountToken"] is False


def test_the_service_and_the_fence_find_the_operators_pod():
    made = rendered()
    labels = one(made, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        one(made, "Service")["spec"]["selector"],
        one(made, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        one(made, "Deployment")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()


def test_whoever_may_read_metrics_is_said_and_helm_test_stays_let_in():
    peers = one(rendered(**ALL), "NetworkPolicy")["spec"]["ingress"][0]["from"]
    assert ALL["networkPolicy__metricsFrom"][0] in peers
    test = one(rendered(**ALL), "Pod")["metadata"]["labels"]
    selectors = [peer["podSelector"]["matchLabels"] for peer in peers if "podSelector" in peer]
    assert any(selector.items() <= test.items() for selector in selectors)


def test_the_operator_reaches_its_api_server_on_any_port_that_is_named():
    (rule, *_) = one(rendered(networkPolicy__apiServerPorts=[16443]), "NetworkPolicy")["spec"][
        "egress"
    ]
    assert rule == {"ports": [{"port": 16443}]}


def test_where_monitors_and_rules_are_not_asked_for_there_are_none():
    assert FOREIGN not in {manifest["apiVersion"] for manifest in rendered()}


def test_names_follow_the_release():
    deployment = one(rendered(fullnameOverride="other"), "Deployment")
    assert deployment["metadata"]["name"] == "other-operator"
    assert deployment["metadata"]["namespace"] == NAMESPACE


def test_what_is_rendered_by_default_changed_only_on_purpose():
    shown = [m for m in rendered() if m["kind"] != "CustomResourceDefinition"]
    text = yaml.safe_dump_all(shown, sort_keys=True, width=100)
    if os.environ.get("UPDATE_RENDERED"):
        KEPT.write_text(text)
    assert text == KEPT.read_text(), "if meant: UPDATE_RENDERED=1 pytest tests/chart"
