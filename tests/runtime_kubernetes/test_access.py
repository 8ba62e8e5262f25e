"""Where the cluster is and what proves who asks: from a pod's own files, or from a kubeconfig."""

from __future__ import annotations

import json

import pytest

from remoe_functions.runtime.errors import RuntimeUnavailable
from remoe_functions.runtime.kubernetes.access import Access
from remoe_functions.runtime.kubernetes.runtime import KubernetesRuntime


def kubeconfig(folder, user=None, **cluster):
    body = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:8001/", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "config"
    path.write_text(json.dumps(body))
    return path


def token_of(access):
    request = access.auth and next(access.auth.auth_flow(type("R", (), {"headers": {}})()))
    return request and request.headers["Authorization"]


def test_kubeconfig_tells_server_and_token(tmp_path):
    access = Access.found({"KUBECONFIG": f"/nowhere:{kubeconfig(tmp_path, {'token': 't'})}"})
    assert access.url == "http://127.0.0.1:8001"
    assert token_of(access) == "Bearer t"


def test_user_without_secrets_shows_none(tmp_path):
    assert token_of(Access.of_kubeconfig(kubeconfig(tmp_path))) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be used"),
        ("[]", "cannot be used"),
        ("current-context: x\ncontexts: []", "names 'x' and does not say"),
        ("current-context: x", "contexts"),
    ],
)
def test_kubeconfig_that_is_none_is_told(tmp_path, text, words):
    (tmp_path / "config").write_text(text)
    with pytest.raises(RuntimeUnavailable, match=words):
        Access.of_kubeconfig(tmp_path / "config")


def test_credentials_by_a_program_are_refused_with_a_way_out(tmp_path):
    with pytest.raises(RuntimeUnavailable, match="kubectl proxy"):
        Access.of_kubeconfig(kubeconfig(tmp_path, {"exec": {"command": "aws"}}))


def test_no_cluster_at_all_is_told(tmp_path):
    with pytest.raises(RuntimeUnavailable, match="no cluster to talk to"):
        Access.found({"KUBECONFIG": str(tmp_path / "none")})


def test_pod_without_its_account_s_certificate_is_told(tmp_path):
    with pytest.raises(RuntimeUnavailable, match=r"ca\.crt cannot be used"):
        Access.in_cluster({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path)


async def test_token_that_is_replaced_is_shown_from_then_on(world, tmp_path):
    file = tmp_path / "token"
    file.write_text("old\n")
    access = Access(url=world.cluster.access.url, token_file=file)
    world.cluster.deploy("main")
    runtime = world.runtime(access=access)
    await runtime.scale("main", 1)
    file.write_text("new\n")
    await runtime.scale("main", 2)
    file.unlink()
    await runtime.scale("main", 3)
    assert list(dict.fromkeys(world.cluster.tokens)) == ["Bearer old", "Bearer new"]


@pytest.mark.parametrize("missing", ["REMOE_NAMESPACE", "REMOE_SERVICE", "REMOE_PLAN"])
def test_environment_that_does_not_name_the_service_is_told(missing, tmp_path):
    names = {"REMOE_NAMESPACE": "ns", "REMOE_SERVICE": "demo", "REMOE_PLAN": "0123abcd"}
    with pytest.raises(RuntimeUnavailable, match=f"{missing} must be set"):
        KubernetesRuntime.from_environment(names | {missing: ""})
