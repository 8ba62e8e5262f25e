"""Memory, cores and replicas are the plan's, within what the resource says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from builders.moe_services import SHAPE, a_plan, a_service, children, only

from remoe_operator.resource.quantity import bytes_of

MIB = 1 << 20


def container(manifests, name):
    pod = only(manifests, "Deployment", name)["spec"]["template"]["spec"]
    return pod["containers"][0]


def resources(part="main", plan=None, **sections):
    plan = plan or a_plan()
    name = "demo-main" if part == "main" else f"demo-{plan.digest}-{part}"
    return container(children(a_service(**sections), plan), name)["resources"]


def test_main_asks_for_what_is_planned_and_may_take_more():
    given = resources()
    assert given["requests"] == {"cpu": "500m", "memory": "1220Mi"}
    assert bytes_of(given["limits"]["memory"]) == (1220 + 512) * MIB


def test_main_takes_no_more_than_its_limit():
    assert resources(main={"memoryLimit": "1Gi"})["limits"] == {"memory": "1Gi"}
    assert resources(main={"memoryLimit": "1Gi"})["requests"]["memory"] == "1Gi"
    assert resources(main={"memoryLimit": "4096Mi"})["limits"] == {"memory": "4Gi"}


def test_weights_in_float32_are_memory_of_their_own():
    plain = bytes_of(resources()["requests"]["memory"])
    wide = bytes_of(resources(model={"uri": "demo://", "dtype": "float32"})["requests"]["memory"])
    assert wide - plain == SHAPE.main_bytes


def test_a_gpu_is_asked_for_and_had():
    given = resources(main={"device": "gpu", "gpuResource": "amd.com/gpu"})
    assert given["requests"]["amd.com/gpu"] == given["limits"]["amd.com/gpu"] == "1"


@pytest.mark.parametrize(("cpu", "asked", "threads"), [("2000m", "2", "2"), ("500m", "500m", "1")])
def test_main_starts_as_many_threads_as_it_has_cores(cpu, asked, threads):
    main = container(children(a_service(main={"cpu": cpu})), "demo-main")
    assert main["resources"]["requests"]["cpu"] == asked
    assert {"name": "OMP_NUM_THREADS", "value": threads} in main["env"]


def test_a_function_has_the_memory_that_is_billed():
    given = resources("experts-1")
    assert given == {
        "requests": {"cpu": "100m", "memory": "132Mi"},
        "limits": {"memory": "132Mi"},
    }


def test_a_function_has_the_cores_that_are_planned():
    plan = a_plan(experts_1={"cores": 0.05}, experts_2={"cores": 2.0})
    assert resources("experts-1", plan)["requests"]["cpu"] == "50m"
    assert resources("experts-1", plan)["limits"]["cpu"] == "50m"
    assert resources("experts-2", plan, experts={"cpu": "1"})["requests"]["cpu"] == "1"
    assert resources("experts-2", plan)["limits"]["cpu"] == "2"


def test_replicas_to_begin_with():
    plan = a_plan(experts_1={"min_replicas": 1, "max_replicas": 2}, experts_2={})
    made = children(a_service(main={"minReplicas": 3, "maxReplicas": 4}), plan)
    begun = {
        one["metadata"]["labels"].get("remoe.dev/part"): one["spec"]["replicas"]
        for one in made
        if one["kind"] == "Deployment"
    }
    assert begun == {"main": 3, "experts-1": 1, "experts-2": 0, None: 2}


def test_main_starts_once_even_where_none_is_kept():
    assert only(children(a_service()), "Deployment", "demo-main")["spec"]["replicas"] == 1


def test_a_new_plan_rolls_main_and_leaves_its_selector():
    one, two = a_plan(), a_plan(experts_2={})
    before, after = (
        only(children(a_service(), plan), "Deployment", "demo-main")["spec"] for plan in (one, two)
    )
    assert before["selector"] == after["selector"]
    assert before["template"] != after["template"]


def test_a_new_estimate_alone_rolls_nothing():
    plan = a_plan()
    told = replace(plan, plan=replace(plan.plan, reasons=("Because.",)))
    before, after = (
        [m for m in children(a_service(), p) if m["kind"] != "ConfigMap"] for p in (plan, told)
    )
    assert before == after


def test_parts_are_stopped_after_they_have_drained():
    made = children(a_service())
    for manifest in made:
        if manifest["kind"] != "Deployment" or manifest["metadata"]["name"] == "remoe-gateway":
            continue
        pod = manifest["spec"]["template"]["spec"]
        args = pod["containers"][0]["args"]
        drain = int(args[args.index("--drain-seconds") + 1])
        assert pod["terminationGracePeriodSeconds"] > drain


FUNCTION = """
metadata:
  annotations:
    prometheus.io/path: /metrics
    prometheus.io/port: "9001"
    prometheus.io/scrape: "true"
  labels:
    app.kubernetes.io/component: function
    app.kubernetes.io/instance: demo
    app.kubernetes.io/managed-by: remoe-operator
    app.kubernetes.io/name: remoe
    remoe.dev/part: experts-1
    remoe.dev/plan: DIGEST
    remoe.dev/service: demo
