"""The published FaceChannel: its archive, its Keras files, and the networks in them."""
