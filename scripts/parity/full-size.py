"""One network of a family at its true size, of random weights, run once by diffusers or transformers.

`npm run parity:full` calls it; by hand:

    python scripts/parity/full-size.py FOLDER CLASS SIDE

FOLDER holds the network's `config.json`. The weights are written beside it, as `save_pretrained` does, with
`expected.safetensors`: inputs (`in.NAME`), outputs (`out.NAME`), and the seconds that one run took, in the metadata. SIDE is
that of the latents; text encoders pay no heed to it. Weights are those that the classes draw for themselves with seed 0, but
for vectors (biases, and the weights of normalisations), which are moved off 0 and 1. Needs torch, diffusers and transformers.
"""

import json
import sys
import time

import diffusers
import torch
import transformers
from safetensors.torch import save_file

FOLDER, CLASS, SIDE = sys.argv[1], sys.argv[2], int(sys.argv[3])
TOKENS, BEGIN, END = 77, 49406, 49407


# Settings that transformers takes as floats only; other writers leave the point of a whole number out.
FLOATS = ("initializer_factor", "initializer_range", "layer_norm_eps", "attention_dropout")


def build(config):
    torch.manual_seed(0)
    if CLASS.startswith("CLIP"):
        config = {key: float(value) if key in FLOATS else value for key, value in config.items()}
        model = getattr(transformers, CLASS)(transformers.CLIPTextConfig(**config))
    else:
        model = getattr(diffusers, CLASS).from_config(config)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter += 0.1 * torch.randn_like(parameter)
    return model.eval()


def unet(model):
    config = model.config
    inputs = {
        "latents": torch.randn(1, config.in_channels, SIDE, SIDE),
        "timesteps": torch.tensor([499.0]),
        "context": torch.randn(1, TOKENS, config.cross_attention_dim),
    }
    added = None
    if config.addition_embed_type == "text_time":
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        inputs["pooled"] = torch.randn(1, pooled)
        inputs["sizes"] = torch.tensor([[8.0 * SIDE, 8.0 * SIDE, 0, 0, 8.0 * SIDE, 8.0 * SIDE]])
        added = {"text_embeds": inputs["pooled"], "time_ids": inputs["sizes"]}
    begin = time.time()
    out = model(inputs["latents"], inputs["timesteps"], inputs["context"], added_cond_kwargs=added).sample
    return inputs, {"output": out}, time.time() - begin


def autoencoder(model):
    inputs = {"latents": torch.randn(1, 4, SIDE, SIDE), "pictures": torch.rand(1, 3, 8 * SIDE, 8 * SIDE) * 2 - 1}
    begin = time.time()
    outputs = {"decoded": model.decode(inputs["latents"]).sample}
    posterior = model.encode(inputs["pictures"]).latent_dist
    outputs |= {"mean": posterior.mean, "logVariance": posterior.logvar}
    return inputs, outputs, time.time() - begin


def text_encoder(model):
    words = torch.randint(0, BEGIN, (1, 20))
    ids = torch.cat([torch.tensor([[BEGIN]]), words, torch.full((1, TOKENS - 21), END)], 1)
    begin = time.time()
    out = model(ids, output_hidden_states=True)
    seconds = time.time() - begin
    outputs = {"penultimate": out.hidden_states[-2], "last": out.last_hidden_state}
    if CLASS.endswith("WithProjection"):
        outputs["pooled"] = out.text_embeds
    return {"ids": ids, "ends": torch.tensor([21])}, outputs, seconds


@torch.no_grad()
def main():
    with open(f"{FOLDER}/config.json") as file:
        model = build(json.load(file))
    run = unet if CLASS.startswith("UNet") else autoencoder if CLASS.startswith("Auto") else text_encoder
    inputs, outputs, seconds = run(model)
    tensors = {f"in.{name}": x for name, x in inputs.items()} | {f"out.{name}": x for name, x in outputs.items()}
    metadata = {
        "seconds": str(seconds), "threads": str(torch.get_num_threads()), "torch": torch.__version__,
        "diffusers": diffusers.__version__, "transformers": transformers.__version__,
        "parameters": str(sum(p.numel() for p in model.parameters())),
    }
    save_file({name: x.contiguous().clone() for name, x in tensors.items()}, f"{FOLDER}/expected.safetensors", metadata)
    # In pieces, since each is held in memory twice while it is written.
    model.save_pretrained(FOLDER, max_shard_size="2GB")


main()
