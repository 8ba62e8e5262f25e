"""What every image promises, read from the files that it is built from."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "functions/images"
DOCKERFILES = sorted([*IMAGES.glob("*.Dockerfile"), ROOT / "operator/Dockerfile"])
ENTRY_POINTS = {
    "remoe_functions.expert",
    "remoe_functions.fetching",
    "remoe_functions.gateway",
    "remoe_functions.main",
    "remoe_operator",
}


def last_stage(path):
    return re.split(r"^FROM ", path.read_text(), flags=re.M)[-1]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_runs_as_nobody(path):
    assert re.findall(r"^USER (.+)$", last_stage(path), re.M) == ["65532:65532"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_is_built_from_the_base_that_the_builder_names_and_knows_no_registry(path):
    text = path.read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.M))
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) <= stages | {"${BASE_IMAGE}", "scratch"}
    assert "://" not in text


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_what_an_image_installs_is_pinned(path):
    installs = re.findall(
        r"pip (?:--python \S+ )?install .*?(?=&&|\n\S|\Z)", path.read_text(), re.S
    )
    assert installs
    assert [i for i in installs if "--constraint" not in i and "/wheels/*.whl" not in i] == []


def test_every_part_has_an_image_that_starts_it():
    commands = [re.search(r"^ENTRYPOINT (.+)$", last_stage(path), re.M) for path in DOCKERFILES]
    assert {command[1] for command in commands} == {
        f'["python", "-m", "{module}"]' for module in ENTRY_POINTS
    }


def printed(*arguments):
    command = [sys.executable, str(IMAGES / "requirements.py"), *arguments]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return out.stdout.split()


def test_requirements_are_the_package_s_own_and_its_extras_and_none_of_ours():
    bare = printed("functions/pyproject.toml")
    assert "numpy" in bare
    assert "torch" not in bare
    main = printed("functions/pyproject.toml[main]", "planner/pyproject.toml")
    assert {"torch", "numpy", "scipy"} <= set(main)
    assert len(set(main)) == len(main)
    assert not [name for name in main if name.startswith("remoe")]


def test_an_extra_brings_the_extras_that_it_refers_to():
    assert {"torch", "jinja2"} <= set(printed("functions/pyproject.toml[cli]"))
    assert "torch" not in printed("functions/pyproject.toml[cli]", "--without", "torch")
