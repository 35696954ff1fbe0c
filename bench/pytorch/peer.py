"""The official modules under PyTorch, as a process that a bench times its own networks against.

Reads one JSON command a line and answers one a line: {"cmd": "load", "kind": …, "name": …, "config": …, "tensors": FILE},
{"cmd": "run", "name": …} -> {"seconds": …}, {"cmd": "output", "name": …, "file": FILE} for the last result.
Not part of the product: needs Python with torch, einops and transformers, and a checkout of the official repository
(STEP_VIDEO_OFFICIAL). What that checkout imports but does not use here (xfuser, diffusers) is stood in for by empty classes.
"""
import json
import os
import struct
import sys
import time
import types

import numpy
import torch

DTYPES = {"F32": numpy.float32, "F16": numpy.float16, "I64": numpy.int64, "I32": numpy.int32}


def read_tensors(file):
    with open(file, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        data = f.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        array = numpy.frombuffer(data[start:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
        tensor = torch.from_numpy(array.copy())
        tensors[name] = tensor.float() if tensor.dtype == torch.float16 else tensor
    return tensors


def stand_ins():
    """Modules that the official code imports at the top and that a single CPU process does not need."""
    sys.path.insert(0, os.environ["STEP_VIDEO_OFFICIAL"])
    package = types.ModuleType("stepvideo")
    package.__path__ = [os.path.join(os.environ["STEP_VIDEO_OFFICIAL"], "stepvideo")]
    sys.modules["stepvideo"] = package
    for name in ["text_encoder", "utils"]:
        sub = types.ModuleType(f"stepvideo.{name}")
        sub.__path__ = [os.path.join(package.__path__[0], name)]
        sys.modules[f"stepvideo.{name}"] = sub
    sys.modules["stepvideo.utils"].with_empty_init = lambda function: function
    parallel = types.ModuleType("stepvideo.parallel")
    parallel.parallel_forward = lambda function: function
    parallel.get_sequence_parallel_world_size = lambda: 1
    parallel.get_sequence_parallel_rank = lambda: 0
    sys.modules["stepvideo.parallel"] = parallel
    diffusers = types.ModuleType("diffusers")
    configuration = types.ModuleType("diffusers.configuration_utils")
    modeling = types.ModuleType("diffusers.models.modeling_utils")
    configuration.ConfigMixin = type("ConfigMixin", (), {})
    modeling.ModelMixin = torch.nn.Module

    def register_to_config(init):
        import inspect

        def wrapped(self, **given):
            defaults = {k: p.default for k, p in inspect.signature(init).parameters.items() if k != "self"}
            object.__setattr__(self, "config", types.SimpleNamespace(**{**defaults, **given}))
            init(self, **given)

        return wrapped

    configuration.register_to_config = register_to_config
    sys.modules.update({
        "diffusers": diffusers,
        "diffusers.configuration_utils": configuration,
        "diffusers.models": types.ModuleType("diffusers.models"),
        "diffusers.models.modeling_utils": modeling,
    })
    base = "xfuser.model_executor.models.customized.step_video_t2v"
    path = ""
    for part in base.split("."):
        path = f"{path}.{part}".strip(".")
        sys.modules[path] = types.ModuleType(path)
    import stepvideo.modules.blocks
    import stepvideo.modules.normalization

    sys.modules[f"{base}.blocks"] = stepvideo.modules.blocks
    sys.modules[f"{base}.normalization"] = stepvideo.modules.normalization


def differentiable(*classes):
    """The official forward passes are wrapped to run without gradients; training needs what is inside."""
    for each in classes:
        each.forward = getattr(each.forward, "__wrapped__", each.forward)


def build_dit(config):
    from stepvideo.modules.blocks import SelfAttention, StepVideoTransformerBlock
    from stepvideo.modules.model import StepVideoModel

    differentiable(StepVideoModel, StepVideoTransformerBlock)
    options = {k: v for k, v in config.items() if not k.startswith("_") and k != "rope_ch_split"}
    model = StepVideoModel(**{**options, "attention_type": "torch"})
    for module in model.modules():
        if isinstance(module, SelfAttention):
            module.rope_ch_split = config["rope_ch_split"]
    return model


def call_dit(model, x):
    return model(
        x["latents"],
        encoder_hidden_states=x["llm"],
        encoder_hidden_states_2=x["clip"],
        timestep=x["t"],
        encoder_attention_mask=x["mask"],
        return_dict=False,
    )


def build_vae(config, half):
    from stepvideo.vae import vae

    vae.base_group_norm.spatial = True
    differentiable(vae.VideoDecoder, vae.VideoEncoder)
    options = {"z_channels": config["z_channels"], "version": 2}
    if half == "decoder":
        return vae.VideoDecoder(**config["decoder"], **options)
    return vae.VideoEncoder(**config["encoder"], **options)


class Autoencoder(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.encoder = build_vae(config, "encoder")
        self.decoder = build_vae(config, "decoder")

    def forward(self, pixels, noise):
        moments = self.encoder(pixels.transpose(1, 2).contiguous(), pixels.shape[1], True)
        mean, logvar = moments.chunk(2, dim=2)
        logvar = logvar.clamp(-30, 20)
        kl = 0.5 * (mean.pow(2) + logvar.exp() - 1 - logvar)
        return self.decoder(mean + (0.5 * logvar).exp() * noise, True), kl


def build_bert(config):
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**config), add_pooling_layer=False)


def build_step_llm(config):
    """The official encoder, its closed attention operator replaced by PyTorch's own with the same bias."""
    import transformers.modeling_utils

    # Newer releases of transformers no longer lend this name, which the official file takes from there.
    transformers.modeling_utils.PretrainedConfig = transformers.PretrainedConfig
    from stepvideo.text_encoder import stepllm

    class Attention(torch.nn.Module):
        def __init__(self, attention_dropout=0.0):
            super().__init__()
            self.bias = None

        def forward(self, q, k, v, cu_seqlens=None, max_seq_len=None):
            heads, length = q.shape[2], q.shape[1]
            if self.bias is None:
                distance = torch.arange(length)[:, None] - torch.arange(length)[None]
                slopes = torch.tensor(config["slopes"])
                bias = -slopes[:, None, None] * distance.clamp(min=0).sqrt()
                self.bias = bias.masked_fill(distance < 0, float("-inf"))[None]
            q, k, v = (x.transpose(1, 2) for x in (q, k, v))
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=self.bias).transpose(1, 2)

    stepllm.FlashSelfAttention = Attention
    space = types.SimpleNamespace(use_flash_attn=True, attention_dropout=0.0, hidden_dropout=0.0, params_dtype=torch.float32,
                                  embedding_weights_in_fp32=False, fp32_residual_connection=False, **config)

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tok_embeddings = stepllm.LLaMaEmbedding(space)
            self.transformer = stepllm.Transformer(space)

        def forward(self, ids):
            return self.transformer(self.tok_embeddings(ids), None).transpose(0, 1)

    return Encoder()


class Training:
    """Forward, backward and AdamW as a closure over a module and its loss."""

    def __init__(self, module, loss):
        self.module, self.loss = module.train(), loss
        self.optimizer = torch.optim.AdamW(module.parameters(), lr=1e-6, betas=(0.9, 0.95), weight_decay=0.0)

    def __call__(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.module)
        loss.backward()
        self.optimizer.step()
        return loss.detach().reshape(1)


def load(command):
    config = command["config"]
    tensors = read_tensors(command["tensors"])
    inputs = {k[len("input:"):]: v for k, v in tensors.items() if k.startswith("input:")}
    weights = {k: v for k, v in tensors.items() if not k.startswith("input:")}
    kind = command["kind"]
    if kind == "dit" or kind == "dit-train":
        module, call = build_dit(config), lambda m: call_dit(m, inputs)
    elif kind == "vae-decode":
        module, call = build_vae(config, "decoder"), lambda m: m(inputs["latents"], True).transpose(1, 2)
    elif kind == "vae-train":
        module, call = Autoencoder(config), None
    elif kind == "bert":
        module, call = build_bert(config), lambda m: m(inputs["ids"], attention_mask=inputs["mask"]).last_hidden_state
    elif kind == "step-llm":
        module, call = build_step_llm(config), lambda m: m(inputs["ids"])
    else:
        raise ValueError(kind)
    missing, extra = module.load_state_dict(weights, strict=False)
    missing = [m for m in missing if "position_ids" not in m]
    if missing or extra:
        raise ValueError(f"{kind}: missing {missing[:4]}, extra {extra[:4]}")
    if kind == "dit-train":
        return Training(module, lambda m: (call(m) - inputs["target"]).pow(2).mean())
    if kind == "vae-train":
        def loss(m):
            video, kl = m(inputs["pixels"], inputs["noise"])
            return (video.transpose(1, 2) - inputs["pixels"]).pow(2).mean() + 1e-4 * kl.mean()

        return Training(module, loss)
    module.eval()

    def infer():
        with torch.inference_mode():
            return call(module)

    return infer


def write_output(file, tensor):
    data = tensor.float().contiguous().numpy().tobytes()
    header = {"output": {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [0, len(data)]}}
    text = json.dumps(header).encode()
    with open(file, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    # Answers go where standard output was; whatever libraries print must not mix with them.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    stand_ins()
    runs, last = {}, {}
    for line in sys.stdin:
        command = json.loads(line)
        name = command.get("name")
        answer = {}
        try:
            if command["cmd"] == "load":
                runs[name] = load(command)
            elif command["cmd"] == "run":
                start = time.perf_counter()
                last[name] = runs[name]()
                answer["seconds"] = time.perf_counter() - start
            elif command["cmd"] == "output":
                write_output(command["file"], last[name])
            elif command["cmd"] == "about":
                answer["about"] = f"torch {torch.__version__}, {torch.get_num_threads()} threads"
        except Exception as error:
            import traceback

            traceback.print_exc()
            answer["error"] = f"{type(error).__name__}: {error}"
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
