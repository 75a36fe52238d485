"""Where packets come from: captures and interfaces, as batches of packets."""
