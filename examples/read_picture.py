"""Valence, arousal and a sentence for each face of a picture: `python examples/read_picture.py portrait.jpg`."""

import sys

import affectlm

reader = affectlm.load(estimator="facechannel", llm="circumplex", prompt="description")
for path in sys.argv[1:]:
    for record in reader.read(path):
        if record.valence is None or record.arousal is None:
            print(f"{path}: {record.outcome}, {record.reason}")
        else:
            print(f"{path}: valence {record.valence:+.2f}, arousal {record.arousal:+.2f}: {record.answer}")
