"""From records to figures, and from figures to intervals."""
