"""stable-diffusion.cpp through its Python package. Run by bench/peers/run.ts; prints JSON lines.

It keeps the kernels of convolutions in float16 whatever type it is asked for, so that its memory is not like the others'.
"""
import ctypes
import importlib.metadata
import re
import time

import stable_diffusion_cpp
from contender import Contender
from stable_diffusion_cpp import StableDiffusion

contender = Contender()
settings = contender.settings
messages = []


@stable_diffusion_cpp.sd_log_callback
def keep(level, text, data):
    messages.append(text.decode("utf-8", errors="replace"))


tiny = settings["autoencoder"] == "tiny"
model = StableDiffusion(
    model_path=settings["model"],
    taesd_path=settings["taesdFolder"] + "/diffusion_pytorch_model.safetensors" if tiny else "",
    vae_decode_only=True,
    n_threads=settings["threads"],
    wtype="f32",
    verbose=False,
    **settings.get("sdcpp", {}),
)
stable_diffusion_cpp.sd_set_log_callback(keep, ctypes.c_void_p(0))


def seconds_of(name):
    """The library's own time of a phase."""
    found = [re.search(name + r".* taking ([0-9.]+) ?s", message) for message in messages]
    return sum(float(match.group(1)) for match in found if match)


def once():
    messages.clear()
    ends = []
    pictures = model.generate_image(
        settings["prompt"],
        width=settings["size"],
        height=settings["size"],
        sample_steps=settings["steps"],
        sample_method="lcm",
        cfg_scale=1.0,
        seed=settings["seed"],
        progress_callback=lambda step, steps, seconds: ends.append(time.perf_counter()),
    )
    sampling = seconds_of("sampling completed")
    return {
        "text": seconds_of("get_learned_condition completed"),
        "steps": [sampling / settings["steps"]] * settings["steps"],
        "vae": seconds_of("decode_first_stage completed"),
    }, pictures[0]


version = importlib.metadata.version("stable-diffusion-cpp-python")
contender.say(event="version", version=f"stable-diffusion.cpp (Python package {version})")
contender.draw(once)
