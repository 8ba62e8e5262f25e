"""One gateway for a namespace: it changes with what it serves, and with nothing else."""

from __future__ import annotations

import json
from itertools import permutations

from builders.moe_services import a_plan, a_service, only, served, settings
from hypothesis import given
from hypothesis import strategies as st

from remoe_operator.children.gateway import CONFIG_MARK, gateway
from remoe_operator.children.model_names import model_names
from remoe_operator.resource.quantity import bytes_of

MIB = 1 << 20


def made(*services, **operator):
    return gateway([served(one) for one in services], settings(**operator), "lab")


def mark(manifests):
    template = only(manifests, "Deployment")["spec"]["template"]
    return template["metadata"]["annotations"][CONFIG_MARK]


def test_nothing_is_made_where_nothing_is_served():
    assert gateway([], settings(), "lab") == ()


def test_the_order_of_services_is_of_no_matter():
    services = [a_service(name) for name in ("one", "two", "three")]
    assert len({json.dumps(made(*order)) for order in permutations(services)}) == 1


def test_a_changed_configuration_rolls_the_gateway():
    plain = mark(made(a_service()))
    assert plain == mark(made(a_service(main={"maxReplicas": 5})))
    assert plain != mark(made(a_service(slo={"ttft": "2s"})))
    assert plain != mark(made(a_service(), a_service("two")))


def test_a_changed_plan_rolls_the_gateway():
    one, two = (
        gateway([served(a_service(), plan)], settings(), "lab")
        for plan in (a_plan(), a_plan(experts_2={}))
    )
    assert mark(one) != mark(two)


def test_streams_finish_before_the_pod_is_killed():
    operator = {"gateway": {"drainSeconds": 300, "lameDuckSeconds": 10}}
    pod = only(made(a_service(), **operator), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 310


def test_further_models_may_take_more_memory():
    one, three = (
        only(gateways, "Deployment")["spec"]["template"]["spec"]["containers"][0]["resources"]
        for gateways in (made(a_service()), made(*(a_service(n) for n in ("a", "b", "c"))))
    )
    assert one["requests"] == three["requests"]
    more = bytes_of(three["limits"]["memory"]) - bytes_of(one["limits"]["memory"])
    assert more == 2 * 512 * MIB


def test_the_service_is_as_the_settings_say():
    asked = {"type": "LoadBalancer", "annotations": {"cloud": "internal"}}
    service = only(made(a_service(), gateway={"service": asked}), "Service")
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["metadata"]["annotations"] == {"cloud": "internal"}


def named(**asked):
    return model_names(
        a_service(name, model={"uri": "demo://", **({"servedName": to} if to else {})})
        for name, to in asked.items()
    )


def test_models_go_by_their_served_names():
    assert named(one="org/model", two=None) == {"one": "org/model", "two": "two"}


def test_a_name_asked_for_twice_is_given_once():
    assert named(one="llm", two="llm") == {"one": "llm", "two": "two"}


def test_nobody_takes_the_name_of_another_service():
    assert named(one="two", two="other") == {"one": "one", "two": "other"}


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([*"abcdefxyz", None])))
def test_no_two_models_have_the_same_name(asked):
    names = named(**asked)
    assert set(names) == set(asked)
    assert len(set(names.values())) == len(names)
