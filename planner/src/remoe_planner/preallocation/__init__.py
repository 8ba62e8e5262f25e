"""Main model pre-allocation: how many experts must be local for the SLO to hold at its worst.

Asks the history how tokens spread, never a forecast of the request at hand: it may run as soon as
a request arrives. Which experts are remote is chosen elsewhere.
"""
