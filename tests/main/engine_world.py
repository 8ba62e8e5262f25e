"""Plans, expert functions on real sockets, and engines that call them."""

from __future__ import annotations

import queue
from contextlib import ExitStack, contextmanager

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.expert.kernel import NumpyKernel
from remoe_functions.expert.meter import Meter
from remoe_functions.expert.service import ExpertService, mapped_experts
from remoe_functions.main.directory import Endpoint, StaticDirectory
from remoe_functions.main.request import Failed, Finished, GenerateRequest, Sampling, Token
from remoe_functions.main.service import Service, ServiceOptions
from remoe_functions.main.settings import CallSettings
from remoe_functions.wire.limits import Limits
from remoe_functions.wire.server import Server
from remoe_planner.plan import FunctionPlan, Plan

TOKEN = "tiny secret"
WAIT_SECONDS = 30


def plan_for(checkpoint, is_remote, functions=1):
    """A plan in which experts chosen by `is_remote` are dealt to functions f0, f1, ..."""
    architecture = checkpoint.architecture
    remote = [expert for expert in architecture.experts if is_remote(expert)]
    plans = tuple(
        FunctionPlan(name=f"f{number}", experts=tuple(remote[number::functions]), memory_bytes=1)
        for number in range(functions)
        if remote[number::functions]
    )
    return Plan(architecture=architecture, functions=plans, main_memory_bytes=1)


def serve_function(folder, function, answer=None, kernel=None):
    """A real function server in a thread; `answer(service, call)` may misbehave."""
    checkpoint = Checkpoint.open(folder)
    hidden = checkpoint.architecture.hidden_size
    service = ExpertService(
        mapped_experts(checkpoint, function.experts),
        kernel or NumpyKernel(),
        Meter(1),
        hidden_size=hidden,
    )
    handler = service.answer if answer is None else lambda call: answer(service, call)
    server = Server(handler, token=TOKEN, limits=Limits(max_hidden=hidden))
    return server, Endpoint("127.0.0.1", server.start("127.0.0.1", 0))


class Asked:
    """A request on its way through an engine, and the events that came back."""

    def __init__(self, service, request):
        self.events = queue.SimpleQueue()
        self.sequence = service.engine.submit(request, self.events.put)
        self.lines = []

    def next(self):
        self.lines.append(self.events.get(timeout=WAIT_SECONDS))
        return self.lines[-1]

    def end(self):
        while not isinstance(self.next(), Finished | Failed):
            pass
        return self.lines[-1]

    @property
    def tokens(self):
        return [line.token for line in self.lines if isinstance(line, Token)]


def ask(service, prompt, max_tokens, **fields):
    sampling = fields.pop("sampling", Sampling(temperature=0))
    return Asked(
        service,
        GenerateRequest(
            request_id="r",
            prompt=tuple(prompt),
            max_tokens=max_tokens,
            sampling=sampling,
            ignore_eos=fields.pop("ignore_eos", True),
            **fields,
        ),
    )


def answer_of(service, prompt, max_tokens, **fields):
    asked = ask(service, prompt, max_tokens, **fields)
    asked.end()
    return asked.tokens


class World:
    """A loaded service and the functions it calls."""

    def __init__(self, service, servers):
        self.service = service
        self.servers = servers


@contextmanager
def world(folder, is_remote=lambda _: False, *, functions=1, replicas=1, answer=None, **options):
    """An engine over a tiny checkpoint, with real function servers for its remote experts."""
    checkpoint = Checkpoint.open(folder)
    plan = plan_for(checkpoint, is_remote, functions)
    calls = options.pop("calls", CallSettings(first_rest_seconds=0.05, max_rest_seconds=0.1))
    kernel = options.pop("kernel", NumpyKernel)
    with ExitStack() as stack:
        servers, endpoints = {}, {}
        for function in plan.functions:
            made = [serve_function(folder, function, answer, kernel()) for _ in range(replicas)]
            servers[function.name] = [server for server, _ in made]
            endpoints[function.name] = tuple(endpoint for _, endpoint in made)
            for server, _ in made:
                stack.callback(server.stop)
        directory = options.pop("directory", None) or StaticDirectory(endpoints)
        service = Service(
            ServiceOptions(model=folder, plan=plan, token=TOKEN, calls=calls, **options),
            directory,
            lambda _: None,
        )
        service.start()
        stack.callback(service.stop)
        yield World(service, servers)