spec:
  affinity:
    podAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - podAffinityTerm:
          labelSelector:
            matchLabels:
              remoe.dev/service: demo
          topologyKey: kubernetes.io/hostname
        weight: 100
  automountServiceAccountToken: false
  containers:
  - args:
    - --model
    - /model
    - --plan
    - /etc/remoe/plan/plan.json
    - --function
    - experts-1
    - --host
    - 0.0.0.0
    - --port
    - '9000'
    - --metrics-port
    - '9001'
    - --drain-seconds
    - '30'
    env:
    - name: REMOE_FUNCTION_TOKEN
      valueFrom:
        secretKeyRef:
          key: token
          name: demo-token
    - name: REMOE_CPUS
      value: '1'
    image: remoe/expert:1
    imagePullPolicy: IfNotPresent
    livenessProbe:
      failureThreshold: 20
      httpGet:
        path: /health
        port: http
        scheme: HTTP
      periodSeconds: 30
      successThreshold: 1
      timeoutSeconds: 15
    name: function
    ports:
    - containerPort: 9000
      name: calls
      protocol: TCP
    - containerPort: 9001
      name: http
      protocol: TCP
    readinessProbe:
      failureThreshold: 3
      httpGet:
        path: /ready
        port: http
        scheme: HTTP
      periodSeconds: 1
      successThreshold: 1
      timeoutSeconds: 5
    resources:
      limits:
        memory: 132Mi
      requests:
        cpu: 100m
        memory: 132Mi
    securityContext:
      allowPrivilegeEscalation: false
      capabilities:
        drop:
        - ALL
      readOnlyRootFilesystem: true
    terminationMessagePolicy: FallbackToLogsOnError
    volumeMounts:
    - mountPath: /model
      name: data
      readOnly: true
      subPath: model
    - mountPath: /etc/remoe/plan
      name: plan
      readOnly: true
    - mountPath: /tmp
      name: tmp
  enableServiceLinks: false
  securityContext:
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    runAsGroup: 65532
    runAsNonRoot: true
    runAsUser: 65532
    seccompProfile:
      type: RuntimeDefault
  serviceAccountName: demo-function
  terminationGracePeriodSeconds: 40
  volumes:
  - name: data
    persistentVolumeClaim:
      claimName: demo-data
  - configMap:
      items:
      - key: plan.json
        path: plan.json
      name: demo-plan-DIGEST
    name: plan
  - emptyDir: {}
    name: tmp
"""


def test_a_function_as_a_whole():
    plan = a_plan()
    made = only(children(a_service(), plan), "Deployment", f"demo-{plan.digest}-experts-1")
    assert made["spec"]["template"] == yaml.safe_load(FUNCTION.replace("DIGEST", plan.digest))


def test_replicas_run_with_their_claim_or_where_all_nodes_have_it_apart():
    def affinity(mode):
        model = {"uri": "demo://", "storage": {"accessMode": mode}}
        made = only(children(a_service(model=model)), "Deployment", "demo-main")
        return set(made["spec"]["template"]["spec"]["affinity"])

    assert affinity("ReadWriteOnce") == {"podAffinity"}
    assert affinity("ReadWriteMany") == {"podAntiAffinity"}
