"""What every object in the resource has in common: camelCase outside, frozen, nothing unknown."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from remoe_operator.resource.wording import FORM


class ResourceModel(BaseModel):
    """An object of the resource. Field names are Python's here and camelCase in YAML."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


DURATION_PATTERN = r"^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$"

Duration = Annotated[
    str,
    Field(
        pattern=DURATION_PATTERN,
        max_length=40,
        json_schema_extra={FORM: "a duration, such as 300ms, 2s or 1m30s"},
    ),
]
"""Such as `300ms`, `2s` or `1m30s`: those of CEL's durations that cannot overflow it."""

Memory = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,15}(\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?$",
        max_length=24,
        json_schema_extra={FORM: "bytes as a quantity, such as 512Mi or 2Gi"},
    ),
]
"""A Kubernetes quantity of bytes."""

Cpu = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{1,4}(\.[0-9]{1,3})?|[0-9]{1,7}m)$",
        max_length=10,
        json_schema_extra={FORM: "cores as a quantity, such as 500m or 2"},
    ),
]
"""A Kubernetes quantity of cores."""

Name = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]
"""The name of another object."""
