"""The main model process: attention, gates, shared and local experts, and the calls to the rest.

A request's life: `server` checks it, `engine` admits it to a slot, prefills it in chunks, decodes
it together with the others, delivers its tokens and retires it; at every MoE layer `dispatcher`
splits the routed pairs between local experts and calls to functions. What an expert function does
inside, and the OpenAI API, do not belong here.
"""
