"""A Hugging Face checkpoint folder, mapped: where each tensor and each expert's weights are.

Nothing is read until it is used, and nothing here computes. No torch, no transformers, and numpy
only for whoever looks at tensors as arrays: an expert function starts with this package.
"""
