"""What `remoe demo` shows: the same prompts on two services, measured, reported and drawn.

Starting services is `cli.service`'s work; nothing here is used by the other commands.
"""
