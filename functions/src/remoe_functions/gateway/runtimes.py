"""Where each model's parts run: processes behind one control socket, pods, or fixed addresses.

Which runtime it is follows from the configuration; from here on nobody can tell.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from remoe_functions.gateway.config import ConfigError, GatewayConfig, ModelConfig
from remoe_functions.gateway.static_runtime import StaticRuntime
from remoe_functions.runtime.control_client import CONTROL, ControlClient
from remoe_functions.runtime.errors import RuntimeUnavailable
from remoe_functions.runtime.runtime import Runtime


def runtimes_for(config: GatewayConfig) -> Mapping[str, Runtime]:
    """Each model's runtime by the model's name; models may share one.

    Raises:
        ConfigError: there is no access to the cluster; or no cluster, no address and no
            $REMOE_CONTROL.
    """
    if config.cluster is not None:
        namespace = config.cluster.namespace
        try:
            return {model.name: _in_cluster(namespace, model) for model in config.models}
        except RuntimeUnavailable as error:
            raise ConfigError(f"the cluster cannot be talked to: {error}") from error
    fixed = {m.name: StaticRuntime({m.main_part: m.main_url}) for m in config.models if m.main_url}
    if fixed:
        return fixed
    path = os.environ.get(CONTROL)
    if not path:
        raise ConfigError(
            f"{CONTROL} is not set, and the configuration has neither a cluster nor main_url"
        )
    return dict.fromkeys((model.name for model in config.models), ControlClient(path))


async def close_runtimes(runtimes: Iterable[Runtime]) -> None:
    """Close what has something to close, each once."""
    for runtime in {id(runtime): runtime for runtime in runtimes}.values():
        close = getattr(runtime, "aclose", None)
        if close is not None:
            await close()


def _in_cluster(namespace: str, model: ModelConfig) -> Runtime:
    # Not on a laptop: the Kubernetes client takes its time to load.
    from remoe_functions.runtime.kubernetes.runtime import KubernetesRuntime

    # Both are there, as the configuration has checked.
    return KubernetesRuntime(namespace, model.service or "", model.plan_digest or "")
