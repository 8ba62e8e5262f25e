"""Forecasts of expert use from past requests: how a prompt's tokens will spread over the experts.

Numbers in, numbers out. What a function is woken or moved for belongs to the planner's other rooms.
"""
