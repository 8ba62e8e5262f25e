"""Optima by integer programming, to measure the planner by. Never on its path."""
