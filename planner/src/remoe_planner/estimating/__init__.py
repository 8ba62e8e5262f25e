"""What a plan will do under a workload: latency, cost, memory. It chooses nothing."""
