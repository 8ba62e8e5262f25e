"""A part that does no work, run as a child process: its first argument says how it behaves.

Its folder of levers, the second argument, lets a test change its mind while it runs: the file
`in_flight` holds its calls in flight; `swallow` makes it allocate that many bytes.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from remoe_functions.runtime.tether import Tether

behavior = json.loads(sys.argv[1])
levers = Path(sys.argv[2])
started_at = time.monotonic()


def lever(name):
    try:
        return int((levers / name).read_text() or 0)
    except FileNotFoundError:
        return 0


def activity():
    return lever("in_flight"), time.monotonic() - started_at


def leave(number, frame):
    if behavior.get("stubborn"):
        return
    (levers / "left").open("a").write(f"{behavior.get('name', '')}\n")
    sys.exit(0)


with (levers / "starts").open("a") as starts:
    starts.write("x")
signal.signal(signal.SIGTERM, leave)
tether = Tether.from_environment()
tether.phase("imports")
if behavior.get("fails") or lever("fails"):
    print("reading the checkpoint", flush=True)
    sys.exit("the weights are cut short")
if behavior.get("grandchild"):
    grandchild = subprocess.Popen(["sleep", "300"])
    (levers / "grandchild").write_text(str(grandchild.pid))
while lever("hold"):
    time.sleep(0.01)
tether.phase("weights")
if not behavior.get("mute"):
    tether.ready("127.0.0.1", 4711)
    tether.beat(activity, period_seconds=0.02)
if behavior.get("chatty"):
    for line in range(behavior["chatty"]):
        print(f"line {line}", flush=True)
if "listener" in behavior:
    guest, _ = socket.socket(fileno=behavior["listener"]).accept()
    guest.send(str(os.getpid()).encode())
hoard = []
while True:
    time.sleep(0.01)
    if lever("swallow"):
        hoard.append(bytearray(lever("swallow")))
