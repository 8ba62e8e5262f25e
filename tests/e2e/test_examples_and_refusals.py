"""What the API server says of the examples, and of a resource with a mistake in it."""

import pytest
import yaml
from e2e.kubectl import KubectlError
from e2e.release import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_accepted(release, kubectl, path):
    kubectl.apply(*yaml.safe_load_all(path.read_text()), dry_run=True)


def service(**spec):
    return {
        "apiVersion": "remoe.dev/v1alpha1",
        "kind": "MoEService",
        "metadata": {"name": "refused"},
        "spec": {"model": {"uri": "demo://"}, **spec},
    }


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (
            {"main": {"minReplicas": 3, "maxReplicas": 2}},
            "maxReplicas must be at least",
        ),
        ({"model": {"uri": "s3://bucket"}}, "spec.model.uri"),
        ({"slo": {"ttft": "soon"}}, "spec.slo.ttft"),
        ({"experts": {"tiers": []}}, "spec.experts.tiers"),
        ({"expert": {}}, 'unknown field "expert"'),
    ],
)
def test_a_mistake_is_refused_by_the_name_of_its_field(release, kubectl, spec, named):
    with pytest.raises(KubectlError, match=named):
        kubectl.apply(service(**spec), dry_run=True)


def test_every_field_is_explained(release, kubectl):
    assert "DESCRIPTION" in kubectl("explain", "moeservice.spec.experts.keepAlive")
