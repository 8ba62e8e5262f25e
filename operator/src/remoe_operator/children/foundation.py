"""What a service stands on before anything runs: claim, accounts, rights, network policies."""

from __future__ import annotations

from remoe_operator.children.accounts import accounts
from remoe_operator.children.claim import claim
from remoe_operator.children.manifest import Manifest
from remoe_operator.children.network import fences
from remoe_operator.children.service import Service
from remoe_operator.children.source import has_data_claim
from remoe_operator.settings import Settings


def foundation(service: Service, settings: Settings) -> tuple[Manifest, ...]:
    """In the order in which they are to be applied. The token's Secret is made elsewhere."""
    claims = (claim(service),) if has_data_claim(service.spec) else ()
    return (*accounts(service), *fences(service, settings), *claims)
