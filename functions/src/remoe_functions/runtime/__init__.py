"""Runtimes: start, count, watch and stop the parts of a service through one seam.

What a part does once it runs (wire, HTTP, weights) does not belong here.
"""
