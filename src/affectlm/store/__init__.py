"""What is kept: records and folders of runs, and what was measured and answered before."""
