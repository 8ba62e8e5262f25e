"""The rules of the house that no linter knows."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()
SOURCES = [ROOT / name for name in TRACKED if name.endswith(".py") and "/src/" in name]


def test_no_package_shadows_the_standard_library():
    shallow = [n for n in TRACKED if n.endswith("__init__.py") and n.count("/") < 2]
    assert shallow == []


def test_tests_are_no_package():
    assert [n for n in TRACKED if n.startswith("tests/") and n.endswith("__init__.py")] == []


def test_the_standard_operator_is_what_operator_means():
    code = "import operator; print(operator.__file__)"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "site-packages" not in out.stdout
    assert not out.stdout.startswith(str(ROOT / "operator"))


def test_constraints_name_versions_and_no_addresses():
    lines = (ROOT / "constraints.txt").read_text().split()
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+!]+", line)] == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_is_one_room(source):
    text = source.read_text()
    assert text.count("\n") <= 400
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, functions) and node.end_lineno - node.lineno + 1 > 60
    ]
    assert long == []


@pytest.mark.parametrize(
    "source",
    [path for path in SOURCES if path.name == "__init__.py"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_package_opens_with_its_charter_and_nothing_else(source):
    body = ast.parse(source.read_text()).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)


def test_an_expert_function_loads_no_framework():
    code = (
        "import sys, remoe_functions.expert.__main__\n"
        "heavy = {'torch', 'transformers', 'scipy', 'pydantic', 'fastapi', 'prometheus_client'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_gateway_loads_no_torch():
    code = (
        "import sys, remoe_functions.gateway.process\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
