"""The runtime of a service whose parts are Deployments: woken by their scale, watched, not polled.

Creating and deleting them, and putting them to sleep, is the operator's and does not belong here.
"""
