"""A day of a service on paper: discrete events, run by the very planner and the very fast loop.

Requests and machines in, latencies and money out. Pure, as the planner is: no clock, no files, no
randomness that is not seeded. What is measured, read or drawn belongs to `tests/evaluation`.
"""
