"""A pod template adds to and overrides what the operator makes, by the keys of Kubernetes."""

from __future__ import annotations

import copy

from builders.moe_services import a_plan, a_service, children, only

from remoe_operator.children.template_merge import with_template
from remoe_operator.resource.pod_template import PodTemplate

POD = {
    "metadata": {"labels": {"remoe.dev/part": "main"}},
    "spec": {
        "tolerations": [{"key": "ours"}],
        "containers": [
            {
                "name": "main",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "resources": {"limits": {"memory": "1Gi"}},
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    },
}


def merged(spec=None, **metadata):
    template = PodTemplate.model_validate({"spec": spec, "metadata": metadata})
    return with_template(POD, template)


def container(**fields):
    (only_one,) = merged({"containers": [{"name": "main", **fields}]})["spec"]["containers"]
    return only_one


def test_no_template_changes_nothing():
    assert with_template(POD, None) is POD


def test_an_empty_one_changes_nothing_either():
    assert merged({}) == POD


def test_what_is_merged_over_stays_as_it_was():
    before = copy.deepcopy(POD)
    merged({"containers": [{"name": "main", "env": [{"name": "A", "value": "9"}]}]}, labels={})
    assert before == POD


def test_environment_is_merged_by_name():
    own = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    env = container(env=[own, {"name": "C", "value": "3"}])["env"]
    assert env == [own, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}]


def test_resources_are_merged_one_by_one():
    assert container(resources={"limits": {"cpu": "2"}})["resources"] == {
        "limits": {"memory": "1Gi", "cpu": "2"}
    }


def test_mounts_are_merged_by_path():
    mounts = container(volumeMounts=[{"name": "big", "mountPath": "/tmp"}])["volumeMounts"]
    assert mounts == [{"name": "big", "mountPath": "/tmp"}]


def test_a_volume_has_one_source():
    volumes = merged({"volumes": [{"name": "tmp", "ephemeral": {}}]})["spec"]["volumes"]
    assert volumes == [{"name": "tmp", "ephemeral": {}}]


def test_tolerations_are_added():
    spec = merged({"tolerations": [{"key": "theirs"}, {"key": "ours"}]})["spec"]
    assert spec["tolerations"] == [{"key": "ours"}, {"key": "theirs"}]


def test_further_containers_come_after_ours():
    spec = merged({"containers": [{"name": "sidecar", "image": "x"}]})["spec"]
    assert [one["name"] for one in spec["containers"]] == ["main", "sidecar"]


def test_null_takes_a_field_away():
    assert "volumes" not in merged({"volumes": None})["spec"]


def test_other_lists_are_replaced():
    first = {"args": ["--ours"]} | POD
    template = PodTemplate.model_validate({"spec": {"args": ["--theirs"]}})
    assert with_template({**first, "spec": {"args": ["--ours"]}}, template)["spec"] == {
        "args": ["--theirs"]
    }


def test_labels_and_annotations_are_added_and_ours_stay():
    about = merged(labels={"team": "a", "remoe.dev/part": "b"}, annotations={"c": "d"})["metadata"]
    assert about["labels"] == {"team": "a", "remoe.dev/part": "main"}
    assert about["annotations"] == {"c": "d"}


def test_both_kinds_of_pods_take_their_own():
    sections = {
        "main": {"podTemplate": {"spec": {"nodeSelector": {"kind": "big"}}}},
        "experts": {"podTemplate": {"spec": {"nodeSelector": {"kind": "small"}}}},
    }
    plan = a_plan()
    made = children(a_service(**sections), plan)
    names = {"demo-main": "big", f"demo-{plan.digest}-experts-1": "small"}
    for name, kind in names.items():
        pod = only(made, "Deployment", name)["spec"]["template"]["spec"]
        assert pod["nodeSelector"] == {"kind": kind}
