"""Over how many replicas a function's prefill is spread, and which replica takes which expert."""
