"""Fewer bits for routed experts: their weights rounded once, into a file beside the checkpoint.

How bits are read again is `checkpoint`'s matter, and multiplying by them the kernels'. No torch.
"""
