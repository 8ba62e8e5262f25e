"""The making of the demo model's routers and deltas, step by step; run by `upcycle.py`."""
