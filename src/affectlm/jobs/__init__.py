"""What a command does: run, evaluate, train, doctor."""
