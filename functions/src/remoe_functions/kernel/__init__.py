"""A MoE layer's arithmetic in native code: prepared experts, one call for a layer, any machine.

Knows checkpoint tensors and nothing of wires, plans or processes; never imports torch. Who calls it
decides threads, precision and what to do where there is no native library.
"""
