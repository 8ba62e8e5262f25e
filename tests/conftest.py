"""What holds for every test."""

from hypothesis import settings

# How long an example takes depends on who else is on the machine: speed belongs to the benches.
settings.register_profile("remoe", deadline=None)
settings.load_profile("remoe")
