"""As much of an API server as a runtime talks to, over real sockets, with levers for its faults.

It counts resource versions, keeps a bounded memory of changes, ends watches, and refuses writes to
what was changed meanwhile, all as the real one does; what it stores is set by the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from remoe_functions.runtime.kubernetes.access import Access

DIGEST = "0123abcd"


class QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield


def labels(part, *, plan=DIGEST, service="demo"):
    component = "main" if part == "main" else "function"
    wanted = {"remoe.dev/service": service, "remoe.dev/part": part}
    wanted["app.kubernetes.io/component"] = component
    return wanted if part == "main" else wanted | {"remoe.dev/plan": plan}


class FakeCluster:
    """Objects by (kind, name); every change is remembered until `forget`."""

    def __init__(self):
        self.version = 100
        self.oldest = 0
        self.objects = {"deployments": {}, "pods": {}, "endpointslices": {}}
        self.changes = []
        self.requests = []
        self.tokens = []
        self.conflicts = 0
        self.broken = False
        self.changed = asyncio.Event()
        self.epoch = 0
        self.port = None

    # what tests do to it

    def put(self, kind, item):
        self.version += 1
        name = item["metadata"]["name"]
        item["metadata"]["resourceVersion"] = str(self.version)
        event = "MODIFIED" if name in self.objects[kind] else "ADDED"
        self.objects[kind][name] = item
        self._note(kind, event, item)

    def delete(self, kind, name):
        self.version += 1
        item = self.objects[kind].pop(name)
        item["metadata"]["resourceVersion"] = str(self.version)
        self._note(kind, "DELETED", item)

    def deploy(self, part, replicas=0, *, plan=DIGEST, service="demo", **status):
        name = f"{service}-{part}" if part == "main" else f"{service}-{plan}-{part}"
        meta = {"name": name, "labels": labels(part, plan=plan, service=service)}
        self.put(
            "deployments", {"metadata": meta, "spec": {"replicas": replicas}, "status": status}
        )

    def replicas(self, part):
        name = "demo-main" if part == "main" else f"demo-{DIGEST}-{part}"
        return self.objects["deployments"][name]["spec"]["replicas"]

    def pod(self, name, part="experts-1", *, spec=None, leaving=False, **status):
        meta = {"name": name, "labels": labels(part), "creationTimestamp": "2026-01-01T00:00:00Z"}
        if leaving:
            meta["deletionTimestamp"] = "2026-01-01T00:01:00Z"
        self.put("pods", {"metadata": meta, "spec": spec or {}, "status": status})

    def slice(self, part, *endpoints, name=None, ports=(("calls", 9000), ("http", 9001)), **fields):
        meta = {"name": name or f"{part}-slice", "labels": labels(part)}
        body = {"endpoints": list(endpoints), "ports": [{"name": n, "port": p} for n, p in ports]}
        self.put("endpointslices", {"metadata": meta, "addressType": "IPv4", **body, **fields})

    def forget(self):
        """The changes so far can no longer be watched."""
        self.oldest = self.version
        self.changes.clear()

    def cut(self):
        """End every watch in the middle."""
        self.epoch += 1
        self._wake()

    def count(self, verb, ending=""):
        return sum(v == verb and path.endswith(ending) for v, path in self.requests)

    # what it is

    @property
    def access(self):
        return Access(url=f"http://127.0.0.1:{self.port}", token="secret")

    @contextlib.asynccontextmanager
    async def serving(self):
        """Listen, on the port of last time where there was one."""
        listener = socket.create_server(("127.0.0.1", self.port or 0), reuse_port=True)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            Starlette(routes=self._routes()),
            log_config=None,
            log_level="critical",
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        server = QuietServer(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield self
        finally:
            server.should_exit = True
            self.cut()
            await task
            listener.close()

    def _routes(self):
        place = "namespaces/ns/{kind}"
        lists = [f"/api/v1/{place}", f"/apis/apps/v1/{place}", f"/apis/discovery.k8s.io/v1/{place}"]
        scale = "/apis/apps/v1/namespaces/ns/deployments/{name}/scale"
        return [
            *(Route(path, self._list) for path in lists),
            Route(scale, self._scale, methods=["GET", "PATCH"]),
        ]

    def _heard(self, request):
        verb = "WATCH" if "watch" in request.query_params else request.method
        self.requests.append((verb, request.url.path))
        self.tokens.append(request.headers.get("authorization"))

    def _status(self, code, message):
        return JSONResponse({"kind": "Status", "code": code, "message": message}, code)

    async def _list(self, request):
        self._heard(request)
        kind, query = request.path_params["kind"], request.query_params
        if self.broken:
            return self._status(503, "etcd is away")
        service = query["labelSelector"].removeprefix("remoe.dev/service=")
        if "watch" in query:
            return StreamingResponse(self._watch(kind, int(query["resourceVersion"]), service))
        items = [i for i in self.objects[kind].values() if self._matches(i, service)]
        return JSONResponse({"metadata": {"resourceVersion": str(self.version)}, "items": items})

    async def _watch(self, kind, since, service):
        if since < self.oldest:
            error = {"kind": "Status", "code": 410, "message": "too old resource version"}
            yield json.dumps({"type": "ERROR", "object": error}).encode() + b"\n"
            return
        epoch = self.epoch
        while epoch == self.epoch:
            changed = self.changed
            for version, at, line, item in list(self.changes):
                if version > since and at == kind and self._matches(item, service):
                    since = version
                    yield line
            await changed.wait()

    async def _scale(self, request):
        self._heard(request)
        item = self.objects["deployments"].get(request.path_params["name"])
        if self.broken:
            return self._status(503, "etcd is away")
        if item is None:
            return self._status(404, "not found")
        if request.method == "PATCH":
            change = await request.json()
            if self.conflicts:
                self.conflicts -= 1
                self.put("deployments", item)
            if change["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                return self._status(409, "the object has been modified")
            if change["spec"]["replicas"] > 1000:
                return self._status(422, "too many")
            fresh = {**item, "metadata": {**item["metadata"]}}
            self.put("deployments", {**fresh, "spec": {"replicas": change["spec"]["replicas"]}})
            item = self.objects["deployments"][request.path_params["name"]]
        replicas = item["spec"]["replicas"]
        spec = {"replicas": replicas} if replicas else {}
        return JSONResponse({"metadata": item["metadata"], "spec": spec})

    def _matches(self, item, service):
        return item["metadata"]["labels"]["remoe.dev/service"] == service

    def _note(self, kind, event, item):
        line = json.dumps({"type": event, "object": item}).encode() + b"\n"
        self.changes.append((self.version, kind, line, item))
        self._wake()

    def _wake(self):
        self.changed.set()
        self.changed = asyncio.Event()


def endpoint(pod, host="10.0.0.1", **conditions):
    target = {"kind": "Pod", "name": pod}
    return {"addresses": [host], "conditions": {"ready": True} | conditions, "targetRef": target}


def seen(status):
    """A part in short: (id, state, address) of each replica."""
    return [
        (r.id, r.state.value, None if r.host is None else f"{r.host}:{r.port}")
        for r in status.replicas
    ]
