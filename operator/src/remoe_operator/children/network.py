"""Who may reach which part: functions their main model alone, main models their gateway.

Metrics are numbers only, and open to all pods of the cluster unless the settings name who reads
them. A main model's metrics are on the port of its API, which asks for the service's token anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remoe_operator.children import names, ports
from remoe_operator.children.labels import (
    COMPONENT,
    MAIN_PART,
    NAME,
    PART,
    SERVICE,
    Component,
    of_gateway,
)
from remoe_operator.children.manifest import Manifest, head, owned
from remoe_operator.children.service import Service
from remoe_operator.settings import Settings

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_POLICY = "NetworkPolicy"


def fences(service: Service, settings: Settings) -> tuple[Manifest, ...]:
    """The policies of a service's own pods; none where the settings want none."""
    if not settings.network_policy.enabled:
        return ()
    return _main(service, settings), _functions(service, settings), _fetch(service, settings)


def gateway_fence(
    namespace: str, settings: Settings, owners: Sequence[Manifest]
) -> tuple[Manifest, ...]:
    """The gateway takes requests from everywhere, on its one port."""
    if not settings.network_policy.enabled:
        return ()
    made = head(_POLICY, names.GATEWAY, namespace, labels=of_gateway(), owners=owners)
    return (made | _ingress(_gateway_pods(), _from((), ports.API)),)


def _main(service: Service, settings: Settings) -> Manifest:
    made = owned(service, _POLICY, names.main(service.name), Component.MAIN)
    peers = _readers(settings, {"podSelector": {"matchLabels": _gateway_pods()}})
    return made | _ingress(_main_pods(service), _from(peers, ports.API))


def _functions(service: Service, settings: Settings) -> Manifest:
    """Functions call nobody: not even names are looked up."""
    made = owned(service, _POLICY, names.functions(service.name), Component.FUNCTION)
    main = {"podSelector": {"matchLabels": _main_pods(service)}}
    fence = _ingress(
        {SERVICE: service.name, COMPONENT: Component.FUNCTION.value},
        _from((main,), ports.CALLS),
        _from(
            _readers(settings, main, {"podSelector": {"matchLabels": _gateway_pods()}}),
            ports.FUNCTION_HTTP,
        ),
    )
    fence["spec"]["policyTypes"] = ["Ingress", "Egress"]
    return made | fence


def _fetch(service: Service, settings: Settings) -> Manifest:
    made = owned(service, _POLICY, names.fetch(service.name), Component.FETCH)
    pods = {SERVICE: service.name, COMPONENT: Component.FETCH.value}
    return made | _ingress(pods, _from((_operator(settings),), ports.PROGRESS))


def _readers(settings: Settings, *others: Manifest) -> tuple[Manifest, ...]:
    """Who reads metrics, beside the operator and others."""
    given = settings.network_policy.metrics_from
    if not given:
        return ({"namespaceSelector": {}},)
    return (*others, _operator(settings), *given)


def _operator(settings: Settings) -> Manifest:
    home = settings.operator_namespace
    where = {"matchLabels": {_NAMESPACE_NAME: home}} if home else {}
    labels = {NAME: "remoe", COMPONENT: "operator"}
    return {"namespaceSelector": where, "podSelector": {"matchLabels": labels}}


def _main_pods(service: Service) -> dict[str, str]:
    return {SERVICE: service.name, PART: MAIN_PART}


def _gateway_pods() -> dict[str, str]:
    return {NAME: "remoe", COMPONENT: Component.GATEWAY.value}


def _from(peers: Sequence[Manifest], port: int) -> Manifest:
    """One rule; without peers, from everywhere."""
    rule: Manifest = {"ports": [{"port": port, "protocol": "TCP"}]}
    return rule | ({"from": list(peers)} if peers else {})


def _ingress(pods: Mapping[str, str], *rules: Manifest) -> Manifest:
    return {
        "spec": {
            "podSelector": {"matchLabels": dict(pods)},
            "policyTypes": ["Ingress"],
            "ingress": list(rules),
        }
    }
