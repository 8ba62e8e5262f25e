"""`python -m remoe_operator.resource`: print the definition, for the chart's file."""

from __future__ import annotations

import sys

import yaml

from remoe_operator.resource.definition import definition

sys.stdout.write(yaml.safe_dump(definition(), sort_keys=False, width=100))
