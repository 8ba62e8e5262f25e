"""Objects are made, kept as wanted, and scaled by whoever scales them."""

from __future__ import annotations

import copy

import pytest
from builders.api_server import ApiServer

from remoe_operator.cluster.errors import ConflictError, NameTakenError, TerminatingError
from remoe_operator.cluster.kinds import CONFIG_MAP, DEPLOYMENT
from remoe_operator.cluster.objects import MANAGER, Objects, claims_replicas

LABELS = {"app.kubernetes.io/managed-by": MANAGER}
OWNER = {"kind": "MoEService", "name": "chat", "uid": "u1", "controller": True}


@pytest.fixture
def api():
    return ApiServer()


@pytest.fixture
def objects(api):
    return Objects(api)


def deployment(replicas=2, image="a:1", **meta):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "labels": LABELS} | meta,
        "spec": {"replicas": replicas, "template": {"spec": {"image": image}}},
    }


def config(**meta):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "n", "labels": LABELS} | meta,
        "data": {"a": "1"},
    }


async def test_second_time_nothing_is_written(api, objects):
    assert await objects.converge(config(), None)
    api.writes.clear()
    assert not await objects.converge(config(), await objects.get(CONFIG_MAP, "n", "c"))
    assert api.writes == []


async def test_field_that_is_no_longer_wanted_goes(objects):
    await objects.converge(config(annotations={"old": "x"}), None)
    await objects.converge(config(), await objects.get(CONFIG_MAP, "n", "c"))
    live = await objects.get(CONFIG_MAP, "n", "c")
    assert "old" not in live["metadata"]["annotations"]


async def test_deployment_begins_with_its_replicas_and_then_belongs_to_who_scales_it(api, objects):
    await objects.converge(deployment(replicas=2), None)
    live = await objects.get(DEPLOYMENT, "n", "d")
    assert live["spec"]["replicas"] == 2
    assert not claims_replicas(live)
    await objects.scale(live, 0)
    live = await objects.get(DEPLOYMENT, "n", "d")
    await objects.converge(deployment(replicas=5, image="a:2"), live)
    live = await objects.get(DEPLOYMENT, "n", "d")
    assert (live["spec"]["replicas"], live["spec"]["template"]["spec"]["image"]) == (0, "a:2")


@pytest.mark.parametrize("writes_before_the_end", [1, 2])
async def test_operator_killed_while_making_a_deployment_keeps_its_replicas(
    api, objects, writes_before_the_end
):
    class KilledError(Exception):
        pass

    whole, left = objects.apply, [writes_before_the_end]

    async def apply(*args, **kwargs):
        if not left[0]:
            raise KilledError
        left[0] -= 1
        return await whole(*args, **kwargs)

    objects.apply = apply
    with pytest.raises(KilledError):
        await objects.converge(deployment(replicas=3), None)
    again = Objects(api)
    await again.converge(deployment(replicas=3), await again.get(DEPLOYMENT, "n", "d"))
    live = await again.get(DEPLOYMENT, "n", "d")
    assert live["spec"]["replicas"] == 3
    assert not claims_replicas(live)


async def test_wake_between_two_writes_wins(api, objects):
    await objects.apply(deployment(replicas=0))
    stale = await objects.get(DEPLOYMENT, "n", "d")
    await objects.scale(stale, 1)
    await objects.converge(deployment(replicas=0), stale)
    assert (await objects.get(DEPLOYMENT, "n", "d"))["spec"]["replicas"] == 1


async def test_scaling_what_changed_meanwhile_is_refused(objects):
    await objects.converge(deployment(replicas=1), None)
    stale = await objects.get(DEPLOYMENT, "n", "d")
    await objects.scale(stale, 2)
    with pytest.raises(ConflictError):
        await objects.scale(stale, 0)
    assert (await objects.get(DEPLOYMENT, "n", "d"))["spec"]["replicas"] == 2


async def test_replicas_that_nobody_else_scales_follow_the_manifest(objects):
    await objects.converge(deployment(replicas=2), None, scaled_by_others=False)
    live = await objects.get(DEPLOYMENT, "n", "d")
    await objects.converge(deployment(replicas=3), live, scaled_by_others=False)
    live = await objects.get(DEPLOYMENT, "n", "d")
    assert live["spec"]["replicas"] == 3
    await objects.scale(live, 7)
    live = await objects.get(DEPLOYMENT, "n", "d")
    await objects.converge(deployment(replicas=4, image="b"), live, scaled_by_others=False)
    live = await objects.get(DEPLOYMENT, "n", "d")
    assert (live["spec"]["replicas"], live["spec"]["template"]["spec"]["image"]) == (7, "b")


async def test_name_that_somebody_else_has_is_not_taken(api, objects):
    api.put(config(labels={}))
    with pytest.raises(NameTakenError, match="ConfigMap c exists and is not Remoe's"):
        await objects.converge(config(), None)
    assert (await objects.get(CONFIG_MAP, "n", "c"))["metadata"]["labels"] == {}


async def test_child_of_an_earlier_service_is_waited_for(api, objects):
    api.put(config(ownerReferences=[OWNER | {"uid": "u0"}]))
    live = await objects.get(CONFIG_MAP, "n", "c")
    for known in (live, None):
        with pytest.raises(TerminatingError, match="still being deleted"):
            await objects.converge(config(ownerReferences=[OWNER]), known)


async def test_object_that_took_the_name_is_not_deleted(api, objects):
    await objects.converge(config(), None)
    stale = await objects.get(CONFIG_MAP, "n", "c")
    other = copy.deepcopy(stale)
    other["metadata"]["uid"] = "another"
    await objects.delete(other)
    assert "c" in api.all("configmaps")
    await objects.delete(stale)
    await objects.delete(stale)
    assert "c" not in api.all("configmaps")


async def test_status_is_replaced_however_deep(api, objects):
    api.put(
        {
            "apiVersion": "remoe.dev/v1alpha1",
            "kind": "MoEService",
            "metadata": {"name": "s", "namespace": "n"},
            "status": {"plan": {"a": 1, "b": 2}, "gone": 1, "list": [1]},
        }
    )
    live = api.objects["moeservices", "n", "s"]
    await objects.write_status(live, {"plan": {"b": 3}, "list": [2]})
    assert api.objects["moeservices", "n", "s"]["status"] == {"plan": {"b": 3}, "list": [2]}
