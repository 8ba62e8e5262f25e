"""A supervisor to be killed by a test: runs two tiny parts and prints their pids when ready."""

import asyncio
import json
import sys
from pathlib import Path

from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.process import ProcessRuntime
from remoe_functions.runtime.readiness import wait_ready
from remoe_functions.runtime.state import PartKind

SCRIPT = Path(__file__).with_name("tiny_part.py")


def part(name, folder, **behavior):
    argv = (sys.executable, str(SCRIPT), json.dumps({"name": name, **behavior}), str(folder))
    return PartSpec(name=name, kind=PartKind.FUNCTION, argv=argv, min_replicas=1)


async def main(folder):
    parts = [part("polite", folder), part("stubborn", folder, stubborn=True)]
    async with ProcessRuntime(parts, run_dir=folder) as runtime:
        for spec in parts:
            await wait_ready(runtime, spec.name, 15)
        pids = [r.pid for pool in runtime._pools.values() for r in pool._live.values()]
        print(json.dumps(pids), flush=True)
        await asyncio.sleep(60)


asyncio.run(main(Path(sys.argv[1])))
