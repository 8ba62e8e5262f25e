"""The custom resource `MoEService` as types: what a user may ask, and what is told in return."""
