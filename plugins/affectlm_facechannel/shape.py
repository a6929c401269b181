"""The numbers that define the FaceChannel graph; nothing heavy is imported here."""

from affectlm.affect.taxonomies import FERPLUS

CATEGORIES = FERPLUS  # it was trained with their votes
SIDE = 64  # of the grey face, in pixels
DECAY = 0.5  # the constant of the shunting inhibition
EPSILON = 1e-3  # Keras' batch norm
BLOCKS = ((64, 64), (128, 128), (128, 128, 128), (256, 256))  # filters of the 3x3 convolutions with batch norm
