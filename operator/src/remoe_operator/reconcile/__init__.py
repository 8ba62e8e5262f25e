"""From what is on the cluster to what ought to be: observe, decide, apply, report.

Level-based: every pass starts from what is there, and a pass over a converged service writes
nothing. Decisions are functions from values to values; only `reconciler` and `observing` reach
the cluster. When a pass is due is decided elsewhere, and so is how many replicas run.
"""
