"""The disk's first work: it is asked for a function's weights before Python has imported anything.

Half of a cold start is the disk, the other half the processor; only so do they overlap. What is
asked for is a guess by the names of tensors, and nothing here is believed or complained about:
which weights are served, and whether they are whole, is found by `opening`, which reads what was
missed.

Small things come first: what the model's check needs (headers, samples) would else wait behind all
the weights. Each import here delays the disk, hence paths as strings, and no more than `json`.
"""

# pathlib takes longer to import than all this takes.
# ruff: noqa: PTH110, PTH118, PTH123

from __future__ import annotations

import _thread
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from remoe_functions.checkpoint.files import (
    CONFIG_FILE,
    INDEX_FILE,
    LENGTH_BYTES,
    SAMPLE_BYTES,
    SINGLE_FILE,
    sample_spots,
)

Range = tuple[str, int, int]
Experts = Sequence[tuple[int, int]]
_STACKED = ("experts", "_linear")  # in the names of tensors that hold all experts of a layer


def begin(arguments: Sequence[str]) -> None:
    """Ask for what a function with this command line will want; returns while it is being read."""
    try:
        ranges = _joined(sorted(_wanted(_options(arguments))))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return  # `opening` meets the same, and says it in words
    _thread.start_new_thread(_read, (ranges,))


def _options(arguments: Sequence[str]) -> dict[str, str]:
    words = [part for word in arguments for part in word.split("=", word.startswith("--"))]
    return dict(zip(words, words[1:]))  # noqa: B905, RUF007 (itertools would be one more import)


def _wanted(options: Mapping[str, str]) -> Iterator[Range]:
    with open(options["--plan"], "rb") as file:
        plan = json.load(file)
    functions = {function["name"]: function["experts"] for function in plan["functions"]}
    pairs = (text.split("/") for text in functions[options["--function"]])
    experts = [(int(layer), int(index)) for layer, index in pairs]
    count = plan["architecture"]["experts_per_layer"]
    homes = _homes(options["--model"])
    _ask_for_small_things(options["--model"], sorted(set(homes.values())))
    if "--experts" in options:
        homes = {"": options["--experts"]}
    paths = set(homes.values()) if "" in homes else {homes[n] for n in _names(homes, experts)}
    for path in paths:
        yield from _ranges(path, experts, count)


def _homes(model: str) -> dict[str, str]:
    """The file of each tensor; of no name where one file has them all."""
    single = os.path.join(model, SINGLE_FILE)
    if os.path.exists(single):
        return {"": single}
    with open(os.path.join(model, INDEX_FILE), "rb") as file:
        names = json.load(file)["weight_map"]
    return {name: os.path.join(model, file) for name, file in names.items()}


def _ask_for_small_things(model: str, paths: Sequence[str]) -> None:
    """Have the config, headers and samples on their way, all at once."""
    with open(os.path.join(model, CONFIG_FILE), "rb") as file:
        file.read()
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            descriptor, size = file.fileno(), os.fstat(file.fileno()).st_size
            header = int.from_bytes(os.pread(descriptor, LENGTH_BYTES, 0), "little")
            samples = [(at, SAMPLE_BYTES) for at in sample_spots(size, header, len(paths))]
            for at, length in [(0, LENGTH_BYTES + header), *samples]:
                os.posix_fadvise(descriptor, at, length, os.POSIX_FADV_WILLNEED)


def _names(known: Iterable[str], experts: Experts) -> dict[str, list[int] | None]:
    """Tensors of these experts: of one each (None), or entries of a stack."""
    words = (name.split(".") for name in known)
    places = ((w, [i for i, word in enumerate(w) if word.isdecimal()]) for w in words)
    found = next(((w, at) for w, at in places if len(at) == 2 and w[at[1] - 1] == "experts"), None)
    if found is None:
        return dict(_stacks(known, experts))
    like, (layer_at, expert_at) = found
    prefix = ".".join(like[: expert_at + 1]) + "."
    ends = [name[len(prefix) :] for name in known if name.startswith(prefix)]
    head, middle = ".".join(like[:layer_at]), ".".join(like[layer_at + 1 : expert_at])
    return {f"{head}.{layer}.{middle}.{k}.{end}": None for layer, k in experts for end in ends}


def _stacks(known: Iterable[str], experts: Experts) -> Iterator[tuple[str, list[int] | None]]:
    for name in known:
        numbers = [word for word in name.split(".") if word.isdecimal()]
        entries = [k for layer, k in experts if [str(layer)] == numbers]
        if entries and any(word in name for word in _STACKED):
            yield name, entries


def _ranges(path: str, experts: Experts, count: int) -> Iterator[Range]:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        header = json.loads(file.read(length))
    for name, entries in _names(header, experts).items():
        if name not in header:  # in another file
            continue
        begin, end = (LENGTH_BYTES + length + at for at in header[name]["data_offsets"])
        size = end - begin if entries is None else (end - begin) // count
        for entry in entries or (0,):
            yield path, begin + entry * size, begin + (entry + 1) * size


def _joined(ranges: Sequence[Range]) -> list[Range]:
    joined: list[Range] = []
    for path, begin, end in ranges:
        if joined and joined[-1][0] == path and joined[-1][2] == begin:
            joined[-1] = (path, joined[-1][1], end)
        else:
            joined.append((path, begin, end))
    return joined


def _read(ranges: Sequence[Range]) -> None:
    """Send them to nowhere: the system keeps what it has read, and nothing is copied."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for path, begin, end in ranges:
        try:
            with open(path, "rb", buffering=0) as file:
                sent = 1
                while begin < end and sent:
                    sent = os.sendfile(nowhere, file.fileno(), begin, end - begin)
                    begin += sent
        except OSError:
            break
    os.close(nowhere)
