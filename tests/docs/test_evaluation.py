"""The README claims nothing that the evaluation's page does not say in the same words."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "evaluation.md"
# Figures of cost and speed; others (versions, sizes of an example) claim nothing.
CLAIM = re.compile(r"\d\s?%|\d\s?(?:\u00d7|times\b|x\b)|\d\s?.?USD")


def claims(text):
    """Items and paragraphs with such a figure, in one line each; code and tables aside."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for block in re.split(r"\n\s*\n|\n(?=- )", prose):
        line = " ".join(block.split()).removeprefix("- ")
        if CLAIM.search(line) and not line.startswith("|"):
            yield line


def test_a_claim_is_an_item_or_a_paragraph_with_a_figure():
    text = "Words.\n\n- costs 5 %\n  less\n- Python 3\n\n```\n7 %\n```\n\n| 8 % |\n"
    assert list(claims(text)) == ["costs 5 % less"]


def test_the_readme_quotes_the_evaluation_word_for_word():
    page = " ".join(PAGE.read_text("utf-8").split()) if PAGE.exists() else ""
    assert [
        line for line in claims((ROOT / "README.md").read_text("utf-8")) if line not in page
    ] == []


@pytest.mark.skipif(not PAGE.exists(), reason="the evaluation was never run")
def test_the_readme_leads_to_the_evaluation():
    assert "(docs/evaluation.md)" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.skipif(not PAGE.exists(), reason="the evaluation was never run")
def test_links_of_the_page_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text("utf-8")):
        assert (PAGE.parent / target).exists(), target
