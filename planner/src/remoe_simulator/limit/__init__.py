"""How cheap a request could have been: plans judged by true routing, and the cheapest of them."""
