"""What in the chart is made from elsewhere is up to date, and everything it says is said once."""

import json
import subprocess
import sys

import yaml
from builders.chart import CHART, ROOT, helm, one, rendered, template

from remoe_operator.resource.definition import definition


def test_made_files_are_as_they_would_be_made_now():
    done = subprocess.run(
        [sys.executable, str(ROOT / "charts/generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_definition_comes_out_of_helm_as_it_went_in():
    made = one(rendered(), "CustomResourceDefinition")
    assert made["spec"] == definition()["spec"]
    assert made["metadata"]["name"] == definition()["metadata"]["name"]


def test_the_definition_is_kept_on_uninstall_unless_told_otherwise():
    kept = one(rendered(), "CustomResourceDefinition")
    gone = one(rendered(crds__keep=False), "CustomResourceDefinition")
    assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "annotations" not in gone["metadata"]


def test_the_definition_is_left_to_others_if_asked():
    kinds = {made["kind"] for made in rendered(crds__install=False)}
    assert "CustomResourceDefinition" not in kinds
    assert "Deployment" in kinds


def test_helm_finds_nothing_to_complain_of():
    command = [helm(), "lint", "--strict", "--quiet", str(CHART)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_value_is_described():
    told = {
        row.split("`")[1] for row in (CHART / "README.md").read_text().splitlines() if "| `" in row
    }
    assert leaves(yaml.safe_load((CHART / "values.yaml").read_text())) - told == set()


def leaves(values, path=""):
    """Names of the values that a user sets; those of Kubernetes' own objects are one value."""
    whole = ("resources", "labels")
    if not isinstance(values, dict) or not values or path.rsplit(".", 1)[-1] in whole:
        return {path}
    below = (leaves(value, f"{path}.{name}".strip(".")) for name, value in values.items())
    return set().union(*below)


def test_chart_and_operator_have_one_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (ROOT / "operator/pyproject.toml").read_text()
    assert f'version = "{chart["appVersion"]}"' in project


def test_a_cluster_that_is_too_old_is_refused_in_words():
    done = template({}, "--kube-version", "1.27.0")
    assert done.returncode != 0
    assert "requires kubeVersion" in done.stderr


def test_notes_tell_commands_for_the_namespaces_looked_after():
    command = [helm(), "install", "remoe", str(CHART), "--dry-run=client", "--namespace", "system"]
    done = subprocess.run(
        [*command, "--set", "watchNamespaces={team-a,team-b}", "--set", "crds.install=false"],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": "/nonexistent", "KUBECONFIG": "/nonexistent"},
    )
    notes = done.stdout.split("NOTES:")[1]
    assert "kubectl -n team-a apply" in notes
    assert "team-a, team-b" in notes
    assert "was not installed" in notes


def test_the_schema_is_json_schema():
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["additionalProperties"] is False
