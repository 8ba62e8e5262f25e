"""Copies this Python, and what its native parts are linked to, into the root of an image.

    bare_python.py ROOT [FOLDER ...]

An image of nothing but the interpreter, its standard library and the shared libraries that these
and the installed FOLDERs load has no shell, no package manager and a third of the size. Works for
any Python on glibc: what is needed is asked of `ldd`. Everything keeps its path.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode

# Parts of the standard library that a server never imports; some would bring libraries along.
LEFT_OUT = (
    *("__pycache__", "test", "tests", "idlelib", "lib2to3", "ensurepip", "tkinter", "turtledemo"),
    *("pydoc_data", "distutils", "site-packages", "dist-packages", "config-*", "_test*.so"),
    *("sqlite3", "_sqlite3*", "dbm", "_dbm*", "_gdbm*", "curses", "_curses*", "readline*", "nis*"),
)
# Links that a merged /usr needs for absolute paths such as the loader's; the linker's cache.
LINKS = ("lib", "lib64", "bin")
LINKER_CACHE = Path("/etc/ld.so.cache")
USER_ID = 65532


def copy(path: Path, root: Path) -> None:
    """Copy a file to its own real path below the root, and keep the name that it was asked by."""
    real = path.resolve()
    place = root / real.relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(real, place)
    asked = root / path.parent.resolve().relative_to("/") / path.name
    if asked != place:
        asked.parent.mkdir(parents=True, exist_ok=True)
        asked.unlink(missing_ok=True)
        asked.symlink_to(real)


def linked(binary: Path) -> Iterator[Path]:
    """The shared libraries of the system that a binary loads, the loader among them."""
    told = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)
    for line in told.stdout.splitlines():
        if found := re.search(r"(/\S+) \(0x", line):
            yield Path(found[1])


def binaries(folder: Path) -> Iterator[Path]:
    """Everything below a folder that the dynamic loader may be asked for."""
    return (p for p in folder.rglob("*") if re.search(r"\.so(\.|$)", p.name) and p.is_file())


def interpreter(root: Path) -> None:
    """The executable, by every name that an entry point may use, and the standard library."""
    executable = Path(sys.executable)
    copy(executable, root)
    for name in ("python", "python3"):
        link = root / executable.parent.relative_to("/") / name
        if not link.is_symlink() and not link.exists():
            link.symlink_to(executable.resolve())
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(
        library, root / library.relative_to("/"), symlinks=False, ignore_dangling_symlinks=True,
        ignore=shutil.ignore_patterns(*LEFT_OUT),
    )  # fmt: skip


def libraries(root: Path, folders: list[Path]) -> None:
    """What the interpreter, its modules and the folders' are linked to."""
    parts = [Path(sys.executable), *(binary for folder in folders for binary in binaries(folder))]
    needed = {library for part in parts for library in linked(part)}
    for library in sorted(needed):
        if not any(library.is_relative_to(folder) for folder in folders):
            copy(library, root)


def bytecode(root: Path) -> None:
    """Compile the copied standard library: on a read-only root nothing is compiled later."""
    library = root / Path(sysconfig.get_path("stdlib")).relative_to("/")
    compile_dir(
        library, quiet=1, stripdir=str(root), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
    )


def system(root: Path) -> None:
    """Links, the linker's cache, an unprivileged user, and a place for temporary files."""
    for name in LINKS:
        if (link := Path("/", name)).is_symlink():
            (root / name).symlink_to(link.readlink())
    (root / "etc").mkdir()
    copy(LINKER_CACHE, root)
    (root / "etc/passwd").write_text(f"remoe:x:{USER_ID}:{USER_ID}::/tmp:/nonexistent\n")
    (root / "etc/group").write_text(f"remoe:x:{USER_ID}:\n")
    (root / "tmp").mkdir(mode=0o1777)
    (root / "tmp").chmod(0o1777)


def main() -> None:
    """Fill the root."""
    root, folders = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    root.mkdir(parents=True)
    interpreter(root)
    bytecode(root)
    libraries(root, [Path(sysconfig.get_path("stdlib")), *folders])
    system(root)


if __name__ == "__main__":
    main()
