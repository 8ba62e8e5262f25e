"""The pages for users know every reason that a status may give, and their links lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

from remoe_functions.fetching.errors import Reason

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ("kubernetes.md", "troubleshooting.md")
OPERATOR = ROOT / "operator" / "src" / "remoe_operator"
# Statuses of a service that is well: nothing to shoot.
WELL = {"Fetched", "Planned", "Serving", "Healthy", "NoFunctions", "Available", "Planning"}
# Said of a side while an earlier one is the matter, or passing within seconds.
SECONDARY = {"NotMade", "WaitsForPlan", "Conflict", "NotFound", "ClusterError", "Crashed", "Failed"}


def constants(call):
    return [a.value for a in (*call.args, *(k.value for k in call.keywords)) if is_word(a)]


def is_word(node):
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[A-Z][A-Za-z]+", node.value) is not None
    )


def reasons_of_the_operator():
    """Words in the calls that make statements, troubles and refusals, and on error classes."""
    for path in (*(OPERATOR / "reconcile").glob("*.py"), *(OPERATOR / "planned").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(getattr(node, "func", None), "id", "")
            if name in ("_said", "_trouble", "Trouble", "Refused"):
                yield from constants(node)
    for node in ast.walk(ast.parse((OPERATOR / "cluster" / "errors.py").read_text())):
        if isinstance(node, ast.AnnAssign | ast.Assign) and is_word(node.value):
            yield node.value.value


def test_every_reason_of_a_fetch_is_told():
    page = (DOCS / "troubleshooting.md").read_text()
    assert [reason for reason in Reason if f"`{reason}`" not in page] == []


def test_every_reason_of_the_operator_is_told():
    page = (DOCS / "troubleshooting.md").read_text()
    known = set(reasons_of_the_operator())
    assert {"TokenSecretMissing", "NothingFits", "OOMKilled", "Forbidden"} <= known
    assert sorted(r for r in known - WELL - SECONDARY if f"`{r}`" not in page) == []


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    page = (DOCS / name).read_text()
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page):
        assert (DOCS / target).exists(), target
    for page_name, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page):
        text = (DOCS / (page_name or name)).read_text()
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert anchor in [re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings]
