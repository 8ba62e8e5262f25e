"""Everybody who could serve a model, made up from one setting: same machine, prices and requests.

A contender is a plan, the times of its placement and who wakes what; the simulator runs it. What
is measured of real rivals, and which requests are asked, does not belong here.
"""
