"""Objects on the API server: read, applied, scaled, deleted; and the status of a service."""

from __future__ import annotations

from typing import Any

from remoe_operator.cluster.comparing import is_as_wanted, stamped
from remoe_operator.cluster.connection import APPLY, MERGE, Connection
from remoe_operator.cluster.errors import (
    ConflictError,
    NameTakenError,
    NotFoundError,
    TerminatingError,
)
from remoe_operator.cluster.kinds import DEPLOYMENT, Kind, Manifest, kind_of

MANAGER = "remoe-operator"
REPLICAS_MANAGER = "remoe-replicas"
MANAGED_BY = "app.kubernetes.io/managed-by"


class Objects:
    """What is on the API server, and the ways in which this operator changes it."""

    def __init__(self, connection: Connection) -> None:
        self._ask = connection.request

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object, or None where it is not there."""
        try:
            return await self._ask("get", kind.path(namespace, name))
        except NotFoundError:
            return None

    async def list(
        self, kind: Kind, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        """All objects of a kind that the selectors pick; of all namespaces where none is given."""
        query = [("labelSelector", labels), ("fieldSelector", fields)]
        answer = await self._ask(
            "get", kind.path(namespace), query=[pair for pair in query if pair[1]]
        )
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        return [head | item for item in answer.get("items") or ()]

    async def converge(
        self, wanted: Manifest, live: Manifest | None, *, scaled_by_others: bool = True
    ) -> bool:
        """Make an object as wanted; say whether anything was written.

        Args:
            wanted: the whole manifest.
            live: the object as last read; None where there is none.
            scaled_by_others: a Deployment's replicas are said once, when it is made, and never
                again: whoever scales it owns them. Otherwise they are said until somebody else
                scales it.

        Raises:
            NameTakenError: an object of the name is not ours.
            TerminatingError: the object is being deleted.
        """
        if live is None:
            live = await self._unlisted(wanted)
        if live is not None and (
            live["metadata"].get("deletionTimestamp") or controller(live) != controller(wanted)
        ):
            raise TerminatingError(f"an earlier {_named(wanted)} is still being deleted")
        if kind_of(wanted) is DEPLOYMENT and (scaled_by_others or is_scaled_by_others(live)):
            return await self._converge_scaled(wanted, live)
        wanted = stamped(wanted)
        if live is not None and is_as_wanted(wanted, live):
            return False
        await self.apply(wanted)
        return True

    async def _unlisted(self, wanted: Manifest) -> Manifest | None:
        """An object that exists though no list by label named it."""
        meta = wanted["metadata"]
        live = await self.get(kind_of(wanted), meta["namespace"], meta["name"])
        if live is not None and live["metadata"].get("labels", {}).get(MANAGED_BY) != MANAGER:
            raise NameTakenError(
                f"{_named(wanted)} exists and is not Remoe's: rename it, or the MoEService"
            )
        return live

    async def _converge_scaled(self, wanted: Manifest, live: Manifest | None) -> bool:
        fields = stamped(without_replicas(wanted))
        if live is None:
            first = {"replicas": wanted["spec"].get("replicas", 0)}
            live = await self.apply(fields | {"spec": fields["spec"] | first})
        elif is_as_wanted(fields, live) and not claims_replicas(live):
            return False
        if claims_replicas(live):
            # Left out of an apply, a field that nobody else owns would fall to its default.
            await self._hold_replicas(live)
        await self.apply(fields)
        return True

    async def _hold_replicas(self, live: Manifest) -> None:
        head = {key: live[key] for key in ("apiVersion", "kind")}
        meta = {key: live["metadata"][key] for key in ("name", "namespace")}
        held = head | {"metadata": meta, "spec": {"replicas": live["spec"]["replicas"]}}
        try:
            await self.apply(held, manager=REPLICAS_MANAGER, force=False)
        except ConflictError:
            return  # somebody scaled it meanwhile, and owns the number now

    async def apply(
        self, manifest: Manifest, *, manager: str = MANAGER, force: bool = True
    ) -> Manifest:
        """Server-side apply."""
        meta = manifest["metadata"]
        query = [("fieldManager", manager), ("force", "true" if force else "false")]
        path = kind_of(manifest).path(meta["namespace"], meta["name"])
        return await self._ask("patch", path, body=manifest, query=query, content_type=APPLY)

    async def create(self, manifest: Manifest) -> Manifest:
        """Make an object that must not be there.

        Raises:
            ConflictError: it is there.
        """
        path = kind_of(manifest).path(manifest["metadata"]["namespace"])
        return await self._ask("post", path, body=manifest, query=[("fieldManager", MANAGER)])

    async def merge(self, live: Manifest, patch: Manifest) -> Manifest:
        """Merge a few fields into an object, whatever its version."""
        meta = live["metadata"]
        path = kind_of(live).path(meta["namespace"], meta["name"])
        query = [("fieldManager", MANAGER)]
        return await self._ask("patch", path, body=patch, query=query, content_type=MERGE)

    async def delete(self, live: Manifest) -> None:
        """Delete this very object, not one that took its name; its children follow."""
        meta = live["metadata"]
        options: Manifest = {
            "propagationPolicy": "Background",
            "preconditions": {"uid": meta["uid"]},
        }
        try:
            await self._ask(
                "delete", kind_of(live).path(meta["namespace"], meta["name"]), body=options
            )
        except (NotFoundError, ConflictError):
            return  # it is gone, or another

    async def scale(self, deployment: Manifest, replicas: int) -> None:
        """Set a Deployment's replicas, if it still is as it was read.

        Raises:
            ConflictError: it changed since, say because somebody woke it.
        """
        meta = deployment["metadata"]
        patch = {
            "metadata": {"resourceVersion": meta["resourceVersion"]},
            "spec": {"replicas": replicas},
        }
        path = DEPLOYMENT.path(meta["namespace"], meta["name"], "scale")
        query = [("fieldManager", MANAGER)]
        await self._ask("patch", path, body=patch, query=query, content_type=MERGE)

    async def write_status(self, live: Manifest, status: Manifest) -> Manifest:
        """Replace the status of a service; fields that left it are removed."""
        meta = live["metadata"]
        patch = _replacing(live.get("status") or {}, status)
        path = kind_of(live).path(meta["namespace"], meta["name"], "status")
        return await self._ask(
            "patch",
            path,
            body={"metadata": {"uid": meta["uid"]}, "status": patch},
            query=[("fieldManager", MANAGER)],
            content_type=MERGE,
        )


def _replacing(old: Manifest, new: Manifest) -> Manifest:
    """The merge after which just the new value is left, however deep the old one was."""
    patch: Manifest = {name: None for name in old if name not in new}
    for name, value in new.items():
        nested = isinstance(value, dict) and isinstance(old.get(name), dict)
        patch[name] = _replacing(old[name], value) if nested else value
    return patch


def without_replicas(manifest: Manifest) -> Manifest:
    """A Deployment's manifest without its number of replicas."""
    spec = {name: value for name, value in manifest["spec"].items() if name != "replicas"}
    return manifest | {"spec": spec}


def claims_replicas(live: Manifest) -> bool:
    """Whether the operator's applied fields still own the number of replicas, alone or not."""
    for entry in live["metadata"].get("managedFields") or ():
        if (entry.get("manager"), entry.get("operation")) == (MANAGER, "Apply"):
            owned: dict[str, Any] = entry.get("fieldsV1") or {}
            return "f:replicas" in owned.get("f:spec", {})
    return False


def is_scaled_by_others(live: Manifest | None) -> bool:
    """Whether somebody set the number of replicas through the subresource for it."""
    entries = (live or {}).get("metadata", {}).get("managedFields") or ()
    return any(
        entry.get("subresource") == "scale"
        and "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
        for entry in entries
    )


def controller(manifest: Manifest) -> str | None:
    """The uid of the one owner that answers for an object, where there is one."""
    for owner in manifest["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return None


def _named(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"
