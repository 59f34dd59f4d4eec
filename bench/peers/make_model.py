"""Makes the model that all contenders draw with: Stable Diffusion 1.5 in its true shapes, random weights, float32.

    python bench/peers/make_model.py FOLDER TOKENIZER_FOLDER TAESD_FOLDER

FOLDER/sd15 is a folder as diffusers writes it. FOLDER/work.json says how many floating-point operations each network
costs at each size that is asked for (products and convolutions, a multiply-add being two), counted by torch on shapes
alone. Run by bench/peers/run.ts.
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, LCMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel

UNET = dict(
    sample_size=64,
    block_out_channels=(320, 640, 1280, 1280),
    layers_per_block=2,
    attention_head_dim=8,
    cross_attention_dim=768,
)
VAE = dict(
    sample_size=512,
    block_out_channels=(128, 256, 512, 512),
    layers_per_block=2,
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    scaling_factor=0.18215,
)
TEXT = dict(
    vocab_size=49408,
    hidden_size=768,
    intermediate_size=3072,
    num_hidden_layers=12,
    num_attention_heads=12,
    max_position_embeddings=77,
    hidden_act="quick_gelu",
    projection_dim=768,
    bos_token_id=49406,
    eos_token_id=49407,
    pad_token_id=1,
)
SCHEDULER = dict(
    beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1,
    set_alpha_to_one=False,
)
TOKENIZER = dict(
    tokenizer_class="CLIPTokenizer",
    model_max_length=77,
    bos_token="<|startoftext|>",
    eos_token="<|endoftext|>",
    unk_token="<|endoftext|>",
    pad_token="<|endoftext|>",
    add_prefix_space=False,
)


def write(folder, tokenizer):
    """The model's folder; each network is made, written and forgotten before the next."""
    UNet2DConditionModel(**UNET).save_pretrained(folder / "unet", max_shard_size="100GB")
    AutoencoderKL(**VAE).save_pretrained(folder / "vae")
    text = CLIPTextModel(CLIPTextConfig(**TEXT))
    text.config.architectures = ["CLIPTextModel"]
    (folder / "text_encoder").mkdir()
    text.config.save_pretrained(folder / "text_encoder")
    # The published files name the parameters below "text_model", whatever the library at hand calls them.
    named = {
        name if name.startswith("text_model.") else f"text_model.{name}": tensor.contiguous()
        for name, tensor in text.state_dict().items()
        if not name.endswith("position_ids")
    }
    save_file(named, folder / "text_encoder" / "model.safetensors", metadata={"format": "pt"})
    LCMScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    (folder / "tokenizer").mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(tokenizer / name, folder / "tokenizer" / name)
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(TOKENIZER, indent=2) + "\n")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.39.0",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "LCMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def operations(size):
    """Floating-point operations of one call of each network for one picture."""
    side = size // 8
    counts = {}
    with torch.device("meta"), torch.no_grad():
        unet = UNet2DConditionModel(**UNET)
        unet.set_attn_processor(AttnProcessor())
        vae = AutoencoderKL(**VAE)
        vae.set_attn_processor(AttnProcessor())
        tiny = AutoencoderTiny()
        latents, context = torch.empty(1, 4, side, side), torch.empty(1, 77, 768)
        calls = {
            "unet": lambda: unet(latents, torch.tensor(0), context),
            "kl": lambda: vae.decode(latents),
            "tiny": lambda: tiny.decode(latents),
        }
        for name, call in calls.items():
            with FlopCounterMode(display=False) as counter:
                call()
            counts[name] = counter.get_total_flops()
    return counts


def tiny_folder(folder, taesd):
    """TAESD's two files as the folder that diffusers reads."""
    state = {}
    from safetensors.torch import load_file

    for half in ("encoder", "decoder"):
        for name, tensor in load_file(taesd / f"taesd_{half}.safetensors").items():
            position, rest = name.split(".", 1)
            # The published decoder begins with a clamp, which diffusers does outside its layers.
            index = int(position) - (1 if half == "decoder" else 0)
            state[f"{half}.layers.{index}.{rest}"] = tensor
    tiny = AutoencoderTiny()
    tiny.load_state_dict(state)
    tiny.save_pretrained(folder)


def main():
    out, tokenizer, taesd = (Path(argument) for argument in sys.argv[1:4])
    torch.manual_seed(0)
    made = out / "sd15"
    if not (made / "model_index.json").exists():
        shutil.rmtree(made, ignore_errors=True)
        part = out / "sd15-part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write(part, tokenizer)
        part.rename(made)
    if not (out / "taesd" / "config.json").exists():
        tiny_folder(out / "taesd", taesd)
    (out / "work.json").write_text(json.dumps({size: operations(size) for size in (256, 512, 768, 1024)}) + "\n")


main()
