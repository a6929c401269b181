"""Models in GGUF files, by llama.cpp."""
