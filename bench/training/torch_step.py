"""Times torch's training step of the network in network.json: forward, backward, clipping, AdamW.

Run by bench/training/run.ts with a Python that has torch, diffusers and transformers. Prints one JSON line.
"""
import json
import sys
import time
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

settings = json.loads((Path(__file__).parent / "network.json").read_text())
torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
unet = UNet2DConditionModel(**settings["unet"])
text = CLIPTextModel(CLIPTextConfig(**settings["text"]))
parameters = [*unet.parameters(), *text.parameters()]
optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
batch, size, tokens = settings["batch"], settings["size"], settings["tokens"]
latents = torch.randn(batch, settings["unet"]["in_channels"], size, size)
noise = torch.randn_like(latents)
timesteps = torch.arange(batch) * (1000 // batch)
ids = torch.randint(0, 1000, (batch, tokens))


def step():
    alpha = torch.linspace(0.1, 0.9, batch).view(-1, 1, 1, 1)
    noisy = alpha * latents + (1 - alpha**2).sqrt() * noise
    output = unet(noisy, timesteps, encoder_hidden_states=text(ids)[0]).sample
    loss = ((output - noise) ** 2).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    return loss.item()


for _ in range(settings["warmUp"]):
    step()
times = []
for _ in range(settings["steps"]):
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
print(json.dumps({"seconds": times, "version": torch.__version__, "parameters": sum(p.numel() for p in parameters)}))
