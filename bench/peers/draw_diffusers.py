"""diffusers on torch. Run by bench/peers/run.ts; prints JSON lines."""
import torch
from contender import Contender, timed
from diffusers import AutoencoderTiny, StableDiffusionPipeline

contender = Contender()
settings = contender.settings
torch.set_num_threads(settings["threads"])
pipe = StableDiffusionPipeline.from_pretrained(settings["model"], torch_dtype=torch.float32)
if settings["autoencoder"] == "tiny":
    pipe.vae = AutoencoderTiny.from_pretrained(settings["taesdFolder"], torch_dtype=torch.float32)
pipe.set_progress_bar_config(disable=True)
text, steps, vae = [], [], []
pipe.text_encoder.forward = timed(pipe.text_encoder.forward, text)
pipe.unet.forward = timed(pipe.unet.forward, steps)
pipe.vae.decode = timed(pipe.vae.decode, vae)


def once():
    for seconds in (text, steps, vae):
        seconds.clear()
    picture = pipe(
        settings["prompt"],
        width=settings["size"],
        height=settings["size"],
        num_inference_steps=settings["steps"],
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(settings["seed"]),
    ).images[0]
    return {"text": sum(text), "steps": list(steps), "vae": sum(vae)}, picture


contender.say(event="version", version=f"diffusers on torch {torch.__version__}")
contender.draw(once)
