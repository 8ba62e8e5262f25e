"""From what a resource asks and what is known of its model to a plan, and to words about it.

Pure, like the planner it asks. Carrying a plan out does not belong here.
"""
