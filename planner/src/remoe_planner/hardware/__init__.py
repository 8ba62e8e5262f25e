"""How long things take on a given machine: numbers measured or stated. It measures nothing."""
