"""Builds the native kernel: one shared library that serves every processor of its architecture.

Compiled by the `ziglang` wheel, so that a machine needs no compiler and every machine gets the same
code; REMOE_CC names another (clang-compatible) compiler, e.g. `REMOE_CC=clang-18`. On a platform
that the kernel is not written for (neither Linux nor macOS on x86-64 or 64-bit Arm), and with
REMOE_CC=none, the package is built without it and computes with numpy.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "src/remoe_functions/kernel/libremoe_kernel.so"
FLAGS = (
    *("-std=c11", "-O3", "-fPIC", "-fvisibility=hidden", "-D_GNU_SOURCE"),
    *("-ffp-contract=fast", "-fno-math-errno", "-fno-sanitize=all"),
    *("-Wall", "-Wextra", "-Werror"),
)
COMMON: dict[str, tuple[str, ...]] = dict.fromkeys(
    (
        *("layer.c", "answer.c", "linear.c", "attention_step.c", "stretch.c"),
        *("pool.c", "room.c", "read.c", "instructions.c"),
    ),
    (),
)
V3 = ("-mavx2", "-mfma", "-mf16c")
V4 = (*V3, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512")
# What a file is compiled for beyond the architecture's least.
SOURCES: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": COMMON
    | {
        "instructions_plain.c": (),
        "instructions_avx2.c": V3,
        "instructions_avx512.c": V4,
        "instructions_avx512_bf16.c": (*V4, "-mavx512bf16", "-mavx512vnni", "-mavx512vbmi"),
    },
    "aarch64": COMMON | {"instructions_plain.c": (), "instructions_neon.c": ()},
}
SAME_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}
# glibc 2.17 is what manylinux2014 promises; a wheel runs wherever that or a later one is.
TARGETS = {"linux": "{}-linux-gnu.2.17", "darwin": "{}-macos"}


def machine() -> str:
    """The processor's architecture, by the name that compilers use."""
    name = platform.machine().lower()
    return SAME_MACHINE.get(name, name)


def compiler(target: str) -> list[str]:
    """The command that compiles for `target`."""
    if chosen := os.environ.get("REMOE_CC"):
        return shlex.split(chosen)
    return [sys.executable, "-m", "ziglang", "cc", "-target", target]


def caches(root: Path) -> str:
    """Where the compiler may keep what it has made: in the build folder, never in the home."""
    folder = root / "build" / "zig"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return tempfile.mkdtemp(prefix="remoe-zig-")
    return str(folder)


def run(command: Sequence[str], cache: str) -> None:
    """Run a compiler.

    Raises:
        RuntimeError: it refused; says why.
    """
    places = {"ZIG_LOCAL_CACHE_DIR": cache, "ZIG_GLOBAL_CACHE_DIR": cache}
    done = subprocess.run(
        command, env=places | os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stderr}")


def build(root: Path, library: Path, *, architecture: str, system: str) -> None:
    """Compile `native/*.c` of the package's root into `library`.

    Raises:
        RuntimeError: the compiler refused; says why.
    """
    command, cache = compiler(TARGETS[system].format(architecture)), caches(root)
    with tempfile.TemporaryDirectory(prefix="remoe-kernel-") as folder:
        objects = {name: str(Path(folder) / f"{name}.o") for name in SOURCES[architecture]}
        jobs = [
            [*command, *FLAGS, *flags, "-c", str(root / "native" / name), "-o", objects[name]]
            for name, flags in SOURCES[architecture].items()
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda job: run(job, cache), jobs))
        made = Path(folder) / library.name
        run([*command, "-shared", "-s", *objects.values(), "-o", str(made), "-lpthread"], cache)
        # Renamed into place: a process that has the old one mapped keeps it whole.
        beside = library.with_suffix(".new")
        shutil.copy(made, beside)
        beside.replace(library)


class NativeKernelHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the library beside the code that loads it, for wheels and editable installs alike."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        known = sys.platform in TARGETS and machine() in SOURCES
        if self.target_name != "wheel" or not known or os.environ.get("REMOE_CC") == "none":
            return
        root = Path(self.root)
        build(root, root / LIBRARY, architecture=machine(), system=sys.platform)
        build_data["artifacts"].append(LIBRARY)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"


def platform_tag() -> str:
    """The wheel's platform: on Linux, any distribution with glibc 2.17 or later."""
    if sys.platform == "linux":
        return f"manylinux_2_17_{machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
