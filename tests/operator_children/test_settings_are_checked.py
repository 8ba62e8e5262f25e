"""The operator's own file: read, checked, and refused in one line that names the field."""

from __future__ import annotations

import json

import pytest
from builders.moe_services import settings

from remoe_operator.settings import ImageKey, Settings, SettingsError

IMAGES = {key.value: {"image": "a:1"} for key in ImageKey}


def test_images_are_all_that_must_be_said():
    given = settings()
    assert given.image(ImageKey.MAIN).image == "remoe/main:1"
    assert (given.gateway.replicas, given.gateway.drain_seconds) == (2, 300)
    assert given.network_policy.enabled


def test_the_file_is_read(tmp_path):
    file = tmp_path / "operator.json"
    file.write_text(json.dumps({"images": IMAGES, "clusterDomain": "example.org"}))
    assert Settings.read(file).cluster_domain == "example.org"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "images"),
        ({"images": {}}, "images: missing main, expert, gateway, fetch"),
        ({"images": {"main": {"image": "a:1"}}}, "missing expert, gateway, fetch"),
        ({"images": IMAGES | {"other": {"image": "a:1"}}}, "images.other"),
        ({"images": IMAGES | {"main": {"image": ""}}}, "images.main.image"),
        ({"images": IMAGES, "gateway": {"replicas": 0}}, "gateway.replicas"),
        ({"images": IMAGES, "gateway": {"service": {"type": "None"}}}, "gateway.service.type"),
        ({"images": IMAGES, "unheard": 1}, "unheard"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, body, words):
    file = tmp_path / "operator.json"
    file.write_text(json.dumps(body))
    with pytest.raises(SettingsError, match=words) as refused:
        Settings.read(file)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_file_and_no_json_are_refused(tmp_path):
    file = tmp_path / "operator.json"
    with pytest.raises(SettingsError, match="cannot read"):
        Settings.read(file)
    file.write_text("images:")
    with pytest.raises(SettingsError, match="JSON"):
        Settings.read(file)
