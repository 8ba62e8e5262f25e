"""How many replicas run, while the operator does: more where it is busy, fewer where it is idle.

Decisions are pure, from what pods say of themselves. Waking from zero is done by whoever has a
request, with or without the operator; putting to sleep is done here alone.
"""
