"""Every example is what a MoEService may be, and shows what its name says."""

from pathlib import Path

import pytest
import yaml

from remoe_operator.resource.definition import GROUP, KIND, VERSION
from remoe_operator.resource.spec import Device, MoEServiceSpec

FOLDER = Path(__file__).parents[2] / "examples"
NAMES = (
    *("approval", "autoscaling", "bring-your-own-claim"),
    *("demo", "gpu", "strict-slo"),
)


def documents(name):
    return list(yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()))


def spec_of(name):
    (service,) = (found for found in documents(name) if found["kind"] == KIND)
    assert service["apiVersion"] == f"{GROUP}/{VERSION}"
    return MoEServiceSpec.model_validate(service["spec"])


def test_every_example_is_tested():
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_a_valid_service_without_unknown_fields(name):
    assert spec_of(name).model.uri


@pytest.mark.parametrize("name", NAMES)
def test_every_example_says_what_it_is_for(name):
    assert (FOLDER / f"{name}.yaml").read_text().startswith("# ")


def test_demo_is_five_lines():
    lines = (FOLDER / "demo.yaml").read_text().splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 5


def test_each_shows_what_its_name_says():
    assert spec_of("gpu").main.device is Device.GPU
    assert spec_of("gpu").model.uri.startswith("hf://")
    assert spec_of("strict-slo").slo.tpot is not None
    assert spec_of("bring-your-own-claim").model.uri.startswith("pvc://weights/")
    assert not spec_of("approval").auto_apply


def test_autoscaler_names_the_service_beside_it_and_keeps_to_its_bounds():
    service, scaler = documents("autoscaling")
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == (KIND, service["metadata"]["name"])
    assert scaler["spec"]["maxReplicas"] <= service["spec"]["main"]["maxReplicas"]
    assert service["spec"]["main"]["minReplicas"] >= 1
