"""Encoders: a prompt's tokens and text become one vector, by which the planner knows it.

Nothing heavy is imported until the encoder that needs it is made. What vectors are good for is the
planner's work; where they are kept is `history`'s.
"""
