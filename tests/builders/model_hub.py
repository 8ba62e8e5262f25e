"""A small server that speaks a model hub's protocol, on a real socket, for the real client."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "a" * 40
WEIGHTS = bytes(range(256)) * 45_000  # more than the client writes at once


class Hub:
    """Repositories, and how the server is to behave.

    Attributes:
        requests: (method, path, headers) of all that came.
        break_after_bytes: files are cut off after so many bytes.
        hold_after_bytes: files stop after so many bytes, until the hub ends; `held` tells.
        spoil: names of files whose bytes are not the announced ones.
    """

    def __init__(self, files=None, host="127.0.0.1"):
        self.files = (
            dict(files)
            if files is not None
            else {
                "config.json": b'{"model_type": "mixtral"}',
                "tokenizer.json": b"{}",
                "model.safetensors": WEIGHTS,
                "pytorch_model.bin": b"unwanted",
                "consolidated.safetensors": b"unwanted",
                "original/model.safetensors": b"unwanted",
                "README.md": b"unwanted",
            }
        )
        self.token = None
        self.gated = False
        self.status = None
        self.break_after_bytes = None
        self.hold_after_bytes = None
        self.held = threading.Event()
        self.released = threading.Event()
        self.spoil = ()
        self.requests = []
        self.server = ThreadingHTTPServer((host, 0), _handler(self))
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        host, port = self.server.server_address
        return f"http://{host}:{port}"

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    def downloads(self):
        return [
            p.rsplit("/", 1)[-1] for m, p, _ in self.requests if m == "GET" and "/resolve/" in p
        ]


def _handler(hub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.answer()

        def do_GET(self):
            self.answer()

        def log_message(self, *args):
            pass

        def answer(self):
            path = unquote(self.path.split("?")[0])
            hub.requests.append((self.command, path, dict(self.headers)))
            if hub.status:
                return self.refuse(hub.status)
            if not path.startswith(("/api/models/org/tiny", "/org/tiny/")):
                return self.refuse(404, "RepoNotFound")
            if hub.gated:
                return self.refuse(403, "GatedRepo")
            if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                return self.refuse(401, "RepoNotFound")
            if path.startswith("/api/"):
                return self.api(path.removeprefix("/api/models/org/tiny"))
            return self.file(*path.removeprefix("/org/tiny/resolve/").split("/", 1))

        def api(self, path):
            if path in ("", "/revision/main", "/revision/v1"):
                siblings = [{"rfilename": name} for name in hub.files]
                return self.json({"id": "org/tiny", "sha": COMMIT, "siblings": siblings})
            if path.startswith(f"/tree/{COMMIT}"):
                return self.json([_entry(name, data) for name, data in hub.files.items()])
            return self.refuse(404, "RevisionNotFound")

        def file(self, revision, name):
            if revision not in (COMMIT, "main", "v1"):
                self.refuse(404, "RevisionNotFound")
            elif name not in hub.files:
                self.refuse(404, "EntryNotFound")
            else:
                self.contents(name, hub.files[name])

        def contents(self, name, data):
            start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{_etag(name, data)}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            if _is_lfs(name):
                self.send_header("X-Linked-Etag", f'"{_etag(name, data)}"')
                self.send_header("X-Linked-Size", str(len(data)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            if self.command == "GET":
                spoilt = bytes(len(data)) if name in hub.spoil else data
                self.body(spoilt[start:])

        def body(self, data):
            if hub.hold_after_bytes is not None and len(data) > hub.hold_after_bytes:
                self.wfile.write(data[: hub.hold_after_bytes])
                self.wfile.flush()
                hub.held.set()
                hub.released.wait(60)
                self.close_connection = True
                return
            if hub.break_after_bytes is not None and len(data) > hub.break_after_bytes:
                self.wfile.write(data[: hub.break_after_bytes])
                self.wfile.flush()
                self.close_connection = True
                return
            self.wfile.write(data)

        def json(self, body):
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def refuse(self, status, code=None):
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler


def _is_lfs(name):
    return name.endswith((".safetensors", ".bin"))


def _etag(name, data):
    if _is_lfs(name):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _entry(name, data):
    entry = {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
    if _is_lfs(name):
        entry["lfs"] = {"oid": _etag(name, data), "size": len(data), "pointerSize": 130}
    return entry
