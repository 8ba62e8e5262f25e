"""What a service is made of on a cluster, as manifests: plain dicts in, plain dicts out.

Pure: no cluster, no clock, no randomness. Applying, comparing and deleting are not done here, and
nothing here knows what is already there.
"""
