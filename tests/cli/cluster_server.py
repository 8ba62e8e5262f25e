"""A small server that answers as a cluster's API server does, and the kubeconfig that names it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SERVICES = "/apis/remoe.dev/v1alpha1/namespaces/models/moeservices"


class ApiServer:
    """What the cluster holds.

    Attributes:
        services: MoEServices of namespace models, by name.
        pods: manifests.
        logs: text, by pod.
        events: manifests.
        refusal: (status, message) that every request gets instead.
        knows_services: whether the definition of MoEServices is there.
        requests: (method, path, body) of all that came.
    """

    def __init__(self):
        self.services = {}
        self.pods = []
        self.logs = {}
        self.events = []
        self.refusal = None
        self.knows_services = True
        self.requests = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self, method, path, query, body):
        """Status and JSON, or text."""
        if self.refusal:
            return self.refusal[0], _status(*self.refusal)
        if "/moeservices" in path and not self.knows_services:
            return 404, "404 page not found\n"
        if path.startswith(f"{SERVICES}/"):
            return self._one(method, path.removeprefix(f"{SERVICES}/"), body)
        if path.endswith("/moeservices"):
            items = list(self.services.values())
            return 200, {"items": items if path == SERVICES or "namespaces" not in path else []}
        if path.endswith("/events"):
            return 200, {"items": [event for event in self.events if _about(event, query)]}
        if path.endswith("/log"):
            return 200, self.logs[path.split("/")[-2]]
        return 200, {"items": [pod for pod in self.pods if _chosen(pod, query)]}

    def _one(self, method, name, body):
        if name not in self.services:
            return 404, _status(404, f'moeservices.remoe.dev "{name}" not found')
        if method == "PATCH":
            self.services[name]["metadata"]["annotations"] = body["metadata"]["annotations"]
        return 200, self.services[name]


def _handler(cluster):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            parts = urlsplit(self.path)
            cluster.requests.append((self.command, parts.path, body))
            status, answer = cluster.answer(self.command, parts.path, parse_qs(parts.query), body)
            is_text = isinstance(answer, str)
            data = (answer if is_text else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_PATCH(self):
            self.do_GET()

        def log_message(self, *args):
            pass

    return Handler


def _status(code, message):
    return {"kind": "Status", "code": code, "message": message}


def _about(event, query):
    wanted = dict(term.split("=") for term in query["fieldSelector"][0].split(","))
    about = {f"involvedObject.{name}": value for name, value in event["involvedObject"].items()}
    return wanted.items() <= about.items()


def _chosen(pod, query):
    wanted = dict(term.split("=") for term in query["labelSelector"][0].split(","))
    return wanted.items() <= pod["metadata"]["labels"].items()


def pod(name, labels, *, waiting=None, ready=True):
    """A pod with one container, which runs unless it waits for a reason."""
    state = {"waiting": {"reason": waiting, "message": "no such image"}} if waiting else None
    container = {
        "name": "x",
        "image": "x",
        "imageID": "x",
        "ready": ready,
        "restartCount": 0,
        "state": state or {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }
    return {
        "metadata": {"name": name, "namespace": "models", "labels": labels},
        "spec": {"containers": [{"name": "x"}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [container],
            "conditions": [{"type": "Ready", "status": str(ready and not waiting)}],
        },
    }


def service(name="demo", *, status=None, **spec):
    """A MoEService as the API server gives it."""
    return {
        "apiVersion": "remoe.dev/v1alpha1",
        "kind": "MoEService",
        "metadata": {
            "name": name,
            "namespace": "models",
            "uid": f"uid-of-{name}",
            "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"model": {"uri": "demo://"}} | spec,
        "status": status or {},
    }


def condition(kind, status, reason, message="All is said."):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def summary(digest, **fields):
    """A plan's summary."""
    return {
        "digest": digest,
        "method": "marginal",
        "experts": 240,
        "remoteExperts": 120,
        "functions": 4,
        "mainMemory": "1200Mi",
        "functionMemory": "800Mi",
    } | fields


def kubeconfig(path, url, namespace="models"):
    """Write one that names this server, and a namespace."""
    context = {"cluster": "here", "user": "me", "namespace": namespace}
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{"name": "here", "cluster": {"server": url}}],
                "users": [{"name": "me", "user": {}}],
                "contexts": [{"name": "here", "context": context}],
            }
        )
    )
    return path
