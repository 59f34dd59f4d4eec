"""Turns the model into OpenVINO's form, float32, with either autoencoder.

    python bench/peers/convert_openvino.py FOLDER

FOLDER holds what make_model.py wrote. The model is exported by optimum; TAESD's decoder, which optimum does not export, is
traced here and takes the other's place in a second folder, whose other parts are links to the first. Run by run.ts.
"""
import json
import shutil
import subprocess
import sys
from pathlib import Path

root = Path(sys.argv[1]).resolve()
whole, tiny = root / "openvino-kl", root / "openvino-tiny"


def export_whole():
    part = root / "openvino-part"
    shutil.rmtree(part, ignore_errors=True)
    command = [str(Path(sys.executable).parent / "optimum-cli"), "export", "openvino", "--model", str(root / "sd15")]
    subprocess.run([*command, "--task", "text-to-image", "--weight-format", "fp32", str(part)], check=True)
    part.rename(whole)


def export_tiny():
    import openvino
    import torch
    from diffusers import AutoencoderTiny

    part = root / "openvino-part"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(whole, part, symlinks=True, ignore=shutil.ignore_patterns("vae_*", "*.bin"))
    for binary in whole.glob("*/*.bin"):
        if not binary.parent.name.startswith("vae_"):
            (part / binary.parent.name / binary.name).symlink_to(Path("../..") / whole.name / binary.relative_to(whole))
    vae = AutoencoderTiny.from_pretrained(root / "taesd").eval().requires_grad_(False)

    class Decoder(torch.nn.Module):
        def forward(self, latent_sample):
            return vae.decode(latent_sample).sample

    example = torch.zeros(1, 4, 64, 64)
    model = openvino.convert_model(Decoder(), example_input=example, input=[openvino.PartialShape([-1, 4, -1, -1])])
    model.inputs[0].get_tensor().set_names({"latent_sample"})
    model.outputs[0].get_tensor().set_names({"sample"})
    (part / "vae_decoder").mkdir()
    openvino.save_model(model, part / "vae_decoder" / "openvino_model.xml", compress_to_fp16=False)
    # GenAI divides by the scaling factor of the configuration; TAESD takes latents as they are.
    config = json.loads((whole / "vae_decoder" / "config.json").read_text())
    (part / "vae_decoder" / "config.json").write_text(json.dumps({**config, "scaling_factor": 1.0}))
    part.rename(tiny)


if not whole.exists():
    export_whole()
if not tiny.exists():
    export_tiny()
