"""What the user types becomes a folder, or a sentence that says why not."""

import pytest

from remoe_functions.source.errors import SourceError, SourceNotFoundError
from remoe_functions.source.reference import HubReference
from remoe_functions.source.source import resolve


def test_local_folder_is_named_after_itself(tmp_path):
    (tmp_path / "tiny").mkdir()
    source = resolve(str(tmp_path / "tiny"))
    assert (source.name, source.directory) == ("tiny", tmp_path / "tiny")


def test_folders_of_one_name_are_told_apart(tmp_path):
    for parent in ("a", "b"):
        (tmp_path / parent / "model").mkdir(parents=True)
    keys = {resolve(str(tmp_path / parent / "model")).key for parent in ("a", "b")}
    assert len(keys) == 2


def test_missing_folder_says_what_a_model_is(tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"none does not exist; a model is a checkpoint"):
        resolve(str(tmp_path / "none"))


def test_file_in_place_of_a_folder_is_told(tmp_path):
    (tmp_path / "model.gguf").write_text("")
    with pytest.raises(SourceNotFoundError, match="is a file, not a folder"):
        resolve(str(tmp_path / "model.gguf"))


@pytest.mark.parametrize(
    ("text", "repository", "revision"),
    [
        ("hf://org/name", "org/name", None),
        ("hf://Org-1/Na.me_2@v1.0", "Org-1/Na.me_2", "v1.0"),
        ("hf://a/b@refs/pr/1", "a/b", "refs/pr/1"),
    ],
)
def test_reference_is_read_and_written_alike(text, repository, revision):
    reference = HubReference.parse(text)
    assert (reference.repository, reference.revision) == (repository, revision)
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    ["hf://", "hf://name", "hf://a/b/c", "hf://a/b@", "hf://../b", "hf://a/b@x y", "hf://a/-"],
)
def test_reference_of_another_form_is_refused(text):
    with pytest.raises(SourceError, match=r"hf://org/name\[@revision\]"):
        resolve(text)
