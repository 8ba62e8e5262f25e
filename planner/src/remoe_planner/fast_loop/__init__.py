"""The fast loop: per request, which functions to wake; and when the plan itself should be remade.

Values in, values out: what is awake and what time it is are arguments. The gateway wakes.
"""
