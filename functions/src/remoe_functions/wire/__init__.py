"""The binary wire between the main model and the expert functions.

Messages, their framing on TCP, a blocking client and a threaded server. What an expert computes,
which replica is called and whether a call is tried again does not belong here.
"""
