"""Memory of functions between bounds: the paper's convex step, in closed form."""
