"""Runs `serve` in a process of its own; options come as JSON, the plan from the run folder."""

import asyncio
import json
import os
import sys
from pathlib import Path

from remoe_functions.cli.serve import ServeOptions, serve
from remoe_planner.plan import Plan

options = json.loads(sys.argv[1])
folder = Path(options.pop("run_dir"))
options["model"] = Path(options["model"])
plan = Plan.from_json((folder / "wanted.json").read_text())
wanted = ServeOptions(plan=plan, run_dir=folder, environment=dict(os.environ), **options)
sys.exit(asyncio.run(serve(wanted, say=lambda line: print(line, flush=True))))
