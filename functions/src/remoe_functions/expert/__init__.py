"""The expert function: a small process that maps its experts' weights and answers calls.

It never imports torch or transformers: a cold start is the interpreter, numpy and a mapped file.
Which experts it serves is the plan's choice; how bytes travel is the wire's.
"""
