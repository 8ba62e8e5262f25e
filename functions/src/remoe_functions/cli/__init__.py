"""The `remoe` command: doors for people and scripts; the rooms behind them do the work."""
