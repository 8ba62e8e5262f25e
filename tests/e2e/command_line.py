"""`remoe` as its users call it, against the cluster of the tests."""

from __future__ import annotations

import subprocess
import sys

SECONDS = 180.0


def remoe(*arguments, namespace, stdin=""):
    """What it prints; it is to succeed."""
    command = [sys.executable, "-m", "remoe_functions.cli", *arguments, "--namespace", namespace]
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout
