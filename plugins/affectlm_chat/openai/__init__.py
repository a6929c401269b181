"""Models behind a network, by the protocol of OpenAI."""
