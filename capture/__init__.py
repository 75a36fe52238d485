"""Where packets come from: captures and, later, interfaces, as batches of packets."""
