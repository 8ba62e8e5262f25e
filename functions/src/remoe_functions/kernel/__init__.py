"""Arithmetic in native code, on any machine: a layer's experts, linear layers, a step's attention.

Knows checkpoint tensors and nothing of wires, plans or processes; never imports torch. Who calls it
decides threads, precision and what to do where there is no native library.
"""
