"""The steps from a picture to an answer, a file for each, in this order: images, faces, prompt, ask, reply."""
