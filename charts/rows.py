"""What the dashboard shows, row by row: each panel, how to read it, and its queries."""

from __future__ import annotations

from panels import (
    GATEWAY,
    MAIN,
    MODEL,
    THERE,
    Panel,
    Query,
    mean,
    promised,
    quantiles,
    rate,
    seen,
    single,
    start_quantile,
)

_PROMISES = (
    promised(
        "Time to first token",
        "From arrival, waiting for a sleeping model included.",
        "vllm:time_to_first_token_seconds",
        "remoe:slo_ttft_seconds",
    ),
    promised(
        "Time per output token",
        "A request's mean after its first token.",
        "vllm:request_time_per_output_token_seconds",
        "remoe:slo_tpot_seconds",
    ),
    single(
        "Requests by outcome",
        "reqps",
        "All but ok and cancelled are errors, by their code.",
        rate("remoe:requests_total", "model_name, outcome", MODEL),
        "{{model_name}} {{outcome}}",
        stacked=True,
    ),
    Panel(
        title="Tokens",
        unit="short",
        says="Tokens a second, of prompts and of answers.",
        queries=(
            Query(
                expression=rate("vllm:prompt_tokens_total", "model_name", GATEWAY),
                legend="{{model_name}} prompts",
            ),
            Query(
                expression=rate("vllm:generation_tokens_total", "model_name", GATEWAY),
                legend="{{model_name}} answers",
            ),
        ),
    ),
    quantiles("End to end", "From arrival to the last token.", "vllm:e2e_request_latency_seconds"),
    single(
        "Answers carried over",
        "short",
        "Answers that outlived their main model's pod.",
        rate("remoe:resumes_total", "namespace, model_name"),
        "{{model_name}}",
    ),
)

_COST = (
    single(
        "Cost per hour",
        "currencyUSD",
        "Of what is awake now, idle or not, at the plan's prices.",
        seen("llm_total_hourly_cost"),
        "{{model_name}}",
    ),
    single(
        "Cost per million tokens",
        "currencyUSD",
        "What requests were billed, by the tokens they were given.",
        seen("llm_cost_per_million_tokens"),
        "{{model_name}}",
    ),
    single(
        "Memory awake",
        "gbytes",
        "GiB of every replica, idle included.",
        "max by (namespace, model_name, component, part) "
        f"(rate(remoe:awake_gib_seconds_total{{{MODEL}}}[$__rate_interval]))",
        "{{model_name}} {{part}}",
        stacked=True,
    ),
    single(
        "Requests' bill",
        "currencyUSD",
        "What requests were billed in an hour, by component.",
        f"3600 * {rate('remoe:request_cost_total', 'model_name, component')}",
        "{{model_name}} {{component}}",
        stacked=True,
    ),
    single(
        "Requests' memory",
        "short",
        "GiB-seconds a second that requests were billed for.",
        rate("remoe:request_gib_seconds_total", "model_name, component"),
        "{{model_name}} {{component}}",
        stacked=True,
    ),
    single(
        "A new plan would save",
        "currencyUSD",
        "An hour, where it pays for the change; else 0.",
        seen("remoe:replan_saving_per_hour"),
        "{{model_name}}",
    ),
)

_FUNCTIONS = (
    Panel(
        title="Functions",
        unit="short",
        says="Those with a ready replica, of those that the plan has.",
        queries=(
            Query(expression=seen("remoe:functions_awake"), legend="{{model_name}} awake"),
            Query(expression=seen("remoe:functions_planned"), legend="{{model_name}} planned"),
        ),
    ),
    single(
        "Where experts ran",
        "short",
        "Token-expert pairs a second, by place.",
        rate("remoe:expert_assignments_total", "model_name, placement"),
        "{{model_name}} {{placement}}",
        stacked=True,
    ),
    single(
        "Wakes",
        "short",
        "Parts that gateways woke, a second.",
        rate("remoe:wakes_total", "model_name, part"),
        "{{model_name}} {{part}}",
    ),
    single(
        "Functions busy",
        "percentunit",
        "Share of the time spent on calls.",
        rate("remoe_function_busy_seconds_total", "namespace, function", THERE),
        "{{function}}",
    ),
    Panel(
        title="Calls",
        unit="reqps",
        says="That functions answered, and second attempts.",
        queries=(
            Query(
                expression=rate("remoe_remote_calls_total", "function", MAIN),
                legend="{{function}}",
            ),
            Query(
                expression=rate("remoe_remote_retries_total", "function", MAIN),
                legend="{{function}} again",
            ),
        ),
    ),
    single(
        "Computed by the main model instead",
        "short",
        "Calls a second whose function was asleep, late or refused: slower, not lost.",
        rate("remoe_fallbacks_total", "function, reason", MAIN),
        "{{function}} {{reason}}",
    ),
)

