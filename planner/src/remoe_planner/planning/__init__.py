"""From demand, machine and offerings to a plan inside the SLO. It measures nothing."""
