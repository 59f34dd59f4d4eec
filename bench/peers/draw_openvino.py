"""OpenVINO through its GenAI library. Run by bench/peers/run.ts; prints JSON lines."""
import openvino_genai
from contender import Contender

contender = Contender()
settings = contender.settings
pipe = openvino_genai.Text2ImagePipeline(
    settings["openvino"][settings["autoencoder"]],
    "CPU",
    INFERENCE_NUM_THREADS=settings["threads"],
    INFERENCE_PRECISION_HINT="f32",
)


def once():
    picture = pipe.generate(
        settings["prompt"],
        width=settings["size"],
        height=settings["size"],
        num_inference_steps=settings["steps"],
        guidance_scale=1.0,
        rng_seed=settings["seed"],
    )
    metrics = pipe.get_performance_metrics()
    raw = metrics.raw_metrics
    return {
        "text": sum(metrics.get_text_encoder_infer_duration().values()) / 1e3,
        "steps": [float(value) / 1e6 for value in raw.unet_inference_durations],
        "vae": metrics.get_vae_decoder_infer_duration() / 1e3,
    }, picture.data[0]


contender.say(event="version", version=f"OpenVINO GenAI {openvino_genai.get_version()}")
contender.draw(once)
