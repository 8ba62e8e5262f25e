"""What is done to a node from within: read by the Python of a pod that sees the node's processes.

kill POD_UID             every process of the pod's containers, at once
freeze NAME SECONDS      the one process of this name stands still, and goes on afterwards
restart NAME SECONDS     it is killed, and started as it was if nobody else has done so by then
mount FOLDER BYTES       a file system in memory of this size, for everybody to write
unmount FOLDER
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# Into the node's own world, and out of this pod's control group, with which it would be killed.
ENTER = ("nsenter", "--target=1", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--")
GROUPS = "/sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs"
LEAVE = f"for f in {GROUPS}; do [ ! -e $f ] || echo $$ >$f; done"

ANSWERED_SECONDS = 1


def processes():
    return [path for path in Path("/proc").iterdir() if path.name.isdigit()]


def read(path, name):
    try:
        return (path / name).read_text()
    except OSError:
        return ""


def named(name):
    return [int(path.name) for path in processes() if read(path, "comm").strip() == name]


def the_one(name):
    found = named(name)
    if len(found) != 1:
        sys.exit(f"{len(found)} processes are called {name}")
    return found[0]


def kill(uid):
    marks = (f"pod{uid}", f"pod{uid.replace('-', '_')}")
    ours = [p for p in processes() if any(mark in read(p, "cgroup") for mark in marks)]
    ours = [int(p.name) for p in ours if read(p, "comm").strip() != "pause"]
    if not ours:
        sys.exit(f"pod {uid} has no processes")
    for pid in ours:
        os.kill(pid, signal.SIGKILL)


def freeze(name, seconds):
    pid = the_one(name)
    detach()
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(float(seconds))
    finally:
        os.kill(pid, signal.SIGCONT)


def restart(name, seconds):
    path = Path("/proc", str(the_one(name)))
    log = (path / "fd/1").readlink()
    words = (path / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    environment = dict(v.split("=", 1) for v in read(path, "environ").split("\0") if "=" in v)
    detach()
    os.kill(int(path.name), signal.SIGKILL)
    time.sleep(float(seconds))
    if named(name):
        return
    start = f'{LEAVE}; setsid "$@" >>"{log}" 2>&1 & sleep 1'
    subprocess.run([*ENTER, "sh", "-c", start, "start", *words], env=environment, check=True)


def detach():
    """Whoever asked has the answer: it may be reached through what stands still."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    time.sleep(ANSWERED_SECONDS)


def mount(folder, size):
    options = f"size={size},mode=1777"
    subprocess.run([*ENTER, "mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def enlarge(folder, size):
    subprocess.run([*ENTER, "mount", "-o", f"remount,size={size}", folder], check=True)


def unmount(folder):
    subprocess.run([*ENTER, "umount", "--lazy", folder], check=True)


TASKS = {task.__name__: task for task in (kill, freeze, restart, mount, enlarge, unmount)}
TASKS[sys.argv[1]](*sys.argv[2:])
