"""The expert function: a small process that maps its experts' weights and answers calls.

It never imports torch or transformers, and where the native kernel runs not even numpy: a start is
the interpreter, the standard library's lighter half and a mapped file.
Which experts it serves is the plan's choice; how bytes travel is the wire's.
"""
