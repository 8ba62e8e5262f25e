"""The `remoe` command: its subcommands put together. What each does stands in its own module.

Subcommands import what is heavy when they run, so that `remoe --help` answers at once.
"""

from __future__ import annotations

from typer import Typer

from remoe_functions.cli.bench import bench
from remoe_functions.cli.chat import chat
from remoe_functions.cli.demo import demo
from remoe_functions.cli.demo_model import demo_model
from remoe_functions.cli.failure import FailingReadably
from remoe_functions.cli.group_with_default import MakesByDefault
from remoe_functions.cli.history import history
from remoe_functions.cli.logs import logs
from remoe_functions.cli.plan import plan
from remoe_functions.cli.plan_cluster import plan_of_cluster
from remoe_functions.cli.plan_explain import explain
from remoe_functions.cli.plan_frontier import frontier
from remoe_functions.cli.profile import profile
from remoe_functions.cli.quantize import quantize
from remoe_functions.cli.record import record
from remoe_functions.cli.serve_model import serve_model
from remoe_functions.cli.status import status

_plans = Typer(
    cls=MakesByDefault,
    no_args_is_help=True,
    help="Choose where each expert runs: `remoe plan MODEL`; see `remoe plan make --help`.",
)
_plans.command("make")(plan)
_plans.command("explain")(explain)
_plans.command("frontier")(frontier)
_plans.command("cluster")(plan_of_cluster)

app = Typer(
    cls=FailingReadably,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Serve Mixture-of-Experts models with rarely used experts in functions that sleep.",
    epilog="Start with `remoe demo`, or `remoe demo-model DIR`, `remoe serve DIR`, `remoe chat`.",
)
app.command("demo")(demo)
app.command("demo-model")(demo_model)
app.command("serve")(serve_model)
app.command("quantize")(quantize)
app.command("record")(record)
app.command("profile")(profile)
app.add_typer(history, name="history")
app.add_typer(_plans, name="plan")
app.command("chat")(chat)
app.command("bench")(bench)
app.command("status")(status)
app.command("logs")(logs)


def main() -> None:
    """The entry point of the `remoe` script."""
    app()
