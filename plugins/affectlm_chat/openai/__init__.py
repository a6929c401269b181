"""Models over a network, by OpenAI's protocol."""