_COLD_STARTS = (
    single(
        "Newest start by phase",
        "s",
        "Of each part's newest ready replica.",
        seen("remoe:start_phase_seconds", "namespace, model_name, part, phase"),
        "{{part}} {{phase}}",
        stacked=True,
    ),
    Panel(
        title="Cold starts",
        unit="s",
        says="From wanted to ready, all phases together.",
        queries=tuple(
            Query(expression=start_quantile(share), legend=f"{{{{component}}}} p{percent}")
            for share, percent in (("0.5", 50), ("0.95", 95))
        ),
    ),
    single(
        "Cold starts by phase",
        "s",
        "Mean of each phase; each gateway sees the same starts.",
        mean("remoe:cold_start_seconds", "component, phase"),
        "{{component}} {{phase}}",
    ),
    quantiles("Held", "Requests waiting for the main model to wake.", "remoe:held_seconds"),
    Panel(
        title="Start of processes",
        unit="s",
        says="As main models and functions tell it themselves, from their first line on.",
        queries=(
            Query(
                expression=seen(
                    "remoe_startup_seconds", "namespace, remoe_dev_service, phase", THERE
                ),
                legend="{{remoe_dev_service}} {{phase}}",
            ),
            Query(
                expression=seen(
                    "remoe_function_startup_seconds", "namespace, function, phase", THERE
                ),
                legend="{{function}} {{phase}}",
            ),
        ),
    ),
)

_FORECASTS = (
    Panel(
        title="Functions forecast",
        unit="percentunit",
        says="Recall: of those used, the share that was forecast. Precision: the reverse.",
        queries=(
            Query(expression=mean("remoe:forecast_recall"), legend="{{model_name}} recall"),
            Query(expression=mean("remoe:forecast_precision"), legend="{{model_name}} precision"),
        ),
    ),
    Panel(
        title="Distance from what came",
        unit="short",
        says="Bits (Jensen-Shannon); a forecast is worth something below the mean of history.",
        queries=(
            Query(
                expression=mean("remoe:forecast_divergence", "model_name, basis"),
                legend="{{model_name}} {{basis}}",
            ),
            Query(
                expression=mean("remoe:forecast_mean_divergence"),
                legend="{{model_name}} mean of history",
            ),
            Query(
                expression=mean("remoe:forecast_expected_divergence"),
                legend="{{model_name}} expected",
            ),
        ),
    ),
    single(
        "Drift",
        "short",
        "Distance found over distance expected, of late; 1 is as expected.",
        seen("remoe:forecast_drift"),
        "{{model_name}}",
    ),
    single(
        "Functions needed",
        "short",
        "By how requests found them.",
        rate("remoe:functions_needed_total", "model_name, found"),
        "{{model_name}} {{found}}",
        stacked=True,
    ),
    single(
        "Functions woken",
        "short",
        "For a request, by whether it used them.",
        rate("remoe:wakes_judged_total", "model_name, used"),
        "{{model_name}} used: {{used}}",
        stacked=True,
    ),
    quantiles(
        "Time to forecast", "It passes before functions are woken.", "remoe:forecast_seconds"
    ),
)

_QUEUES = (
    Panel(
        title="Requests",
        unit="short",
        says="Held by gateways; running and waiting in main models.",
        queries=(
            Query(
                expression=f"sum by (model_name) (vllm:num_requests_waiting{{{GATEWAY}}})",
                legend="{{model_name}} held",
            ),
            Query(
                expression=f"sum by (remoe_dev_service) (vllm:num_requests_running{{{MAIN}}})",
                legend="{{remoe_dev_service}} running",
            ),
            Query(
                expression=f"sum by (remoe_dev_service) (vllm:num_requests_waiting{{{MAIN}}})",
                legend="{{remoe_dev_service}} waiting",
            ),
        ),
    ),
    quantiles(
        "Time in queues", "Held, and waiting in the main model.", "vllm:request_queue_time_seconds"
    ),
    single(
        "Key-value cache",
        "percentunit",
        "In use, by main model.",
        seen("vllm:kv_cache_usage_perc", "remoe_dev_service, pod", MAIN),
        "{{pod}}",
    ),
    single(
        "Forward passes",
        "percentunit",
        "Share of the time, by what it went into.",
        rate("remoe_step_seconds_total", "remoe_dev_service, part", MAIN),
        "{{remoe_dev_service}} {{part}}",
        stacked=True,
    ),
)

_OPERATOR = (
    single(
        "Since the last pass that succeeded",
        "s",
        "It looks at every service once a minute at least.",
        "max by (pod) (remoe_operator_last_success_age_seconds)",
        "{{pod}}",
    ),
    Panel(
        title="Time of a pass",
        unit="s",
        says="Of looking at one service or gateway, and changing what differs.",
        queries=tuple(
            Query(
                expression=f"histogram_quantile({share}, sum by (kind, le) "
                "(rate(remoe_operator_reconcile_seconds_bucket[$__rate_interval])))",
                legend=f"{{{{kind}}}} p{percent}",
            )
            for share, percent in (("0.5", 50), ("0.95", 95))
        ),
    ),
    Panel(
        title="Passes",
        unit="short",
        says="A second; due is what waits; failed ones are told by the MoEService's conditions.",
        queries=(
            Query(
                expression="sum by (kind) "
                "(rate(remoe_operator_reconcile_seconds_count[$__rate_interval]))",
                legend="{{kind}}",
            ),
            Query(
                expression="sum by (kind, reason) "
                "(rate(remoe_operator_reconcile_errors_total[$__rate_interval]))",
                legend="{{kind}} failed: {{reason}}",
            ),
            Query(expression="max(remoe_operator_queue_length)", legend="due"),
        ),
    ),
    single(
        "Services",
        "short",
        "MoEServices looked after.",
        "max(remoe_operator_services)",
        "services",
    ),
)

ROWS = (
    ("Promises", _PROMISES),
    ("Cost", _COST),
    ("Functions", _FUNCTIONS),
    ("Cold starts", _COLD_STARTS),
    ("Forecasts", _FORECASTS),
    ("Queues", _QUEUES),
    ("Operator", _OPERATOR),
)
