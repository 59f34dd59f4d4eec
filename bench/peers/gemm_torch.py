"""The processor's peak as torch reaches it: products of 2048 x 2048 matrices. Prints one JSON line."""
import json
import sys
import time

import torch

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
n = 2048
a, b = torch.rand(n, n), torch.rand(n, n)
best = float("inf")
for _ in range(8):
    start = time.perf_counter()
    torch.mm(a, b)
    best = min(best, time.perf_counter() - start)
print(json.dumps({"event": "gemm", "gflops": 2e-9 * n**3 / best}))
