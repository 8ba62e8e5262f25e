"""An API server in memory, as far as the operator can tell it from a real one.

Server-side apply with owners of fields, versions that change with content alone, generations,
subresources, label selectors, preconditions. It does what the operator relies on, and no more.
"""

from __future__ import annotations

import json
from itertools import count
from urllib.parse import unquote

from remoe_operator.cluster.errors import translated
from remoe_operator.cluster.kinds import CHILDREN, EVENT, MOE_SERVICE, POD

_KINDS = {(k.group, k.plural): k for k in (*CHILDREN, MOE_SERVICE, POD, EVENT)}


class ApiServer:
    """Objects by (plural, namespace, name), and every write in order."""

    def __init__(self):
        self.objects = {}
        self.writes = []
        self.refuse = {}
        self._applied = {}
        self._numbers = count(1)

    async def request(self, verb, path, *, body=None, query=(), content_type="application/json"):
        """As `Connection.request`."""
        kind, namespace, name, subresource = _parsed(path)
        verb, query = verb.upper(), dict(query)
        asked = (verb, kind.plural, name or (body or {}).get("metadata", {}).get("name"))
        if verb != "GET":
            self.writes.append((*asked, subresource) if subresource else asked)
        for refused, (status, message) in self.refuse.items():
            if refused[0] == verb and refused[1] == kind.plural:
                raise translated(status, json.dumps({"message": message}), path)
        key = (kind.plural, namespace, name)
        if verb == "GET":
            return self._list(kind, namespace, query) if name is None else _copy(self._got(key))
        if verb == "POST":
            return self._post(kind, namespace, _copy(body))
        if verb == "DELETE":
            return self._delete(key, body or {})
        if content_type == "application/apply-patch+yaml":
            return self._apply(kind, key, _copy(body), query)
        return self._merge(key, _copy(body), subresource, query.get("fieldManager", "?"))

    def put(self, manifest):
        """Place an object as if somebody else had made it."""
        kind = _KINDS[manifest["apiVersion"].rpartition("/")[0], _plural(manifest)]
        meta = manifest["metadata"]
        return self._post(kind, meta.get("namespace"), _copy(manifest))

    def change(self, plural, namespace, name, **fields):
        """Set top-level fields of an object, as a controller does with status."""
        key = (plural, namespace, name)
        made = _copy(self._got(key)) | fields
        self._store(key, made)
        return made

    def edit(self, plural, namespace, name, patch):
        """A user's merge patch."""
        return self._merge((plural, namespace, name), _copy(patch), "", "kubectl")

    def all(self, plural):
        """The objects of a kind, by name."""
        return {key[2]: value for key, value in self.objects.items() if key[0] == plural}

    def collect_garbage(self):
        """What the garbage collector does: objects go with the last of their owners."""
        alive = {o["metadata"]["uid"] for o in self.objects.values()}
        gone = [
            key
            for key, o in self.objects.items()
            if (owners := o["metadata"].get("ownerReferences"))
            and not any(owner["uid"] in alive for owner in owners)
        ]
        for key in gone:
            del self.objects[key]
        return bool(gone) and (self.collect_garbage() or True)

    def _got(self, key):
        if key not in self.objects:
            raise translated(404, json.dumps({"message": f"{key} not found"}), str(key))
        return self.objects[key]

    def _list(self, kind, namespace, query):
        wanted = dict(p.split("=") for p in query.get("labelSelector", "").split(",") if p)
        about = query.get("fieldSelector", "").removeprefix("involvedObject.uid=")
        found = [
            o
            for (plural, ns, _), o in self.objects.items()
            if plural == kind.plural
            and namespace in (None, ns)
            and wanted.items() <= (o["metadata"].get("labels") or {}).items()
            and (not about or o.get("involvedObject", {}).get("uid") == about)
        ]
        heads = ("apiVersion", "kind")
        return {"items": [{k: v for k, v in _copy(o).items() if k not in heads} for o in found]}

    def _post(self, kind, namespace, body):
        key = (kind.plural, namespace, body["metadata"]["name"])
        if key in self.objects:
            raise translated(409, '{"message": "already exists"}', str(key))
        return self._born(kind, key, body)

    def _born(self, kind, key, body):
        body["metadata"] |= {"namespace": key[1], "generation": 1}
        body["metadata"].setdefault("uid", f"uid-{next(self._numbers)}")
        body["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        if kind.name == "Deployment":
            body["spec"].setdefault("replicas", 1)
        self._store(key, body)
        return _copy(body)

    def _store(self, key, body):
        old = self.objects.get(key)
        meta = body["metadata"]
        if old is not None:
            if _bare(old) == _bare(body):
                return
            changed = old.get("spec") != body.get("spec")
            meta["generation"] = old["metadata"]["generation"] + changed
        meta["resourceVersion"] = str(next(self._numbers))
        self.objects[key] = _copy(body)

    def _delete(self, key, options):
        live = self._got(key)
        wanted = options.get("preconditions", {}).get("uid")
        if wanted and wanted != live["metadata"]["uid"]:
            raise translated(409, '{"message": "another uid"}', str(key))
        del self.objects[key]
        return {"status": "Success"}

    def _apply(self, kind, key, body, query):
        manager, applied = query["fieldManager"], self._applied.setdefault(key, {})
        if key not in self.objects:
            applied.clear()
            applied[manager] = _copy(body)
            body["metadata"]["managedFields"] = _managed(applied)
            return self._born(kind, key, body)
        live = _copy(self.objects[key])
        self._check_conflict(live, applied, body, query)
        kept = [paths for name, a in applied.items() if name != manager for paths in _leaves(a)]
        for path in set(_leaves(applied.get(manager, {}))) - set(_leaves(body)) - set(kept):
            _remove(live, path)
        _merge_in(live, body)
        applied[manager] = _copy(body)
        if kind.name == "Deployment":
            live["spec"].setdefault("replicas", 1)
        live["metadata"]["managedFields"] = _managed(applied)
        self._store(key, live)
        return _copy(self.objects[key])

    @staticmethod
    def _check_conflict(live, applied, body, query):
        wanted = body.get("spec", {}).get("replicas")
        if query.get("force") == "true" or wanted is None:
            return
        if live["spec"]["replicas"] != wanted and any(
            "replicas" in a.get("spec", {}) for a in applied.values()
        ):
            raise translated(409, '{"message": "conflict with another manager"}', "apply")

    def _merge(self, key, patch, subresource, manager):
        live = _copy(self._got(key))
        version = patch.get("metadata", {}).pop("resourceVersion", None)
        if version is not None and version != live["metadata"]["resourceVersion"]:
            raise translated(409, '{"message": "the object has been modified"}', str(key))
        if subresource == "status":
            patch = {"status": patch["status"]}
        if subresource == "scale":
            self._rescaled(key, manager)
        _json_merge(live, patch)
        applied = self._applied.get(key)
        if applied:
            live["metadata"]["managedFields"] = _managed(applied)
        self._store(key, live)
        return _copy(self.objects[key])

    def _rescaled(self, key, manager):
        applied = self._applied.setdefault(key, {})
        for owned in applied.values():
            owned.get("spec", {}).pop("replicas", None)
        applied[f"{manager}/scale"] = {"spec": {"replicas": 0}}


def _copy(value):
    """As objects come over the wire; several times as fast as the library's deepcopy."""
    return json.loads(json.dumps(value))


def _parsed(path):
    parts = [unquote(p) for p in path.strip("/").split("/")]
    group, parts = (parts[1], parts[3:]) if parts[0] == "apis" else ("", parts[2:])
    namespace = None
    if parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    name, subresource = (*parts[1:], None, None)[:2]
    return _KINDS[group, parts[0]], namespace, name, subresource or ""


def _plural(manifest):
    return next(k.plural for k in _KINDS.values() if k.name == manifest["kind"])


def _bare(manifest):
    made = _copy(manifest)
    for name in ("resourceVersion", "generation"):
        made["metadata"].pop(name, None)
    return made


def _managed(applied):
    return [
        {
            "manager": name.partition("/")[0],
            "operation": "Update" if "/scale" in name else "Apply",
            "subresource": "scale" if "/scale" in name else "",
            "fieldsV1": {"f:spec": {"f:replicas": {}}}
            if "replicas" in (manifest.get("spec") or {})
            else {},
        }
        for name, manifest in applied.items()
    ]


def _leaves(value, path=()):
    if isinstance(value, dict) and value:
        for name, below in value.items():
            yield from _leaves(below, (*path, name))
    else:
        yield path


def _remove(value, path):
    for name in path[:-1]:
        value = value.get(name, {})
    value.pop(path[-1], None) if path else None


def _merge_in(live, wanted):
    for name, value in wanted.items():
        old = live.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            _merge_in(old, value)
        elif _keyed(value) and isinstance(old, list) and name == "ownerReferences":
            kept = [o for o in old if o["uid"] not in {v["uid"] for v in value}]
            live[name] = [*kept, *value]
        else:
            live[name] = value


def _keyed(value):
    return isinstance(value, list) and all(isinstance(v, dict) for v in value)


def _json_merge(live, patch):
    for name, value in patch.items():
        if value is None:
            live.pop(name, None)
        elif isinstance(value, dict) and isinstance(live.get(name), dict):
            _json_merge(live[name], value)
        else:
            live[name] = value
