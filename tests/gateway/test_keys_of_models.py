"""Keys per model, as files: who may use which model, and keys that change while it runs."""

import os

import pytest
from gateway.several import in_cluster, shared

from remoe_functions.gateway.errors import InvalidKey
from remoe_functions.gateway.key_directory import KeyDirectory


def secret(folder, version, **keys):
    """Mount keys as the kubelet does: files are links into a folder that is swapped whole."""
    (folder / f"..{version}").mkdir(parents=True)
    for name, key in keys.items():
        (folder / f"..{version}" / name).write_text(f"{key}\n")
    (folder / "..new").symlink_to(f"..{version}")
    (folder / "..new").replace(folder / "..data")
    for stale in folder.iterdir():
        if not stale.name.startswith(".") and stale.name not in keys:
            stale.unlink()
    for name in keys:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    return folder


@pytest.fixture
def three(tmp_path, model_directory):
    """Alice has both a and b, bob has b alone, c is open."""
    a = secret(tmp_path / "a", 1, alice="sk-alice")
    b = secret(tmp_path / "b", 1, alice="sk-alice", bob="sk-bob")
    return (
        in_cluster("a", model_directory, keys_directory=a),
        in_cluster("b", model_directory, keys_directory=b),
        in_cluster("c", model_directory),
    )


@pytest.mark.parametrize(
    ("key", "names"),
    [("sk-alice", ["a", "b", "c"]), ("sk-bob", ["b", "c"]), ("sk-none", ["c"]), (None, ["c"])],
)
async def test_models_are_listed_to_who_may_use_them(key, names, three):
    async with shared(*three) as w:
        listed = await w.listed(key)
        statuses = [(await w.ask(name, key)).status_code == 200 for name in "abc"]
    assert list(listed) == names
    assert statuses == [name in names for name in "abc"]


async def test_model_of_others_looks_like_one_that_is_not_there(three):
    async with shared(*three) as w:
        for key, status in (("sk-bob", 404), ("sk-none", 401), (None, 401)):
            answers = [await w.ask(name, key) for name in ("a", "x")]
            assert [answer.status_code for answer in answers] == [status, status]
            theirs, nobodys = (answer.json()["error"]["message"] for answer in answers)
            assert theirs.replace("'a'", "'x'") == nobodys
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            answer = await w.get("/v1/models/a", headers=headers)
            assert answer.status_code == status


async def test_without_any_open_model_the_body_is_not_read(three):
    async with shared(*three[:2]) as w:
        answer = await w.post("/v1/completions", {"broken": 1})
        assert answer.status_code == 401
        assert (await w.get("/v1/models")).status_code == 401


async def test_key_is_counted_by_the_name_it_has_for_the_model(three):
    async with shared(*three) as w:
        await w.ask("b", "sk-bob")
        text = (await w.get("/metrics")).text
    assert 'remoe:requests_total{key="bob",model_name="b",outcome="ok"} 1.0' in text
    assert "sk-bob" not in text


async def test_tokenizing_needs_no_name_where_the_key_opens_one_model(three):
    async with shared(*three[:2]) as w:
        headers = {"authorization": "Bearer sk-bob"}
        answer = await w.post("/tokenize", {"prompt": "hello"}, headers=headers)
        both = {"authorization": "Bearer sk-alice"}
        unclear = await w.post("/tokenize", {"prompt": "hello"}, headers=both)
    assert (answer.status_code, unclear.status_code) == (200, 400)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 10.0
        return self.now


def test_rotated_key_opens_and_the_old_one_no_longer(tmp_path):
    keys = KeyDirectory(secret(tmp_path / "k", 1, alice="old"), clock=Clock())
    assert keys.ring().name_of("Bearer old") == "alice"
    secret(tmp_path / "k", 2, alice="new", bob="his")
    assert keys.ring().name_of("Bearer new") == "alice"
    assert keys.ring().name_of("Bearer his") == "bob"
    with pytest.raises(InvalidKey):
        keys.ring().name_of("Bearer old")


def test_key_written_over_in_place_is_seen(tmp_path):
    (tmp_path / "alice").write_text("one")
    keys = KeyDirectory(tmp_path, clock=Clock())
    assert keys.ring().find("Bearer one") == "alice"
    (tmp_path / "alice").write_text("three")
    assert keys.ring().find("Bearer three") == "alice"
    (tmp_path / "alice").unlink()
    assert keys.ring().find("Bearer three") is None


def nothing(folder):
    folder.mkdir()


def empty_key(folder):
    folder.mkdir()
    (folder / "alice").write_text("\n")


def endless_key(folder):
    folder.mkdir()
    (folder / "alice").write_text("a" * 5000)


def no_text(folder):
    folder.mkdir()
    (folder / "alice").write_bytes(b"\xff\xfe")


def hidden(folder):
    folder.mkdir()
    (folder / ".alice").write_text("sk")


def folders(folder):
    (folder / "alice").mkdir(parents=True)


def dangling(folder):
    folder.mkdir()
    (folder / "alice").symlink_to("nowhere")


@pytest.mark.parametrize(
    "prepare",
    [nothing, empty_key, endless_key, no_text, hidden, folders, dangling, lambda folder: None],
)
def test_folder_without_a_key_opens_to_nobody(prepare, tmp_path, caplog):
    prepare(tmp_path / "k")
    ring = KeyDirectory(tmp_path / "k").ring()
    assert not ring.is_open
    for header in (None, "Bearer", "Bearer sk", "Bearer ", f"Bearer {'a' * 5000}"):
        assert ring.find(header) is None
    assert "aaaa" not in caplog.text


def test_folder_is_looked_at_once_a_second(tmp_path, monkeypatch):
    looks = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looks.append(path) or scan(path))
    keys = KeyDirectory(secret(tmp_path / "k", 1, alice="sk"), clock=lambda: 5.0)
    for _ in range(100):
        assert keys.ring().find("Bearer sk") == "alice"
    assert len(looks) == 1
