"""How long a layer takes, given where its experts are. What that costs is not said here."""
