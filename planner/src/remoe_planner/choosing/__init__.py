"""One option for each layer, so that a total is least. It knows nothing of experts."""
