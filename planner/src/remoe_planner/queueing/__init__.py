"""A main model that several requests ask at once: who shares a step, who waits, when it is full.

It knows rates and seconds. Where the seconds come from, and what is promised, is not said here.
"""
