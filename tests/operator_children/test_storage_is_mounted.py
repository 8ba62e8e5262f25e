"""Weights are fetched once per claim and only read by parts; history is where it is recorded."""

from __future__ import annotations

import pytest
from builders.moe_services import a_service, children, only, served, settings

from remoe_operator.children.fetch_job import fetch_job, source_key
from remoe_operator.children.gateway import gateway

HUB = {"uri": "hf://org/name"}
CLAIM = {"uri": "pvc://mine/models/small"}


def mounted(manifests, name):
    """Path -> (claim, folder, whether read-only) of the claims in a pod."""
    found = [m for m in manifests if m["metadata"]["name"].startswith(name) and "spec" in m]
    pod = next(m for m in found if m["kind"] in ("Deployment", "Job"))["spec"]["template"]["spec"]
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    return {
        mount["mountPath"]: (
            claims[mount["name"]],
            mount.get("subPath", ""),
            mount.get("readOnly", False),
        )
        for mount in pod["containers"][0]["volumeMounts"]
        if mount["name"] in claims
    }


def test_a_fetched_model():
    made = children(a_service(model=HUB))
    model, history = ("demo-data", "model", True), ("demo-data", "history", False)
    assert mounted(made, "demo-fetch") == {"/data": ("demo-data", "", False)}
    assert mounted(made, "demo-main") == {"/model": model, "/history": history}
    digest = only(made, "Deployment", "demo-main")["spec"]["template"]["metadata"]["labels"]
    assert mounted(made, f"demo-{digest['remoe.dev/plan']}") == {"/model": model}
    assert mounted(made, "remoe-gateway") == {
        "/models/demo/model": model,
        "/models/demo/history": ("demo-data", "history", True),
    }


def test_a_model_on_a_claim_of_ones_own():
    made = children(a_service(model=CLAIM))
    model = ("mine", "models/small", True)
    assert mounted(made, "demo-fetch") == {"/model": model, "/data": ("demo-data", "", False)}
    assert mounted(made, "demo-main") == {
        "/model": model,
        "/history": ("demo-data", "history", False),
    }
    assert only(made, "PersistentVolumeClaim")["spec"]["resources"]["requests"] == {
        "storage": "256Mi"
    }


def test_nothing_of_ours_where_nothing_is_kept():
    made = children(a_service(model=CLAIM, history={"enabled": False}))
    assert not [one for one in made if one["kind"] == "PersistentVolumeClaim"]
    assert set(mounted(made, "demo-main")) == set(mounted(made, "demo-fetch")) == {"/model"}


def test_a_claim_as_a_whole():
    made = children(a_service(model={"uri": "pvc://mine"}))
    assert mounted(made, "demo-main")["/model"] == ("mine", "", True)


@pytest.mark.parametrize(
    ("model", "size"),
    [({"uri": "demo://"}, "4Gi"), (HUB, "50Gi"), (HUB | {"storage": {"size": "2048Mi"}}, "2Gi")],
)
def test_the_claim_is_as_large_as_asked_or_as_usual(model, size):
    claim = only(children(a_service(model=model)), "PersistentVolumeClaim")["spec"]
    assert claim["resources"]["requests"]["storage"] == size
    assert (claim["accessModes"], "storageClassName" in claim) == (["ReadWriteOnce"], False)


def test_volumes_of_several_services_in_one_gateway_stay_apart():
    both = [served(a_service(name, model=CLAIM)) for name in ("one", "two")]
    pod = gateway(both, settings(), "lab")[-1]["spec"]["template"]["spec"]
    names = [volume["name"] for volume in pod["volumes"]]
    paths = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    assert len(set(names)) == len(names)
    assert len(set(paths)) == len(paths)
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == set(names)


def test_a_missing_secret_of_keys_keeps_no_gateway_from_serving_others():
    made = gateway([served(a_service(auth={"keysSecret": "keys"}))], settings(), "lab")
    volumes = made[-1]["spec"]["template"]["spec"]["volumes"]
    (keys,) = (one["secret"] for one in volumes if one["name"] == "keys-demo")
    assert keys == {"secretName": "keys", "optional": True}


def job_name(version="1", operator=None, **sections):
    return fetch_job(a_service(**sections), operator or settings(), version)["metadata"]["name"]


def test_a_new_token_or_source_fetches_anew_and_new_settings_do_not():
    gated = {"model": HUB | {"tokenSecret": {"name": "hub"}}}
    first = job_name(**gated)
    assert first == job_name(operator=settings(clusterDomain="other"), **gated)
    assert first == job_name(**gated, main={"maxReplicas": 4})
    assert first != job_name("2", **gated)
    assert first != job_name(model=gated["model"] | {"uri": "hf://org/other"})
    assert job_name("1") == job_name("2")


def test_facts_outlive_a_new_token_and_no_new_source():
    gated = a_service(model=HUB | {"tokenSecret": {"name": "hub"}})
    assert source_key(gated) == source_key(a_service(model=HUB))
    assert source_key(gated) != source_key(a_service(model=HUB | {"revision": "v2"}))
    assert source_key(gated) != source_key(a_service(model=HUB, history={"enabled": False}))


def test_a_fault_that_lasts_ends_the_job_and_an_eviction_counts_as_no_try():
    rules = only(children(a_service()), "Job")["spec"]["podFailurePolicy"]["rules"]
    assert [rule["action"] for rule in rules] == ["Ignore", "FailJob"]
    assert rules[1]["onExitCodes"] == {
        "containerName": "fetch",
        "operator": "In",
        "values": [2],
    }
