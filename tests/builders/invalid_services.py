"""Resources that the API server must refuse, each with words that its message must have.

One table for two tests: a fast one against the definition and the types, and one that sends each
of them to a real API server.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

DEMO = {"uri": "demo://"}


@dataclass(frozen=True, kw_only=True)
class Invalid:
    """A resource with one thing wrong.

    Attributes:
        why: what is wrong, as a name for the case.
        spec: of the resource.
        words: all of which the message has, the field's path among them.
        rule: whether a rule between fields refuses it, which only an API server can tell.
        name: of the resource.
        before: the spec that the resource had, where the change is what is wrong.
    """

    why: str
    spec: dict[str, Any]
    words: tuple[str, ...]
    rule: bool = False
    name: str = "wrong"
    before: dict[str, Any] | None = None


@dataclass
class _Table:
    rows: list[Invalid] = field(default_factory=list)

    def add(self, why, words, *, rule=False, name="wrong", before=None, **sections):
        given = {"model": DEMO} | sections
        spec = {key: value for key, value in given.items() if value is not None}
        row = Invalid(why=why, spec=spec, words=words, rule=rule, name=name, before=before)
        self.rows.append(row)


def service(name, spec):
    """The whole resource."""
    return {
        "apiVersion": "remoe.dev/v1alpha1",
        "kind": "MoEService",
        "metadata": {"name": name},
        "spec": copy.deepcopy(spec),
    }


def _by_schema(table):
    hub = {"uri": "hf://org/name"}
    add = table.add
    add("no model", ("spec.model",), model=None)
    add("no uri", ("spec.model.uri",), model={})
    add("unknown scheme", ("spec.model.uri",), model={"uri": "s3://bucket/model"})
    add("blank in the uri", ("spec.model.uri",), model={"uri": "hf://org/a name"})
    add("empty revision", ("spec.model.revision",), model=hub | {"revision": ""})
    add("unknown dtype", ("spec.model.dtype",), model=DEMO | {"dtype": "int4"})
    add("endpoint without a scheme", ("spec.model.endpoint",), model=hub | {"endpoint": "hub"})
    add(
        "unknown access mode",
        ("spec.model.storage.accessMode",),
        model=DEMO | {"storage": {"accessMode": "ReadOnlyMany"}},
    )
    add(
        "size with a strange unit",
        ("spec.model.storage.size", "must be bytes as a quantity"),
        model=DEMO | {"storage": {"size": "10 GB"}},
    )
    add("token secret without a name", ("tokenSecret.name",), model=hub | {"tokenSecret": {}})
    add("duration without a unit", ("spec.slo.ttft", "must be a duration"), slo={"ttft": "2"})
    add("duration of a day", ("spec.slo.tpot",), slo={"tpot": "1d"})
    add("percentile of 100", ("spec.slo.percentile",), slo={"percentile": 100})
    add("percentile as text", ("spec.slo.percentile",), slo={"percentile": "95"})
    add("prompt of no tokens", ("spec.workload.promptTokens",), workload={"promptTokens": 0})
    add("half a request", ("spec.workload.concurrency",), workload={"concurrency": 0.5})
    add("negative price", ("spec.prices.mainGibSecond",), prices={"mainGibSecond": -1})
    add("unknown billing", ("spec.prices.billing",), prices={"billing": "weekly"})
    add("unknown device", ("spec.main.device",), main={"device": "tpu"})
    add("no replicas at most", ("spec.main.maxReplicas",), main={"maxReplicas": 0})
    add("no batch", ("spec.main.maxBatch",), main={"maxBatch": 0})
    add("cores in bytes", ("spec.main.cpu", "must be cores as a quantity"), main={"cpu": "2Gi"})
    add("GPU without a domain", ("spec.main.gpuResource",), main={"gpuResource": "gpu"})
    add(
        "pod template with a stranger",
        ("spec.main.podTemplate.containers",),
        main={"podTemplate": {"containers": []}},
    )
    add("no tiers", ("spec.experts.tiers",), experts={"tiers": []})
    add("unknown tier", ("spec.experts.tiers",), experts={"tiers": ["remote"]})
    add("share above one", ("spec.experts.remoteShare",), experts={"remoteShare": 1.5})
    add("too many functions", ("spec.experts.maxFunctions",), experts={"maxFunctions": 1000})
    add(
        "keep-alive in words",
        ("spec.experts.keepAlive", "must be a duration"),
        experts={"keepAlive": "a minute"},
    )
    add("unknown field", ("spec.main.replicas",), main={"replicas": 1})
    add("unknown section", ("spec.scaling",), scaling={})
    add("profile without a name", ("spec.profile.name",), profile={"key": "profile.json"})
    add("secret with capitals", ("spec.auth.keysSecret",), auth={"keysSecret": "Keys"})
    add("flag as text", ("spec.autoApply",), autoApply="yes")


def _by_rule(table):
    hub = {"uri": "hf://org/name"}

    def add(why, *words, **given):
        table.add(why, words, rule=True, **given)

    def labels(where):
        return {where: {"podTemplate": {"metadata": {"labels": {"remoe.dev/part": "mine"}}}}}

    add("name too long", "metadata.name", "40 characters", name="a" * 41)
    add("name that begins with a digit", "metadata.name", "letter", name="7b")
    add("name with a dot", "metadata.name", "letter", name="my.model")
    add("revision of the demo", "spec.model.revision", model=DEMO | {"revision": "main"})
    add("token for the demo", "spec.model.tokenSecret", model=DEMO | {"tokenSecret": {"name": "a"}})
    add("mirror of the demo", "spec.model.endpoint", model=DEMO | {"endpoint": "https://hub"})
    add("hub without a name", "spec.model.uri", "hf://org/name", model={"uri": "hf://org"})
    add("revision in the uri", "spec.model.uri", "revision", model={"uri": "hf://org/name@v1"})
    add("climbing path", "spec.model.uri", "pvc://claim/path", model={"uri": "pvc://claim/../x"})
    add("demo with a path", "spec.model.uri", "demo:// alone", model={"uri": "demo://large"})
    add("no disk", "spec.model.storage.size", model=DEMO | {"storage": {"size": "0"}})
    add("no time at all", "spec.slo.ttft", "above zero", slo={"ttft": "0s"})
    add("no time per token", "spec.slo.tpot", "above zero", slo={"tpot": "0ms"})
    add(
        "longest prompt too short",
        "spec.workload.maxPromptTokens",
        workload={"promptTokens": 100, "maxPromptTokens": 10},
    )
    add(
        "longest answer too short",
        "spec.workload.maxOutputTokens",
        workload={"outputTokens": 100, "maxOutputTokens": 10},
    )
    add(
        "fewer replicas at most than at least",
        "spec.main.maxReplicas",
        main={"minReplicas": 3, "maxReplicas": 2},
    )
    add("no cores", "spec.main.cpu", "above zero", main={"cpu": "0m"})
    add("no memory", "spec.main.memoryLimit", "above zero", main={"memoryLimit": "0"})
    add("no idle time", "spec.main.idleTimeout", "above zero", main={"idleTimeout": "0s"})
    add("labels of ours on main", "spec.main.podTemplate.metadata.labels", **labels("main"))
    add("labels of ours", "spec.experts.podTemplate.metadata.labels", **labels("experts"))
    add("least memory of nothing", "spec.experts.minMemory", experts={"minMemory": "0"})
    add("function without cores", "spec.experts.cpu", experts={"cpu": "0"})
    add(
        "most memory below the least",
        "spec.experts.maxMemory",
        experts={"minMemory": "2Gi", "maxMemory": "1Gi"},
    )
    add("tier twice", "spec.experts.tiers", experts={"tiers": ["local", "local"]})
    add("history of nothing", "spec.history.maxSize", history={"maxSize": "0"})
    add("another model", "spec.model.uri", "cannot be changed", model=hub, before={"model": DEMO})
    add(
        "another revision",
        "spec.model.revision",
        "cannot be changed",
        model=hub | {"revision": "v2"},
        before={"model": hub | {"revision": "v1"}},
    )
    add(
        "smaller claim",
        "spec.model.storage.size",
        "smaller",
        model=DEMO | {"storage": {"size": "9Gi"}},
        before={"model": DEMO | {"storage": {"size": "10Gi"}}},
    )
    add(
        "another storage class",
        "spec.model.storage.storageClassName",
        "cannot be changed",
        model=DEMO | {"storage": {"storageClassName": "fast"}},
        before={"model": DEMO},
    )
    add(
        "another access mode",
        "spec.model.storage.accessMode",
        "cannot be changed",
        model=DEMO | {"storage": {"accessMode": "ReadWriteMany"}},
        before={"model": DEMO},
    )


def _table():
    table = _Table()
    _by_schema(table)
    _by_rule(table)
    return tuple(table.rows)


INVALID_SERVICES = _table()
"""Every kind of mistake that is refused before anything starts."""
