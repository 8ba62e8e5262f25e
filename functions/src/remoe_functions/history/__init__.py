"""The activation history on disk: which experts each request used, one record per request.

Written by the main model as it serves, read by whoever plans or forecasts. Prompts themselves are
never stored, only their vectors. What the numbers mean is `remoe_planner`'s to say.
"""
