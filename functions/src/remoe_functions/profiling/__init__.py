"""Measures a machine: real main models, real expert functions, real calls; a profile comes out.

What a plan does with the profile is the planner's matter. Nothing here stays running.
"""
