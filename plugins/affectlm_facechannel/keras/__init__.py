"""The published FaceChannel: its archive, its Keras files, and the network they hold."""
