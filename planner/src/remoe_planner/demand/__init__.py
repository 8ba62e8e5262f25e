"""What is asked of a service: its requests, their routing, and the latency promised to them."""
