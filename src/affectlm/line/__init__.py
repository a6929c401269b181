"""The steps from a picture to an answer, one file per step, in this order: images, faces, prompt, ask, reply."""
