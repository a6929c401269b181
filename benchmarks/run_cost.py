"""Seconds and memory of whole runs, each a fresh process: `python benchmarks/run_cost.py [COUNT ...]`.

The photographs are copies of scikit-image's astronaut, each with one pixel changed, so that no cached value serves two.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import skimage

with PIL.Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as picture:
    astronaut = np.asarray(picture.convert("RGB")).astype(np.int16)

print("| photographs | seconds | peak memory, MB |\n|---|---|---|")
for count in [int(word) for word in sys.argv[1:]] or [1, 50, 500]:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            pixels = astronaut.copy()
            pixels[number % 512, number // 512] ^= 1
            PIL.Image.fromarray(pixels.astype(np.uint8)).save(Path(folder) / f"{number:04d}.png", compress_level=1)
        begin = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "affectlm", folder, "llm=circumplex", "hydra.run.dir=run"],
            cwd=folder,
            env={**os.environ, "AFFECTLM_CACHE": f"{folder}/cache"},
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        if status:
            sys.exit(f"the run failed with status {status}")
        print(f"| {count} | {seconds:.1f} | {usage.ru_maxrss / 1024:.0f} |", flush=True)
