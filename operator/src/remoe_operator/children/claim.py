"""The claim of our own: what is fetched, and what is recorded."""

from __future__ import annotations

from remoe_operator.children import names
from remoe_operator.children.labels import Component
from remoe_operator.children.manifest import Manifest, owned
from remoe_operator.children.service import Service
from remoe_operator.children.source import is_own_claim
from remoe_operator.resource.quantity import bytes_of, memory
from remoe_operator.resource.spec import MoEServiceSpec

_DEMO, _FETCHED = "4Gi", "50Gi"


def claim(service: Service) -> Manifest:
    """The PersistentVolumeClaim `<service>-data`.

    Its size may grow and nothing else of it may change, which the resource's rules see to.
    """
    storage = service.spec.model.storage
    made = owned(service, "PersistentVolumeClaim", names.data(service.name), Component.DATA)
    made["spec"] = {
        "accessModes": [storage.access_mode.value],
        "resources": {"requests": {"storage": memory(bytes_of(size_of(service.spec)))}},
    }
    if storage.storage_class_name is not None:
        made["spec"]["storageClassName"] = storage.storage_class_name
    return made


def size_of(spec: MoEServiceSpec) -> str:
    """How large it is."""
    if is_own_claim(spec):
        return spec.history.max_size
    return spec.model.storage.size or (_DEMO if spec.model.uri == "demo://" else _FETCHED)
