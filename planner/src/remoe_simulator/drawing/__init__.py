"""Requests drawn from recorded routing: to any length, and to the size of models never recorded.

Arrays and a seeded generator in, requests out. Where records lie and how they are read, which
prompts a planner may see, and what was forecast of them does not belong here.
"""
