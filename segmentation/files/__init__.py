"""Read and write files: whole, checked, and with one sentence for every failure."""
