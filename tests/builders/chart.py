"""The chart as Helm renders it, with no cluster. Rendered once for each set of values."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/remoe"
NAMESPACE = "system"


def helm():
    """Where helm is: the one that is brought first, since its version is known. None without."""
    brought = Path(os.environ.get("REMOE_CACHE", ROOT / ".cache")) / "bin/helm"
    return str(brought) if brought.exists() else shutil.which("helm")


def rendered(**values):
    """Every manifest, in a list; `crd` leaves out what has none. Names like `a__b` go deeper."""
    return yaml_of(json.dumps(nested(values)))


@cache
def yaml_of(values):
    done = template(json.loads(values))
    if done.returncode:
        raise ValueError(done.stderr)
    return [made for made in yaml.safe_load_all(done.stdout) if made]


def template(values, *extra, release="remoe"):
    """Run `helm template`; the finished process, well or not."""
    command = [helm(), "template", release, str(CHART), "--namespace", NAMESPACE, "--values", "-"]
    return subprocess.run(
        [*command, *extra],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def nested(values):
    """`{"a__b": 1}` as `{"a": {"b": 1}}`."""
    made = {}
    for name, value in values.items():
        *path, last = name.split("__")
        here = made
        for step in path:
            here = here.setdefault(step, {})
        here[last] = value
    return made


def of_kind(manifests, kind):
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def one(manifests, kind, name=None):
    """The one manifest of this kind, and name."""
    (found,) = (m for m in of_kind(manifests, kind) if name in (None, m["metadata"]["name"]))
    return found
