"""Service accounts and their rights: to wake parts of a namespace, and to see whether they are up.

Functions and the fetch Job have accounts without any right, and no token is put into their pods.
"""

from __future__ import annotations

from collections.abc import Sequence

from remoe_operator.children import names
from remoe_operator.children.labels import Component
from remoe_operator.children.manifest import Manifest, owned
from remoe_operator.children.service import Service

_READ = ["get", "list", "watch"]
RULES: Sequence[Manifest] = (
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": _READ},
    {
        "apiGroups": ["apps"],
        "resources": ["deployments/scale"],
        "verbs": ["get", "patch", "update"],
    },
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    {"apiGroups": [""], "resources": ["pods"], "verbs": _READ},
)
"""What whoever wakes parts needs: main models and gateways."""


def accounts(service: Service) -> tuple[Manifest, ...]:
    """Of main, functions and the fetch Job, with main's role and its binding."""
    main = names.main(service.name)
    role = owned(service, "Role", main, Component.MAIN)
    binding = owned(service, "RoleBinding", main, Component.MAIN)
    return (
        with_token(owned(service, "ServiceAccount", main, Component.MAIN), given=True),
        with_token(
            owned(service, "ServiceAccount", names.functions(service.name), Component.FUNCTION),
            given=False,
        ),
        with_token(
            owned(service, "ServiceAccount", names.fetch(service.name), Component.FETCH),
            given=False,
        ),
        role | {"rules": [dict(rule) for rule in RULES]},
        binding | bound(main, service.namespace),
    )


def with_token(account: Manifest, *, given: bool) -> Manifest:
    """An account whose pods do or do not find a token of it."""
    return account | {"automountServiceAccountToken": given}


def bound(name: str, namespace: str) -> Manifest:
    """The rest of a binding of an account to the role of its name."""
    return {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
