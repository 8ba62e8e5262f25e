"""The data plane: gateway, main model, expert functions, and the runtime that starts them.

Each part is a process of its own (`python -m remoe_functions.gateway`, `.main`, `.expert`), and
they meet only on the wire. What decides (forecasts, plans, costs) lives in `remoe_planner`.
"""
