"""The Kubernetes operator: one custom resource becomes gateway, main model and functions.

It stands above `remoe_planner` and beside `remoe_functions`, which it never imports: on a cluster
the data plane is images, not modules.
"""
