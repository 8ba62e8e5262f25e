"""Bringing a model onto a volume, once: fetched, verified, and whole or not there at all.

A process of its own, which ends with one message that says what the model is or what is wrong.
Serving the model, and deciding when to fetch, is no concern of this package.
"""
