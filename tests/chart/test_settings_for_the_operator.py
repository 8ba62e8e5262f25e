"""The file that the chart writes is the file that the operator reads."""

import pytest
from builders.chart import NAMESPACE, one, rendered

from remoe_operator.settings import ImageKey, Settings

RICH = {
    "global__imageRegistry": "registry.example.com/mirror/",
    "imagePullSecrets": [{"name": "pull"}],
    "image__main__tag": "sha256:" + "0" * 64,
    "image__expert__pullPolicy": "Always",
    "watchNamespaces": ["team-a", "team-b"],
    "clusterDomain": "example.internal",
    "gateway__replicas": 3,
    "gateway__service__type": "LoadBalancer",
    "gateway__service__annotations": {"example.com/internal": "true"},
    "gateway__resources__limits": {"cpu": 2, "memory": "2Gi"},
    "gateway__drainSeconds": 20,
    "gateway__url": "https://{namespace}.llm.example.com/v1",
    "pods__nodeSelector": {"disk": "fast"},
    "pods__tolerations": [{"key": "gpu", "operator": "Exists"}],
    "pods__priorityClassName": "high",
    "networkPolicy__enabled": False,
    "networkPolicy__metricsFrom": [{"namespaceSelector": {}}],
}


def settings(**values):
    manifest = one(rendered(**values), "ConfigMap", "remoe-operator")
    return Settings.from_json(manifest["data"]["operator.json"])


def test_what_the_chart_says_by_itself_is_read():
    read = settings()
    assert {read.image(key).image for key in ImageKey} == {f"remoe/{key}:0.1.0" for key in ImageKey}
    assert read.operator_namespace == NAMESPACE
    assert read.watch_namespaces == ()


def test_every_value_reaches_the_operator():
    read = settings(**RICH)
    assert read.image(ImageKey.GATEWAY).image == "registry.example.com/mirror/remoe/gateway:0.1.0"
    assert read.image(ImageKey.MAIN).image.endswith("/remoe/main@sha256:" + "0" * 64)
    assert read.image(ImageKey.EXPERT).pull_policy == "Always"
    assert [secret.name for secret in read.image_pull_secrets] == ["pull"]
    assert read.watch_namespaces == ("team-a", "team-b")
    assert read.cluster_domain == "example.internal"
    assert (read.gateway.replicas, read.gateway.drain_seconds) == (3, 20)
    assert read.gateway.resources.limits == {"cpu": "2", "memory": "2Gi"}
    assert read.gateway.service.type == "LoadBalancer"
    assert read.gateway.service.annotations == {"example.com/internal": "true"}
    assert read.gateway.url == "https://{namespace}.llm.example.com/v1"
    assert read.pods.node_selector == {"disk": "fast"}
    assert read.pods.tolerations == ({"key": "gpu", "operator": "Exists"},)
    assert read.pods.priority_class_name == "high"
    assert not read.network_policy.enabled
    assert read.network_policy.metrics_from == ({"namespaceSelector": {}},)


@pytest.mark.parametrize("values", [{}, RICH], ids=["default", "rich"])
def test_the_chart_leaves_no_setting_to_chance(values):
    read = settings(**values)
    said = {name for name in Settings.model_fields if name in read.model_fields_set}
    assert said == set(Settings.model_fields)


def test_the_chart_agrees_with_what_the_operator_does_unasked():
    read = settings()
    for section in ("gateway", "fetch", "pods", "network_policy", "cluster_domain"):
        assert getattr(read, section) == Settings.model_fields[section].default, section


def test_changed_settings_start_the_operator_anew():
    before, after = (one(rendered(**v), "Deployment") for v in ({}, {"gateway__replicas": 3}))
    assert checksum(before) != checksum(after)
    assert checksum(before) == checksum(one(rendered(operator__podLabels={"a": "b"}), "Deployment"))


def checksum(deployment):
    return deployment["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
