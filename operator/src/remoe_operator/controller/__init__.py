"""The operator as a process: what wakes it, the queue of what is due, and how it tells its health.

The only room that knows Kopf. Nothing about services is decided here.
"""
