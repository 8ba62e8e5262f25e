"""Network policies, rights and Services: each part is reached by those that need it."""

from __future__ import annotations

from builders.moe_services import a_plan, a_service, children, only, settings

from remoe_operator.children.gateway import gateway_url

MONITORING = {"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}
FENCED = {"networkPolicy": {"metricsFrom": [MONITORING]}, "operatorNamespace": "remoe-system"}
OPERATOR = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "remoe-system"}},
    "podSelector": {
        "matchLabels": {
            "app.kubernetes.io/name": "remoe",
            "app.kubernetes.io/component": "operator",
        }
    },
}
GATEWAY = {
    "podSelector": {
        "matchLabels": {
            "app.kubernetes.io/name": "remoe",
            "app.kubernetes.io/component": "gateway",
        }
    }
}
MAIN = {"podSelector": {"matchLabels": {"remoe.dev/service": "demo", "remoe.dev/part": "main"}}}


def policy(name, **operator):
    return only(children(a_service(), operator=settings(**operator)), "NetworkPolicy", name)["spec"]


def who(spec):
    """Port -> peers; None for everybody."""
    return {rule["ports"][0]["port"]: rule.get("from") for rule in spec["ingress"]}


def test_functions_are_called_by_their_main_model_alone_and_call_nobody():
    spec = policy("demo-function", **FENCED)
    assert who(spec) == {9000: [MAIN], 9001: [MAIN, GATEWAY, OPERATOR, MONITORING]}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in spec


def test_main_is_reached_by_its_gateway_and_those_who_watch():
    assert who(policy("demo-main", **FENCED)) == {8000: [GATEWAY, OPERATOR, MONITORING]}


def test_metrics_are_open_to_the_cluster_where_nobody_is_named():
    everybody = [{"namespaceSelector": {}}]
    assert who(policy("demo-main")) == {8000: everybody}
    assert who(policy("demo-function")) == {9000: [MAIN], 9001: everybody}


def test_the_fetch_job_is_asked_by_the_operator_alone():
    assert who(policy("demo-fetch", **FENCED)) == {8080: [OPERATOR]}


def test_the_gateway_is_open():
    assert who(policy("remoe-gateway", **FENCED)) == {8000: None}


def test_there_are_no_fences_where_none_are_wanted():
    made = children(a_service(), operator=settings(networkPolicy={"enabled": False}))
    assert not [one for one in made if one["kind"] == "NetworkPolicy"]


def selected(labels, pods):
    return labels.items() <= pods.items()


def test_services_find_the_pods_of_their_own_deployment_and_no_others():
    plan = a_plan(experts_1={}, experts_2={})
    made = children(a_service(), plan)
    pods = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in made
        if one["kind"] == "Deployment"
    }
    for service in (one for one in made if one["kind"] == "Service"):
        found = [n for n, own in pods.items() if selected(service["spec"]["selector"], own)]
        assert found == [service["metadata"]["name"]]


def test_deployments_find_the_pods_of_their_own():
    made = [one for one in children(a_service()) if one["kind"] == "Deployment"]
    for one in made:
        template = one["spec"]["template"]["metadata"]["labels"]
        assert selected(one["spec"]["selector"]["matchLabels"], template)


def test_policies_and_budgets_find_the_pods_that_they_are_about():
    made = children(a_service())
    pods = [
        m["spec"]["template"]["metadata"]["labels"] for m in made if "template" in m.get("spec", {})
    ]
    for one in made:
        if one["kind"] in ("NetworkPolicy", "PodDisruptionBudget"):
            spec = one["spec"]
            labels = spec.get("podSelector", spec.get("selector"))["matchLabels"]
            assert len([own for own in pods if selected(labels, own)]) == 1


def test_endpoints_are_found_by_service_part_and_plan():
    plan = a_plan()
    made = only(children(a_service(), plan), "Service", f"demo-{plan.digest}-experts-1")
    assert made["metadata"]["labels"]["remoe.dev/plan"] == plan.digest
    assert made["metadata"]["labels"]["remoe.dev/part"] == "experts-1"
    assert made["spec"]["clusterIP"] == "None"
    assert {port["name"]: port["port"] for port in made["spec"]["ports"]} == {
        "calls": 9000,
        "http": 9001,
    }


def test_waking_takes_no_right_but_on_scales():
    for role in (one for one in children(a_service()) if one["kind"] == "Role"):
        writes = {
            resource
            for rule in role["rules"]
            for resource in rule["resources"]
            if set(rule["verbs"]) - {"get", "list", "watch"}
        }
        assert writes == {"deployments/scale"}


def test_a_lone_pod_never_holds_a_drain_up():
    def budgets(**sections):
        made = children(a_service(**sections), operator=settings(gateway={"replicas": 1}))
        return [one["spec"] for one in made if one["kind"] == "PodDisruptionBudget"]

    assert all(one["maxUnavailable"] == 1 for one in budgets())
    kept = budgets(main={"minReplicas": 2, "maxReplicas": 2})
    assert [one.get("minAvailable") for one in kept] == [1, None]


def test_the_address_that_clients_use():
    assert gateway_url("lab", settings()) == "http://remoe-gateway.lab.svc.cluster.local/v1"
    for url in ("https://ai.example.com/{namespace}", "https://ai.example.com/{namespace}/v1/"):
        given = settings(gateway={"url": url})
        assert gateway_url("lab", given) == "https://ai.example.com/lab/v1"


def test_metrics_are_said_to_be_where_they_are():
    for one in children(a_service()):
        if one["kind"] == "Deployment":
            template = one["spec"]["template"]
            (container,) = template["spec"]["containers"]
            port = int(template["metadata"]["annotations"]["prometheus.io/port"])
            assert {"name": "http", "containerPort": port, "protocol": "TCP"} in container["ports"]
