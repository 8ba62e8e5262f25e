"""The planner: numbers in, a plan out.

It decides which experts of a Mixture-of-Experts model run beside the main model and which in
expert functions, and which functions a prompt will need. It is pure: no I/O, no clock, no
environment, no network. What reads files, starts processes or talks to a cluster lives in
`remoe_functions` and `remoe_operator`, which stand above it.
"""
