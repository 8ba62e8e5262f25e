"""The API server, as this operator uses it: reading, applying, scaling, status and events.

The only room that talks to Kubernetes. What to write there is decided elsewhere.
"""
