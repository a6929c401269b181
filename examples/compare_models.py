"""The same faces described by two language models: `python examples/compare_models.py photos/ smollm2 circumplex`."""

import sys
from pathlib import Path

import affectlm

pictures, *models = sys.argv[1:]
for model in models:
    report = affectlm.run(pictures, f"llm={model}", f"hydra.run.dir=compared/{model}")
    print(f"{model}: {report.outcomes}")
    for record in affectlm.read_records(Path("compared") / model):
        print(f"  {record.id}: {record.answer or record.outcome}")
