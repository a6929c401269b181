"""From the folder of a run to pages and figures."""
