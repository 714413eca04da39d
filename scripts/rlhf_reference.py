#!/usr/bin/env python3
"""Reinforcement-learning and preference losses in PyTorch float64, with their gradients, held against TRL's own code: the fixtures of fireclay-rlhf.

usage: rlhf_reference.py trl-1.12.0-py3-none-any.whl [DIR]          DIR: crates/rlhf/tests/fixtures unless told

    pip install torch transformers trl numpy                        # TRL's trainers, all but PPO
    pip download --no-deps trl==1.12.0                              # the last TRL that has a PPO trainer; read from the wheel, never imported

Every loss is written here from its paper, then compared with TRL, value and gradient, wherever TRL has it. A trainer's `_compute_loss` runs unbound on a
stub that holds its settings, with a stub for the model that returns the given log-probabilities. What TRL computes in the middle of a long method (group
advantages, the PPO step) runs as an excerpt of that method's source, found by its first and last line. A difference stops the script.

Each file: made_by, versions, what, from_trl (the keys that TRL's own code gave, equal to ours within 1e-10), like_trl (those that TRL computes in float32;
ours, equal within 1e-6; in end_to_end within 1e-4), conventions, inputs, cases. A tensor is {"shape", "data"}, row-major; a case holds its settings, its inputs where they are its own,
the loss, and the gradients by the name of the input. Inputs are multiples of 1/256, so f32 holds them exactly. Where the mask is 0 they are junk: they must
not matter, and their gradient is 0. Same seed, same numbers: running it twice changes nothing.
"""
import ast
import inspect
import json
import math
import os
import platform
import shutil
import sys
import textwrap
import zipfile
from collections import defaultdict
from types import MethodType, SimpleNamespace

import numpy
import torch
import torch.nn.functional as F
import transformers
import trl
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
from trl.experimental.cpo import CPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.reward_trainer import RewardTrainer
from trl.trainer.rloo_trainer import RLOOTrainer
from trl.trainer.utils import add_fused_lm_head, nanstd

B, T, V = 4, 8, 11
LENGTHS = [8, 5, 7, 1]
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
logsigmoid = F.logsigmoid


# ---- the file that a family writes -------------------------------------------------------------------------------------------------------------------

class Fixture:
    def __init__(self, what, conventions, inputs=None):
        self.what, self.conventions, self.inputs, self.cases, self.from_trl, self.like_trl = what, conventions, inputs or {}, {}, [], []

    def case(self, name, ours, leaves, trl=None, settings=None, inputs=None):
        """Runs `ours` and `trl`, functions of the tensors `leaves` that give {"loss", more}; keeps the values and the loss's gradient by each leaf."""
        mine, theirs = evaluate(ours, leaves), evaluate(trl, leaves) if trl else {}
        for key, value in theirs.items():
            difference = max((float((a - b).abs().div(1 + a.abs()).max()) for a, b in pairs(mine[key], value)))
            assert difference < 1e-6, f"{name}.{key}: ours {mine[key]}, TRL {value}"
            (self.from_trl if difference < 1e-10 else self.like_trl).append(f"cases.{name}.{key}")
            mine[key] = value if difference < 1e-10 else mine[key]
        self.cases[name] = {"settings": settings or {}, **({"inputs": inputs} if inputs else {}), **mine}
        return mine

    def write(self, path, versions):
        head = {"made_by": "scripts/rlhf_reference.py", "versions": versions, "what": self.what, "from_trl": self.from_trl,
                "like_trl": self.like_trl, "conventions": self.conventions}
        text = dump({**head, "inputs": self.inputs, "cases": self.cases}) + "\n"
        assert len(text) < 60_000, f"{path} has {len(text)} bytes"
        open(path, "w").write(text)
        print(f"{os.path.basename(path):16} {len(text):6} bytes, {len(self.cases):2} cases, {len(self.from_trl):3} keys from TRL")
        return len(text)


def pairs(a, b):
    if isinstance(a, dict):
        return [pair for key in a for pair in pairs(a[key], b[key])]
    return [(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64))]


def evaluate(function, leaves):
    tensors = {name: value.clone().requires_grad_() for name, value in leaves.items()}
    result = function(**tensors)
    if "loss" in result and tensors:
        gradients = torch.autograd.grad(result["loss"], tensors.values(), allow_unused=True)
        result["gradients"] = {name: torch.zeros_like(t) if g is None else g for (name, t), g in zip(tensors.items(), gradients)}
    return {key: value if isinstance(value, dict) else torch.as_tensor(value).detach() for key, value in result.items()}


def dump(value, indent=0):
    """JSON with a line for each key and a line for each tensor."""
    if isinstance(value, torch.Tensor):
        data = [float(x) + 0.0 if value.is_floating_point() else int(x) for x in value.flatten().tolist()]
        assert all(math.isfinite(x) for x in data)
        return repr(data[0]) if value.ndim == 0 else json.dumps({"shape": list(value.shape), "data": data}, separators=(",", ":"))
    if isinstance(value, dict) and value:
        pad = " " * (indent + 1)
        return "{\n" + ",\n".join(f"{pad}{json.dumps(k)}: {dump(v, indent + 1)}" for k, v in value.items()) + "\n" + " " * indent + "}"
    return json.dumps(value)


# ---- TRL's code, outside a trainer -------------------------------------------------------------------------------------------------------------------

def excerpt(source, first, last):
    """A function that runs the lines of `source` from the one that starts with `first` to the one that starts with `last` on the names given to it."""
    lines = source.splitlines()
    starts = [i for i, line in enumerate(lines) if line.strip().startswith(first)]
    assert len(starts) == 1, f"{first!r} stands in {len(starts)} places"
    end = next(i for i in range(starts[0], len(lines)) if lines[i].strip().startswith(last))
    while True:
        try:
            code = compile(textwrap.dedent("\n".join(lines[starts[0]:end + 1])), first, "exec")
            break
        except SyntaxError:
            end += 1
            assert end < len(lines), f"no statement from {first!r} to {last!r}"

    def run(**names):
        scope = {"torch": torch, "nanstd": nanstd, "gather": lambda x: x, **names}
        exec(code, scope)
        return scope

    return run


class Same:
    """An accelerator of one process."""
    device, num_processes = torch.device("cpu"), 1
    gather = gather_for_metrics = reduce = staticmethod(lambda x, reduction=None: x)

    @staticmethod
    def autocast():
        return torch.autocast("cpu", enabled=False)


def stub(**settings):
    common = dict(accelerator=Same(), model=SimpleNamespace(training=False), _metrics={"eval": defaultdict(list)}, aux_loss_enabled=False)
    return SimpleNamespace(**{**common, **settings})


def lm_stub(token_logprobs):
    """A model with TRL's fused head that returns these log-probabilities, and zeros for what only metrics read."""
    zeros = torch.zeros_like(token_logprobs)
    output = SimpleNamespace(log_probs=token_logprobs, entropy=zeros, mean_logits=zeros, log_sum_sq_probs=zeros, is_top1=zeros.bool())
    return lambda **_: output


# ---- numbers -----------------------------------------------------------------------------------------------------------------------------------------

def grid(tensor):
    return (tensor * 256).round() / 256


def masked_mean(x, mask):
    return (x * mask).sum() / mask.sum()


def token_logprobs(logits, tokens):
    return logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]


def tokens_and_logits(random):
    """Logits `[B,T,V]` of a policy, of it before an update and of a reference, ids sampled from the older one, and the log-probabilities of these ids.

    Token (0, 2) is an improbable one of a sharp distribution, (1, 1) comes from a uniform one. The policy is far above its old self at (0, 5) and (2, 0),
    far below at (0, 6) and (2, 1), equal at (1, 0).
    """
    mask = torch.tensor([[int(t < n) for t in range(T)] for n in LENGTHS])
    old_logits = grid(torch.randn(B, T, V, generator=random) * 1.5)
    tokens = torch.multinomial(old_logits.softmax(-1).view(-1, V), 1, generator=random).view(B, T)
    old_logits[1, 1] = 0
    old_logits[0, 2] = 0
    old_logits[0, 2, (tokens[0, 2] + 1) % V] = 16
    logits = grid(old_logits + torch.randn(B, T, V, generator=random) * 0.2)
    logits[1, 0] = old_logits[1, 0]
    for (b, t), move in {(0, 5): 2.0, (0, 6): -2.5, (2, 0): 1.25, (2, 1): -3.0}.items():
        logits[b, t, tokens[b, t]] += move
    reference_logits = grid(old_logits + torch.randn(B, T, V, generator=random) * 0.4)
    junk = grid(-torch.rand(3, B, T, generator=random) * 6)
    three = [grid(token_logprobs(x, tokens)) for x in (logits, old_logits, reference_logits)]
    logprobs, old_logprobs, reference_logprobs = (torch.where(mask.bool(), x, j) for x, j in zip(three, junk))
    return dict(mask=mask, tokens=tokens, logits=logits, old_logits=old_logits, reference_logits=reference_logits,
                logprobs=logprobs, old_logprobs=old_logprobs, reference_logprobs=reference_logprobs)


# ---- 1. estimators of the Kullback-Leibler divergence ------------------------------------------------------------------------------------------------

def kl_fixture(d, ppo):
    mask, q = d["mask"], d["reference_logprobs"]

    def estimator(name, logp):
        ratio = q - logp
        return {"k1": -ratio, "k2": 0.5 * ratio ** 2, "k3": ratio.exp() - ratio - 1}[name]

    def ppo_kl(name, logprobs):
        scope = ppo["kl"](ref_logprobs=q, logprobs=logprobs, args=SimpleNamespace(kl_estimator=name, kl_coef=1.0))
        return {"per_token": scope["kl"] * mask, "loss": masked_mean(scope["kl"], mask)}

    fixture = Fixture(
        "Schulman's estimators of KL(p || q) from tokens sampled from p (http://joschu.net/blog/kl-approx.html), and the exact KL from logits.",
        {"k1": "log p - log q", "k2": "(log p - log q)^2 / 2", "k3": "q/p - 1 - log(q/p)", "p": "the policy, logprobs", "q": "the reference",
         "loss": "mean over the tokens with mask 1 (token_mean), or mean over sequences of each sequence's token mean (sequence_mean)",
         "gradients": "with respect to log p where the formula names it; the sampling is not differentiated",
         "per_token": "times the mask"},
        {"logprobs": d["logprobs"], "reference_logprobs": q, "mask": mask})
    for name in ("k1", "k2", "k3"):
        def ours(logprobs):
            per_token = estimator(name, logprobs)
            return {"per_token": per_token * mask, "loss": masked_mean(per_token, mask)}

        trl = {"k1": lambda logprobs: ppo_kl("k1", logprobs), "k2": None, "k3": lambda logprobs: ppo_kl("k3", logprobs)}[name]
        fixture.case(f"{name}_token_mean", ours, {"logprobs": d["logprobs"]}, trl)

        def by_sequence(logprobs):
            return {"loss": ((estimator(name, logprobs) * mask).sum(1) / mask.sum(1)).mean()}

        def trl_grpo(logprobs):  # with advantages of 0 and beta 1, what is left of GRPO's loss is its KL term
            return {"loss": grpo_trl(logprobs, d, torch.zeros(B), loss_type="grpo", beta=1.0)["loss"]}

        fixture.case(f"{name}_sequence_mean", by_sequence, {"logprobs": d["logprobs"]}, trl_grpo if name == "k3" else None)

    def exact(logits):
        p, q_all = logits.log_softmax(-1), d["reference_logits"].log_softmax(-1)
        per_token = (p.exp() * (p - q_all)).sum(-1)
        for name in ("k1", "k3"):  # both are unbiased: their mean over p is the divergence itself
            r = q_all - p
            mean = (p.exp() * (-r if name == "k1" else r.exp() - r - 1)).sum(-1)
            assert torch.allclose(mean, per_token, atol=1e-12)
        return {"per_token": per_token * mask, "loss": masked_mean(per_token, mask)}

    fixture.case("exact_from_logits", exact, {"logits": d["logits"]},
                 inputs={"logits": d["logits"], "reference_logits": d["reference_logits"]})
    return fixture


# ---- 2. generalised advantage estimation -------------------------------------------------------------------------------------------------------------

def gae(rewards, values, mask, gamma, lam):
    """Schulman et al. 2016 (1506.02438), equations 11-16; nothing is bootstrapped after an episode's last token."""
    advantages = torch.zeros_like(values)
    for b in range(len(mask)):
        later, n = 0.0, int(mask[b].sum())
        for t in reversed(range(n)):
            following = values[b, t + 1] if t + 1 < n else 0.0
            later = rewards[b, t] + gamma * following - values[b, t] + gamma * lam * later
            advantages[b, t] = later
    return advantages, (advantages + values) * mask


def whiten(x, mask, unbiased=True, shift_mean=True):
    mean = masked_mean(x, mask)
    variance = ((x - mean) ** 2 * mask).sum() / (mask.sum() - int(unbiased))
    return ((x - mean) / (variance + 1e-8).sqrt() + (0 if shift_mean else mean)) * mask


def gae_fixture(d, ppo, random):
    mask = d["mask"]
    rewards, values = grid(torch.randn(B, T, generator=random)), grid(torch.randn(B, T, generator=random) * 2)
    rewards[0, 3], values[2, 4] = 20, -12
    scores = torch.tensor([1.5, -0.75, 4.0, 0.25])
    fixture = Fixture(
        "Generalised advantage estimation over episodes of different lengths, whitening, and per-token rewards with a KL penalty.",
        {"advantages": "delta_t = r_t + gamma v_{t+1} - v_t, A_t = delta_t + gamma lambda A_{t+1}; v and A are 0 after the last token with mask 1; 0 where the mask is 0",
         "returns": "A + v, 0 where the mask is 0",
         "whitened": "(A - mean) / sqrt(variance + 1e-8) over all tokens of the batch with mask 1, 0 elsewhere; variance unbiased (n - 1) as in TRL's masked_whiten, or biased (n)",
         "whitened_mean_kept": "the same plus the mean: TRL's shift_mean=False, which it uses for rewards",
         "penalised_rewards": "-kl_coefficient * k(logprobs, reference_logprobs) at every token, plus the score at the last one",
         "trl": "TRL masks values and rewards itself; here it gets them with the padding zeroed. TRL's own trainer does two things otherwise: it pays the score, and reads a value, "
                "one position after the last token where there is one."},
        {"rewards": rewards, "values": values, "mask": mask, "scores": scores, "logprobs": d["logprobs"], "reference_logprobs": d["reference_logprobs"]})
    for gamma, lam in ((1, .95), (.99, .9), (1, 1), (1, 0)):
        def ours():
            advantages, returns = gae(rewards, values, mask, gamma, lam)
            return {"advantages": advantages, "returns": returns, "whitened": whiten(advantages, mask),
                    "whitened_biased": whiten(advantages, mask, unbiased=False), "whitened_mean_kept": whiten(advantages, mask, shift_mean=False)}

        def theirs():
            scope = ppo["gae"](rewards=rewards * mask, values=values * mask, responses=values, args=SimpleNamespace(gamma=gamma, lam=lam))
            # Past the end every delta is 0, so TRL's loop over the whole width starts from 0 at the last token.
            kept = ppo["masked_whiten"](scope["advantages"], mask, shift_mean=False) * mask
            return {"advantages": scope["advantages"], "returns": scope["returns"],
                    "whitened": ppo["masked_whiten"](scope["advantages"], mask) * mask, "whitened_mean_kept": kept}

        fixture.case(f"gamma_{gamma}_lambda_{lam}", ours, {}, theirs, {"gamma": gamma, "lambda": lam})
    for name in ("k1", "k3"):
        def penalised():
            r = d["reference_logprobs"] - d["logprobs"]
            out = -0.05 * (-r if name == "k1" else r.exp() - r - 1) * mask
            out[torch.arange(B), mask.sum(1) - 1] += scores
            return {"penalised_rewards": out}

        def trl_penalised():
            scope = ppo["kl"](ref_logprobs=d["reference_logprobs"], logprobs=d["logprobs"], args=SimpleNamespace(kl_estimator=name, kl_coef=0.05))
            out = scope["non_score_reward"] * mask
            out[torch.arange(B), mask.sum(1) - 1] += scores
            return {"penalised_rewards": out}

        fixture.case(f"penalised_rewards_{name}", penalised, {}, trl_penalised, {"kl_coefficient": 0.05, "kl": name})
    return fixture


# ---- 3. proximal policy optimisation -----------------------------------------------------------------------------------------------------------------

def ppo_fixture(d, ppo, random):
    mask, old = d["mask"], d["old_logprobs"]
    advantages = grid(torch.randn(B, T, generator=random))
    advantages[2, 0], advantages[2, 1], advantages[0, 5], advantages[0, 6] = 1.5, -1.0, -0.5, 2.0  # both signs on either side of the clip
    old_values = grid(torch.randn(B, T, generator=random))
    values = grid(old_values + torch.randn(B, T, generator=random) * 0.3)
    values[0, 0], values[1, 2] = old_values[0, 0], old_values[1, 2] + 6
    returns = grid(old_values + torch.randn(B, T, generator=random))

    def policy(logprobs, epsilon=0.2, advantages=advantages):
        """Schulman et al. 2017 (1707.06347), equation 7."""
        difference = logprobs - old
        ratio = difference.exp()
        plain, clipped = -advantages * ratio, -advantages * ratio.clamp(1 - epsilon, 1 + epsilon)
        return {"loss": masked_mean(torch.maximum(plain, clipped), mask), "clip_fraction": masked_mean((clipped > plain).double(), mask),
                "approximate_kl_k1": masked_mean(-difference, mask), "approximate_kl_k2": masked_mean(0.5 * difference ** 2, mask),
                "approximate_kl_k3": masked_mean(ratio - 1 - difference, mask), "ratio_mean": masked_mean(ratio, mask)}

    def value(values, epsilon=0.2):
        plain = (values - returns) ** 2
        clipped = (torch.clamp(values, old_values - epsilon, old_values + epsilon) - returns) ** 2
        return {"loss": 0.5 * masked_mean(torch.maximum(plain, clipped), mask), "clip_fraction": masked_mean((clipped > plain).double(), mask)}

    def entropy(logits):
        p = logits.log_softmax(-1)
        per_token = -(p.exp() * p).sum(-1)
        return {"per_token": per_token * mask, "loss": masked_mean(per_token, mask)}

    padding = ~mask.bool()

    def step(logprobs=d["logprobs"], values=values, logits=d["logits"]):
        args = SimpleNamespace(cliprange=0.2, cliprange_value=0.2, vf_coef=0.1)
        fill = lambda x: torch.masked_fill(x, padding, 1.0)  # INVALID_LOGPROB
        scope = ppo["loss"](
            masked_mean=ppo["masked_mean"], args=args, micro_batch_inds=slice(None), padding_mask=padding, padding_mask_p1=padding, vpred=values,
            mb_values=old_values, mb_return=returns, mb_advantage=advantages * mask, new_logprobs=fill(logprobs), mb_logprobs=fill(old))
        return ppo["statistics"](**{**scope, "logits": logits})

    def trl_policy(logprobs):
        scope = step(logprobs=logprobs)
        # TRL's approxkl is a mean over all B*T positions, where the padded ones count as 0.
        return {"loss": scope["pg_loss"], "clip_fraction": scope["pg_clipfrac"], "approximate_kl_k2": scope["approxkl"] * B * T / mask.sum()}

    def trl_value(values):
        scope = step(values=values)
        return {"loss": scope["vf_loss"], "clip_fraction": scope["vf_clipfrac"]}

    def trl_entropy(logits):
        scope = step(logits=logits)
        return {"per_token": scope["entropy"] * mask, "loss": masked_mean(scope["entropy"], mask)}

    fixture = Fixture(
        "The clipped policy loss, the clipped value loss and the entropy of proximal policy optimisation (Schulman et al. 2017, 1707.06347).",
        {"reduction": "mean over all tokens of the batch with mask 1",
         "policy": "max(-A ratio, -A clip(ratio, 1 - epsilon, 1 + epsilon)), ratio = exp(logprobs - old_logprobs)",
         "value": "max((v - R)^2, (clip(v, old_v - epsilon, old_v + epsilon) - R)^2) / 2",
         "clip_fraction": "the share of tokens where the clipped term is strictly the larger one",
         "approximate_kl": "KL(old || new) from tokens of the old policy: k1 = -(logprobs - old_logprobs), k2 = half its square, k3 = ratio - 1 - log ratio",
         "entropy": "-sum p log p of the full distribution, in nats; the loss here is the mean entropy itself, no sign and no coefficient",
         "trl": "PPOTrainer.train of TRL 1.12.0, trl/experimental/ppo/ppo_trainer.py; excerpts of it run here. There the value loss is masked one position further "
                "than the policy loss, approxkl is a mean over padded positions too (rescaled here), and so is the entropy, which has no part in the loss."},
        {"logprobs": d["logprobs"], "old_logprobs": old, "advantages": advantages, "values": values, "old_values": old_values, "returns": returns, "mask": mask})
    fixture.case("policy", policy, {"logprobs": d["logprobs"]}, trl_policy, {"epsilon": 0.2})
    fixture.case("policy_on_policy", policy, {"logprobs": old}, trl_policy,
                 {"epsilon": 0.2, "note": "logprobs = old_logprobs: the ratio is 1 and the gradient that of -A log p"}, {"logprobs": old})
    fixture.case("value", value, {"values": values}, trl_value, {"epsilon": 0.2})
    fixture.case("value_unclipped", lambda values: value(values, 1e9), {"values": values}, None, {"epsilon": None})
    fixture.case("entropy", entropy, {"logits": d["logits"]}, trl_entropy, inputs={"logits": d["logits"]})

    def total(logits, values):
        logprobs = token_logprobs(logits, d["tokens"])
        parts = policy(logprobs)["loss"], value(values)["loss"], entropy(logits)["loss"]
        return {"loss": parts[0] + 0.1 * parts[1] - 0.01 * parts[2]}

    def trl_total(logits, values):
        scope = step(token_logprobs(logits, d["tokens"]), values, logits)
        return {"loss": scope["loss"] - 0.01 * masked_mean(scope["entropy"], mask)}  # TRL has no entropy term

    fixture.case("from_logits", total, {"logits": d["logits"], "values": values}, trl_total,
                 {"epsilon": 0.2, "value_coefficient": 0.1, "entropy_coefficient": 0.01, "loss": "policy + 0.1 value - 0.01 entropy; logits of case entropy"},
                 {"tokens": d["tokens"]})
    return fixture


# ---- 4. group relative policy optimisation -----------------------------------------------------------------------------------------------------------

def grpo(logprobs, d, advantages, mask=None, loss_type="grpo", level="token", low=0.2, high=0.2, beta=0.0, delta=None, max_length=12, items=None,
         old=None):
    """GRPO (2402.03300) with the reductions of DAPO (2503.14476) and Dr. GRPO (2503.20783), the ratio of GSPO (2507.18071), the loss of CISPO (2506.13585)."""
    mask = d["mask"] if mask is None else mask
    old = d["old_logprobs"] if old is None else old
    log_ratio, lengths = logprobs - old, mask.sum(1).clamp(min=1)
    ratio = log_ratio.exp() if level == "token" else ((log_ratio * mask).sum(1) / lengths).exp()[:, None]
    a = advantages[:, None]
    if loss_type == "cispo":
        per_token = -ratio.clamp(max=high).detach() * a * logprobs
    else:
        unclipped = ratio if delta is None else ratio.clamp(max=delta)
        per_token = -torch.minimum(unclipped * a, ratio.clamp(1 - low, 1 + high) * a)
    result = {}
    if loss_type != "cispo":
        ends = {"low": (ratio < 1 - low) & (a < 0), "high": ((ratio if delta is None else ratio.clamp(max=delta)) > 1 + high) & (a > 0)}
        for key, clipped in ends.items():
            result[f"clip_fraction_{key}"] = masked_mean(clipped.double(), mask) if level == "token" else clipped.double().mean()
    if beta:
        r = d["reference_logprobs"] - logprobs
        kl = r.exp() - r - 1
        per_token, result["kl"] = per_token + beta * kl, masked_mean(kl, mask)
    per_token = per_token * mask
    loss = {"grpo": lambda: (per_token.sum(1) / lengths).mean(), "bnpo": lambda: per_token.sum() / mask.sum().clamp(min=1),
            "dr_grpo": lambda: per_token.sum() / (B * max_length), "dapo": lambda: per_token.sum() / items, "cispo": lambda: per_token.sum() / items}
    return {"loss": loss[loss_type](), **result}


def grpo_trl(logprobs, d, advantages, mask=None, loss_type="grpo", level="token", low=0.2, high=0.2, beta=0.0, delta=None, max_length=12, items=None,
             old=None):
    mask = d["mask"] if mask is None else mask
    trainer = stub(
        loss_type=loss_type, importance_sampling_level=level, epsilon_low=low, epsilon_high=high, beta=beta, max_completion_length=max_length,
        top_entropy_quantile=1.0, off_policy_mask_threshold=None, use_vllm=False, _entropy_bonus_enabled=False,
        args=SimpleNamespace(delta=delta, use_bias_correction_kl=False),
        _get_per_token_logps_and_entropies=lambda *_, **__: (logprobs, torch.zeros_like(logprobs), None))
    prompt = torch.zeros(len(mask), 1, dtype=torch.long)
    inputs = {"prompt_ids": prompt, "prompt_mask": prompt + 1, "completion_ids": torch.zeros_like(mask), "completion_mask": mask, "advantages": advantages,
              "old_per_token_logps": d["old_logprobs"] if old is None else old, "ref_per_token_logps": d["reference_logprobs"],
              "num_items_in_batch": torch.tensor(items or 0)}
    loss = GRPOTrainer._compute_loss(trainer, None, inputs)
    metrics = trainer._metrics["eval"]
    names = {"clip_fraction_low": "clip_ratio/low_mean", "clip_fraction_high": "clip_ratio/high_mean", "kl": "kl"}
    return {"loss": loss, **{key: metrics[name][0] for key, name in names.items() if name in metrics}}


def grpo_fixture(d, random):
    rewards = torch.tensor([1, 0, 0, 1, 0.5, 0.5, 0.5, 0.5, -2, 3.25, 0.125, 40], dtype=torch.float64)
    advantages = torch.tensor([1.25, -0.75, -1.5, 0.5], dtype=torch.float64)
    fixture = Fixture(
        "Group-relative advantages, and the clipped per-token loss with its KL term in the reductions of GRPO, BNPO, Dr. GRPO and DAPO, and with GSPO's sequence ratio.",
        {"advantages": "one per sequence; rewards of one prompt stand together, group_size at a time. (r - mean) / (std + 1e-4) with the unbiased std (n - 1) of the group, "
                       "of the whole batch (the mean stays the group's), or no division",
         "per_token": "-min(ratio A, clip(ratio, 1 - epsilon_low, 1 + epsilon_high) A) + beta k3, k3 = exp(ref - logp) - (ref - logp) - 1",
         "ratio": "token: exp(logp - old). sequence: exp(mean over the sequence's tokens of logp - old), the same for each of its tokens",
         "grpo": "mean over sequences (all B, empty ones count as 0) of the mean over each one's tokens", "bnpo": "sum over tokens / number of tokens",
         "dr_grpo": "sum over tokens / (B max_length)", "dapo": "sum over tokens / num_items, the tokens of the whole generation batch",
         "cispo": "per token -min(ratio, epsilon_high) A logp with the ratio detached; epsilon_high is the bound itself, not added to 1; reduced as dapo",
         "delta": "the unclipped ratio is cut at delta first (two-sided clipping)",
         "clip_fraction": "low: ratio < 1 - epsilon_low and A < 0; high: ratio > 1 + epsilon_high and A > 0; share of tokens, or of sequences where the ratio is the sequence's",
         "trl": "GRPOTrainer._compute_loss on a stub, and its lines for the advantages in _generate_and_score_completions"},
        {"logprobs": d["logprobs"], "old_logprobs": d["old_logprobs"], "reference_logprobs": d["reference_logprobs"], "mask": d["mask"],
         "advantages": advantages, "rewards": rewards})

    source = inspect.getsource(GRPOTrainer._generate_and_score_completions)
    run = excerpt(source, "unscorable_mask = ", "advantages = torch.nan_to_num(")
    for scale in ("group", "batch", "none"):
        def ours():
            groups = rewards.view(-1, 4)
            out = groups - groups.mean(1, keepdim=True)
            divisor = {"group": groups.std(1, keepdim=True) + 1e-4, "batch": rewards.std() + 1e-4, "none": 1.0}[scale]
            return {"advantages": (out / divisor).view(-1)}

        def theirs():
            trainer = SimpleNamespace(multi_objective_aggregation="sum_then_normalize", scale_rewards=scale, reward_weights=torch.ones(1), reward_funcs=[None])
            return {"advantages": run(self=trainer, rewards_per_func=rewards[:, None], num_generations=4, device="cpu")["advantages"]}

        fixture.case(f"advantages_{scale}", ours, {}, theirs, {"scale": scale, "group_size": 4})

    short = d["mask"].clone()
    short[3, 0] = 0
    base = dict(low=0.2, high=0.28, beta=0.04)
    cases = {
        "plain": dict(), "grpo": dict(**base), "bnpo": dict(loss_type="bnpo", **base), "dr_grpo": dict(loss_type="dr_grpo", **base),
        "dapo": dict(loss_type="dapo", items=40, **base), "cispo": dict(loss_type="cispo", high=2.0, items=40),
        "grpo_sequence_ratio": dict(level="sequence", **base), "gspo": dict(level="sequence", low=0.01, high=0.02),
        "bnpo_sequence_ratio": dict(loss_type="bnpo", level="sequence", low=0.01, high=0.02),
        "two_sided": dict(delta=1.375, **base), "empty_sequence": dict(mask=short, **base), "on_policy": dict(old=d["logprobs"], **base)}
    for name, settings in cases.items():
        written = {"loss_type": settings.get("loss_type", "grpo"), "ratio": settings.get("level", "token"), "epsilon_low": settings.get("low", 0.2),
                   "epsilon_high": settings.get("high", 0.2), "beta": settings.get("beta", 0.0), "delta": settings.get("delta"), "max_length": 12,
                   "num_items": settings.get("items")}
        if settings.get("old") is not None:
            written["note"] = "old_logprobs = logprobs"
        fixture.case(name, lambda logprobs: grpo(logprobs, d, advantages, **settings), {"logprobs": d["logprobs"]},
                     lambda logprobs: grpo_trl(logprobs, d, advantages, **settings), written, {"mask": short} if name == "empty_sequence" else None)

    values = {name: float(case["loss"]) for name, case in fixture.cases.items() if "loss" in case}
    assert len({round(value, 9) for value in values.values()}) == len(values), f"two settings give one loss and cannot be told apart: {values}"

    fixture.case("from_logits", lambda logits: {"loss": grpo(token_logprobs(logits, d["tokens"]), d, advantages, **base)["loss"]}, {"logits": d["logits"]},
                 lambda logits: {"loss": grpo_trl(token_logprobs(logits, d["tokens"]), d, advantages, **base)["loss"]},
                 {"loss_type": "grpo", "ratio": "token", "epsilon_low": 0.2, "epsilon_high": 0.28, "beta": 0.04}, {"logits": d["logits"], "tokens": d["tokens"]})
    return fixture


# ---- 5. reward models --------------------------------------------------------------------------------------------------------------------------------

def reward_fixture():
    chosen = torch.tensor([1.5, -0.25, 0.75, 30.0, -30.0, 2.0], dtype=torch.float64)
    rejected = torch.tensor([0.5, 1.25, 0.75, -30.0, 30.0, 1.0], dtype=torch.float64)
    margins = torch.tensor([0.0, 0.5, 1.0, 2.0, 0.25, 3.0], dtype=torch.float64)
    fixture = Fixture(
        "The pairwise loss of reward models (Bradley-Terry; margins as in Llama 2, 2307.09288; centring as in 2312.09244) on pairs of rewards.",
        {"loss": "mean over pairs of -log sigmoid(chosen - rejected - margin), plus center * mean over pairs of (chosen + rejected)^2",
         "accuracy": "share of pairs with chosen > rejected, strictly: pair 2 is a tie and counts as wrong; the margin plays no part",
         "margin_mean": "mean of chosen - rejected", "trl": "RewardTrainer.compute_loss on a stub whose model returns the chosen rewards, then the rejected ones"},
        {"chosen": chosen, "rejected": rejected, "margins": margins})
    for name, margin, center in (("plain", False, None), ("margin", True, None), ("centred", False, 0.01), ("margin_centred", True, 0.01)):
        def ours(chosen, rejected):
            loss = -logsigmoid(chosen - rejected - (margins if margin else 0)).mean() + (center or 0) * ((chosen + rejected) ** 2).mean()
            return {"loss": loss, "accuracy": (chosen > rejected).double().mean(), "margin_mean": (chosen - rejected).mean()}

        def theirs(chosen, rejected):
            trainer = stub(args=SimpleNamespace(center_rewards_coefficient=center), _total_train_tokens=0)
            model = lambda **_: SimpleNamespace(logits=torch.cat([chosen, rejected])[:, None])
            loss = RewardTrainer.compute_loss(trainer, model, {"margin": margins} if margin else {})
            return {"loss": loss, "accuracy": trainer._metrics["eval"]["accuracy"][0], "margin_mean": trainer._metrics["eval"]["margin"][0]}

        fixture.case(name, ours, {"chosen": chosen, "rejected": rejected}, theirs, {"with_margins": margin, "center": center})
    return fixture


# ---- 6. direct preference optimisation ---------------------------------------------------------------------------------------------------------------

def dpo(chosen, rejected, ref_chosen, ref_rejected, chosen_lengths, rejected_lengths, loss="sigmoid", beta=0.1, smoothing=0.0):
    """DPO (2305.18290), conservative and robust DPO (2403.00409), IPO (2310.12036), hinge (SLiC, 2309.06657). One loss per pair."""
    c, r = chosen - ref_chosen, rejected - ref_rejected
    h, mean_h = beta * (c - r), c / chosen_lengths - r / rejected_lengths
    per_pair = {
        "sigmoid": lambda: -(1 - smoothing) * logsigmoid(h) - smoothing * logsigmoid(-h),
        "robust": lambda: (-(1 - smoothing) * logsigmoid(h) + smoothing * logsigmoid(-h)) / (1 - 2 * smoothing),
        "ipo": lambda: (mean_h - 1 / (2 * beta)) ** 2, "ipo_sum": lambda: (c - r - 1 / (2 * beta)) ** 2,
        "hinge": lambda: torch.relu(1 - h), "sigmoid_mean": lambda: -logsigmoid(beta * mean_h)}[loss]()
    rewards = {"chosen_rewards": beta * c, "rejected_rewards": beta * r, "accuracy": (c > r).double().mean()}
    return {"loss": per_pair.mean(), "per_pair": per_pair, **rewards}


def dpo_trl(tokens, mask, ref_chosen, ref_rejected, loss, beta, smoothing):
    """DPOTrainer's loss from token log-probabilities `[2P,T]`, 0 outside the mask, the chosen half first. TRL calls sigmoid_mean sigmoid_norm."""
    pairs_ = len(mask) // 2
    # Conservative DPO is not in TRL's "sigmoid", which ignores label_smoothing. Its "aot" on a single pair is that loss: there is nothing to sort.
    if loss == "sigmoid" and smoothing:
        rows = [[i, pairs_ + i] for i in range(pairs_)]
        each = [dpo_trl(tokens[r], mask[r], ref_chosen[r[0]:r[0] + 1], ref_rejected[r[0]:r[0] + 1], "aot", beta, smoothing)["loss"] for r in rows]
        return {"loss": torch.stack(each).mean()}
    trainer = stub(beta=beta, label_smoothing=smoothing, loss_types=[{"sigmoid_mean": "sigmoid_norm"}.get(loss, loss)], loss_weights=[1.0], ld_alpha=None,
                   f_divergence_type="reverse_kl", precompute_ref_logps=True, use_weighting=False, _total_train_tokens=0, args=None)
    whole = torch.cat([torch.zeros(len(mask), 1, dtype=torch.long), mask], 1)  # a prompt of one token
    inputs = {"input_ids": torch.zeros_like(whole), "attention_mask": whole, "completion_mask": whole, "ref_chosen_logps": ref_chosen,
              "ref_rejected_logps": ref_rejected}
    return {"loss": DPOTrainer._compute_loss(trainer, lm_stub(tokens), inputs, False), "accuracy": trainer._metrics["eval"]["rewards/accuracies"][0]}


def dpo_fixture(d):
    x = dict(chosen=[-12.5, -30.25, -3.75, -80.0, -21.0], rejected=[-14.0, -25.5, -4.0, -310.0, -20.5], ref_chosen=[-13.25, -28.0, -3.75, -95.0, -21.5],
             ref_rejected=[-13.0, -27.75, -4.0, -150.0, -19.0])
    x = {key: torch.tensor(value, dtype=torch.float64) for key, value in x.items()}
    lengths = {"chosen_lengths": torch.tensor([5, 8, 1, 7, 6]), "rejected_lengths": torch.tensor([6, 7, 2, 8, 6])}
    every = torch.cat([lengths["chosen_lengths"], lengths["rejected_lengths"]])
    mask = (torch.arange(8)[None] < every[:, None]).long()
    fixture = Fixture(
        "Direct preference optimisation from the log-probabilities of sequences: sigmoid, with label smoothing, robust, IPO, hinge, by mean log-probability, and without a reference.",
        {"h": "beta ((chosen - ref_chosen) - (rejected - ref_rejected)); log-probabilities are sums over the completion's tokens, the prompt left out",
         "sigmoid": "-(1 - smoothing) log sigmoid(h) - smoothing log sigmoid(-h) (conservative DPO)",
         "robust": "(-(1 - smoothing) log sigmoid(h) + smoothing log sigmoid(-h)) / (1 - 2 smoothing)", "hinge": "max(0, 1 - h)",
         "ipo": "((chosen - ref_chosen) / chosen_lengths - (rejected - ref_rejected) / rejected_lengths - 1 / (2 beta))^2: by mean log-probability, as TRL does; beta is tau",
         "ipo_sum": "the paper's: the same without the lengths; TRL does not have it for DPO",
         "sigmoid_mean": "-log sigmoid(beta (the two means' difference)), TRL's sigmoid_norm", "reference_free": "ref_chosen = ref_rejected = 0, as TRL's CPOTrainer.cpo_loss",
         "simpo": "-log sigmoid(beta (chosen / chosen_lengths - rejected / rejected_lengths) - gamma) (2405.14734), no reference",
         "loss": "mean over pairs", "chosen_rewards, rejected_rewards": "beta (policy - reference), without gradient", "accuracy": "share of pairs with the chosen reward strictly larger",
         "trl": "DPOTrainer._compute_loss on a stub. Its sigmoid ignores label_smoothing: the smoothed case comes from its aot on one pair at a time, where that is the same."},
        {**x, **lengths})
    spread = F.one_hot(torch.zeros(10, dtype=torch.long), 8).double()  # TRL sums tokens: all of a sequence's log-probability in its first one

    for name, loss, smoothing in (("sigmoid", "sigmoid", 0.0), ("sigmoid_smoothed", "sigmoid", 0.1), ("robust", "robust", 0.1), ("ipo", "ipo", 0.0),
                                  ("ipo_sum", "ipo_sum", 0.0), ("hinge", "hinge", 0.0), ("sigmoid_mean", "sigmoid_mean", 0.0)):
        def theirs(chosen, rejected):
            return dpo_trl(torch.cat([chosen, rejected])[:, None] * spread, mask, x["ref_chosen"], x["ref_rejected"], loss, 0.1, smoothing)

        leaves = {"chosen": x["chosen"], "rejected": x["rejected"]}
        fixture.case(name, lambda chosen, rejected: dpo(chosen, rejected, x["ref_chosen"], x["ref_rejected"], **lengths, loss=loss, smoothing=smoothing), leaves,
                     None if loss == "ipo_sum" else theirs, {"loss": loss, "beta": 0.1, "label_smoothing": smoothing})

    for name, smoothing in (("reference_free", 0.0), ("reference_free_smoothed", 0.1)):
        def free(chosen, rejected):
            return dpo(chosen, rejected, torch.zeros(5), torch.zeros(5), **lengths, smoothing=smoothing)

        def cpo(chosen, rejected):
            losses, c, r = CPOTrainer.cpo_loss(stub(alpha=0.0, loss_type="sigmoid", beta=0.1, label_smoothing=smoothing), chosen, rejected)
            return {"loss": losses.mean(), "per_pair": losses, "chosen_rewards": c, "rejected_rewards": r}

        fixture.case(name, free, leaves, cpo, {"loss": "sigmoid", "beta": 0.1, "label_smoothing": smoothing, "reference_free": True})

    def simpo(chosen, rejected):
        per_pair = -logsigmoid(2.0 * (chosen / lengths["chosen_lengths"] - rejected / lengths["rejected_lengths"]) - 0.5)
        return {"loss": per_pair.mean(), "per_pair": per_pair}

    def simpo_trl(chosen, rejected):
        trainer = stub(alpha=0.0, loss_type="simpo", beta=2.0, simpo_gamma=0.5, label_smoothing=0.0)
        losses = CPOTrainer.cpo_loss(trainer, chosen / lengths["chosen_lengths"], rejected / lengths["rejected_lengths"])[0]
        return {"loss": losses.mean(), "per_pair": losses}

    fixture.case("simpo", simpo, leaves, simpo_trl, {"loss": "simpo", "beta": 2.0, "gamma": 0.5})

    reference, m = d["reference_logprobs"] * d["mask"], d["mask"]
    for name, loss in (("from_logits_sigmoid", "sigmoid"), ("from_logits_ipo", "ipo")):
        def ours(logits):
            s, r, n = (token_logprobs(logits, d["tokens"]) * m).sum(1), reference.sum(1), m.sum(1)
            result = dpo(s[:2], s[2:], r[:2], r[2:], n[:2], n[2:], loss)
            return {"sequence_logprobs": s, **result}

        def theirs(logits):
            return dpo_trl(token_logprobs(logits, d["tokens"]) * m, m, reference[:2].sum(1), reference[2:].sum(1), loss, 0.1, 0.0)

        own = {"logits": d["logits"], "tokens": d["tokens"], "mask": m, "reference_logprobs": d["reference_logprobs"]} if loss == "sigmoid" else None
        fixture.case(name, ours, {"logits": d["logits"]}, theirs,
                     {"loss": loss, "beta": 0.1, "note": "rows 0, 1 are chosen, 2, 3 rejected; inputs of from_logits_sigmoid"}, own)
    return fixture


# ---- 7. Kahneman-Tversky optimisation ----------------------------------------------------------------------------------------------------------------

def kto(logprobs, reference, labels, kl, beta, desirable, undesirable, loss="kto"):
    """KTO (2402.01306), equation 7; APO-zero on single answers (2408.06266)."""
    r = beta * (logprobs - reference)
    z = beta * kl if loss == "kto" else 0.0
    per_sequence = torch.where(labels == 1, desirable * (1 - torch.sigmoid(r - z)), undesirable * (1 - torch.sigmoid(z - r)))
    return {"loss": per_sequence.mean(), "per_sequence": per_sequence, "rewards": r}


def kto_trl(token, mask, reference, labels, kl_pairs, beta, desirable, undesirable, loss="kto"):
    trainer = stub(beta=beta, desirable_weight=desirable, undesirable_weight=undesirable, loss_type=loss, precompute_ref_logps=True,
                   calculate_KL=loss == "kto", _compute_kl_logps=lambda *_: kl_pairs[0], _total_train_tokens=0)
    whole = torch.cat([torch.zeros(len(mask), 1, dtype=torch.long), mask], 1)
    inputs = {"label": labels, "input_ids": torch.zeros_like(whole), "attention_mask": whole, "completion_mask": whole, "ref_logps": reference,
              "ref_KL_logps": kl_pairs[1]}
    return {"loss": KTOTrainer._compute_loss(trainer, lm_stub(token), inputs, False), **({"kl": trainer._metrics["eval"]["kl"][0]} if loss == "kto" else {})}


def kto_fixture(d):
    logprobs = torch.tensor([-12.5, -30.25, -3.75, -80.0, -21.0, -9.5], dtype=torch.float64)
    reference = torch.tensor([-14.0, -28.0, -3.75, -20.0, -40.0, -11.25], dtype=torch.float64)
    labels, mask = torch.tensor([1, 0, 1, 1, 0, 0]), torch.ones(6, 1, dtype=torch.long)
    above = torch.tensor([[-20.0, -15.5, -31.0, -8.0, -17.25, -26.0], [-23.5, -14.0, -36.5, -9.25, -18.0, -31.5]], dtype=torch.float64)
    below = above.flip(0)
    fixture = Fixture(
        "Kahneman-Tversky optimisation from the log-probabilities of single answers that are good or bad.",
        {"labels": "1 desirable, 0 undesirable", "kl": "max(0, mean(kl_logprobs - kl_reference_logprobs)), without gradient; from answers paired with other prompts",
         "desirable": "weight (1 - sigmoid(beta (logprobs - reference - kl)))", "undesirable": "weight (1 - sigmoid(beta (kl - (logprobs - reference))))",
         "loss": "mean over all answers of both kinds: the sum of weighted losses over their number, not over the weights", "rewards": "beta (logprobs - reference)",
         "per_sequence": "in the order of the inputs (TRL puts the desirable ones first)", "trl": "KTOTrainer._compute_loss on a stub; there is no kto_loss any more"},
        {"logprobs": logprobs, "reference_logprobs": reference, "labels": labels, "kl_above": above, "kl_below": below})
    for name, pair, weights, loss in (("plain", above, (1.0, 1.0), "kto"), ("weighted", above, (1.0, 1.33), "kto"), ("negative_kl", below, (1.5, 0.5), "kto"),
                                      ("apo_zero_unpaired", above, (1.0, 1.0), "apo_zero_unpaired")):
        kl = (pair[0] - pair[1]).mean().clamp(min=0)

        def ours(logprobs):
            result = kto(logprobs, reference, labels, kl, 0.1, *weights, loss)
            return {**result, **({"kl": kl} if loss == "kto" else {})}

        which = "kl_above" if pair is above else "kl_below"
        fixture.case(name, ours, {"logprobs": logprobs}, lambda logprobs: kto_trl(logprobs[:, None], mask, reference, labels, pair, 0.1, *weights, loss),
                     {"beta": 0.1, "desirable_weight": weights[0], "undesirable_weight": weights[1], "loss": loss, "kl_from": f"{which}: row 0 policy, row 1 reference"})
    m, r, four = d["mask"], (d["reference_logprobs"] * d["mask"]).sum(1), torch.tensor([1, 0, 0, 1])
    pair = torch.tensor([[0.5], [0.0]], dtype=torch.float64)

    def logits_ours(logits):
        return {"loss": kto((token_logprobs(logits, d["tokens"]) * m).sum(1), r, four, 0.5, 0.1, 1.0, 1.33)["loss"]}

    def logits_trl(logits):
        return {"loss": kto_trl(token_logprobs(logits, d["tokens"]) * m, m, r, four, pair, 0.1, 1.0, 1.33)["loss"]}

    fixture.case("from_logits", logits_ours, {"logits": d["logits"]}, logits_trl,
                 {"beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.33, "loss": "kto", "kl": 0.5},
                 {"logits": d["logits"], "tokens": d["tokens"], "mask": m, "reference_logprobs": d["reference_logprobs"], "labels": four})
    return fixture


# ---- 8. REINFORCE ------------------------------------------------------------------------------------------------------------------------------------

def reinforce_fixture(d):
    mask, old = d["mask"], d["old_logprobs"]
    rewards = torch.tensor([1.0, -0.5, 2.25, 0.125, 0.5, 0.5, 0.5, 12.0], dtype=torch.float64)
    kl = torch.tensor([0.5, -0.25, 3.0, 0.0, 1.0, 2.0, -1.5, 0.75], dtype=torch.float64)
    fixture = Fixture(
        "REINFORCE with the mean reward as baseline, and RLOO (2402.14740): leave-one-out advantages and the clipped ratio of whole sequences.",
        {"reinforce": "loss = mean over sequences of -A sum over tokens of log p, A = reward - mean reward of the batch (the first four rewards), A without gradient",
         "rloo_advantages": "reward - mean of the other rewards of its group of 4; standardised: (A - mean) / (std + 1e-4) over the whole batch, unbiased std; penalised: rewards minus "
                            "beta kl first, kl the sequence's sum of k1",
         "rloo": "mean over sequences of -min(ratio A, clip(ratio, 1 - epsilon, 1 + epsilon) A), ratio = exp(sum over tokens of log p - old log p): of the whole sequence, not per token",
         "rloo_on_policy": "old log-probabilities = the current ones: the loss is -mean(A), its gradient that of REINFORCE with these advantages",
         "trl": "RLOOTrainer._compute_loss on a stub, and its lines for the advantages in _generate_and_score_completions"},
        {"logprobs": d["logprobs"], "old_logprobs": old, "mask": mask, "rewards": rewards, "kl": kl})
    run = excerpt(inspect.getsource(RLOOTrainer._generate_and_score_completions), "unscorable_mask = ", "advantages = torch.nan_to_num(")

    def advantages(rewards, standardise=False):
        groups = rewards.view(-1, 4)
        out = torch.stack([groups[:, i] - groups[:, [j for j in range(4) if j != i]].mean(1) for i in range(4)], 1).view(-1)
        return (out - out.mean()) / (out.std() + 1e-4) if standardise else out

    for name, standardise, beta in (("plain", False, 0.0), ("standardised", True, 0.0), ("penalised", False, 0.05)):
        def theirs():
            trainer = SimpleNamespace(reward_weights=torch.ones(1), reward_clip_range=None, beta=beta, normalize_advantages=standardise)
            one = torch.ones(8, 1)
            scope = run(self=trainer, rewards_per_func=rewards[:, None], num_generations=4, device="cpu", old_per_token_logps=kl[:, None],
                        ref_per_token_logps=0 * one, completion_mask=one)
            return {"advantages": scope["advantages"]}

        fixture.case(f"rloo_advantages_{name}", lambda: {"advantages": advantages(rewards - beta * kl, standardise)}, {}, theirs,
                     {"group_size": 4, "standardise": standardise, "beta": beta})

    centred, left_out = rewards[:4] - rewards[:4].mean(), advantages(rewards)[:4]
    assert torch.allclose(left_out, centred * 4 / 3)  # k / (k - 1) times the other

    def reinforce(logprobs):
        return {"loss": -(centred * (logprobs * mask).sum(1)).mean(), "advantages": centred}

    def rloo(logprobs, old=old, epsilon=0.2):
        ratio = ((logprobs - old) * mask).sum(1).exp()
        return {"loss": -torch.minimum(ratio * left_out, ratio.clamp(1 - epsilon, 1 + epsilon) * left_out).mean()}

    def rloo_trl(logprobs, old=old):
        trainer = stub(epsilon_low=0.2, epsilon_high=0.2, _get_per_token_logps_and_entropies=lambda *_, **__: (logprobs, torch.zeros_like(logprobs), None))
        prompt = torch.zeros(B, 1, dtype=torch.long)
        return {"loss": RLOOTrainer._compute_loss(trainer, None, {
            "prompt_ids": prompt, "prompt_mask": prompt + 1, "completion_ids": torch.zeros_like(mask), "completion_mask": mask, "advantages": left_out,
            "old_logps": (old * mask).sum(1)})}

    leaves = {"logprobs": d["logprobs"]}
    fixture.case("reinforce", reinforce, leaves, None, {"baseline": "mean"})
    fixture.case("reinforce_rloo", lambda logprobs: {"loss": -(left_out * (logprobs * mask).sum(1)).mean(), "advantages": left_out}, leaves, None,
                 {"baseline": "leave_one_out", "note": "the gradient is that of rloo_on_policy, which is TRL's"})
    fixture.case("rloo", rloo, leaves, rloo_trl, {"epsilon": 0.2}, {"advantages": left_out})
    fixture.case("rloo_on_policy", lambda logprobs: rloo(logprobs, d["logprobs"]), leaves, lambda logprobs: rloo_trl(logprobs, d["logprobs"]),
                 {"epsilon": 0.2, "note": "old_logprobs = logprobs"}, {"advantages": left_out})
    same = [fixture.cases[name]["gradients"]["logprobs"] for name in ("reinforce_rloo", "rloo_on_policy")]
    assert torch.allclose(*same, atol=1e-14)
    fixture.case("from_logits", lambda logits: reinforce(token_logprobs(logits, d["tokens"])), {"logits": d["logits"]}, None, {"baseline": "mean"},
                 {"logits": d["logits"], "tokens": d["tokens"]})
    return fixture


# ---- 9. from a model's weights to gradients ----------------------------------------------------------------------------------------------------------

def exact_norm(self, x):
    """RMSNorm in the precision of its input; transformers' own goes through float32."""
    return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)


def end_to_end_fixture(directory, random):
    torch.manual_seed(11)
    none = dict(bos_token_id=None, eos_token_id=None, pad_token_id=None)
    config = Qwen3Config(vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                         max_position_embeddings=32, tie_word_embeddings=False, **none)
    model = Qwen3ForCausalLM(config).float().eval()
    for name, parameter in model.named_parameters():
        wide = 1.0 if "embed_tokens" in name else 0.25
        parameter.data.normal_(0, wide) if parameter.ndim == 2 else parameter.data.normal_(1, 0.2)
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory)
    for file in os.listdir(directory):
        os.chmod(os.path.join(directory, file), 0o644)
    single = Qwen3ForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    model = model.double()
    for module in model.modules():
        if isinstance(module, Qwen3RMSNorm):
            module.forward = MethodType(exact_norm, module)
    names = [name for name, _ in model.named_parameters()]
    parameters = [p for _, p in model.named_parameters()]

    width, prompts, lengths = 10, torch.tensor([3, 4, 3, 4]), torch.tensor([10, 7, 6, 9])
    ids = torch.randint(1, 32, (4, width), generator=random)
    ids[2, :3], ids[3, :4] = ids[0, :3], ids[1, :4]
    at = torch.arange(width)[None]
    real, mask = (at < lengths[:, None]).long(), ((at >= prompts[:, None]) & (at < lengths[:, None])).long()[:, 1:]
    ids = ids * real

    def logprobs(of):
        return token_logprobs(of(input_ids=ids).logits.double()[:, :-1], ids[:, 1:]) * mask

    def nearby(scale):
        with torch.no_grad():
            saved = [p.clone() for p in parameters]
            for p in parameters:
                p.add_(torch.randn(p.shape, generator=random) * scale)
            result = grid(logprobs(model))
            for p, s in zip(parameters, saved):
                p.copy_(s)
        return result

    d = {"mask": mask, "reference_logprobs": nearby(0.05), "old_logprobs": nearby(0.02)}
    advantages = torch.tensor([1.25, -0.75, -1.0, 0.5], dtype=torch.float64)
    ref = d["reference_logprobs"].sum(1)
    dpo_loss = lambda lp: dpo(lp.sum(1)[:2], lp.sum(1)[2:], ref[:2], ref[2:], 1, 1)["loss"]
    grpo_loss = lambda lp: grpo(lp, d, advantages, low=0.2, high=0.28, beta=0.04)["loss"]
    likelihood = lambda lp: -lp.sum() / mask.sum()

    def gradients(loss, of=parameters):
        g = torch.autograd.grad(loss, of)
        weights = [torch.cos(torch.arange(x.numel(), dtype=torch.float64)) for x in g]
        return {"gradient_norm": torch.stack([x.double().norm() for x in g]).norm(), "gradient_norms": {n: x.double().norm() for n, x in zip(names, g)},
                "gradient_projections": {n: (x.double().flatten() * w).sum() for n, x, w in zip(names, g, weights)}}

    fixture = Fixture(
        "From the weights of a tiny Qwen3 (tiny_lm/, float32) to log-probabilities, losses and the gradient of every parameter.",
        {"input_ids": "[4,10], right-padded with 0 to the same width; lengths count the prompt. No attention mask is needed: attention is causal and padding stands right",
         "mask": "[4,9]: entry t speaks of input_ids[t+1]; 1 on the completion's tokens, 0 on the prompt and the padding", "token_logprobs": "times the mask",
         "pairs": "rows 0 and 1 are chosen, rows 2 and 3 the rejected answers to the same prompts", "dpo": "sigmoid, beta 0.1", "nll": "mean over tokens with mask 1 of -log p",
         "grpo": "loss_type grpo, token ratio, epsilon 0.2 / 0.28, beta 0.04", "gradient_norms": "euclidean norm by parameter, names as in transformers; gradient_norm: of all together",
         "gradient_projections": "by parameter: sum over i of g_i cos(i), i the row-major index of transformers' [out, in] layout, from 0",
         "precision": "the float32 weights, computed in float64 (rotary angles in float32); transformers in float32 was checked to be within 2e-5 relative of every norm",
         "trl": "DPOTrainer and GRPOTrainer._compute_loss through TRL's own fused head on the same model (in float32 inside, hence like_trl)"},
        {"input_ids": ids, "prompt_lengths": prompts, "lengths": lengths, "mask": mask, "reference_logprobs": d["reference_logprobs"],
         "old_logprobs": d["old_logprobs"], "advantages": advantages})
    with torch.no_grad():
        lp = logprobs(model)
    fixture.cases["logprobs"] = {"token_logprobs": lp, "sequence_logprobs": lp.sum(1)}
    for name, loss in (("nll", likelihood), ("dpo", dpo_loss), ("grpo", grpo_loss)):
        value = loss(logprobs(model))
        case = {"loss": value.detach(), **gradients(value)}
        rough = gradients(loss(logprobs(single)), list(single.parameters()))
        for n in names:
            assert abs(case["gradient_norms"][n] - rough["gradient_norms"][n]) < 2e-5 * case["gradient_norms"][n], (name, n)
            assert abs(case["gradient_projections"][n] - rough["gradient_projections"][n]) < 2e-5 * case["gradient_norms"][n], (name, n)
        fixture.cases[name] = case

    add_fused_lm_head(model, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    dpo_trainer = stub(beta=0.1, label_smoothing=0.0, loss_types=["sigmoid"], loss_weights=[1.0], ld_alpha=None, f_divergence_type="reverse_kl",
                       precompute_ref_logps=True, use_weighting=False, _total_train_tokens=0)
    zero = torch.zeros(4, 1, dtype=torch.long)
    theirs = {"dpo": DPOTrainer._compute_loss(dpo_trainer, model, {
        "input_ids": ids, "attention_mask": real, "completion_mask": torch.cat([zero, mask], 1), "ref_chosen_logps": ref[:2], "ref_rejected_logps": ref[2:]}, False)}
    grpo_trainer = stub(
        loss_type="grpo", importance_sampling_level="token", epsilon_low=0.2, epsilon_high=0.28, beta=0.04, top_entropy_quantile=1.0,
        off_policy_mask_threshold=None, use_vllm=False, _entropy_bonus_enabled=False, args=SimpleNamespace(delta=None, use_bias_correction_kl=False))
    grpo_trainer._get_per_token_logps_and_entropies = MethodType(
        inspect.unwrap(GRPOTrainer._get_per_token_logps_and_entropies), grpo_trainer)  # without its profiler
    theirs["grpo"] = GRPOTrainer._compute_loss(grpo_trainer, model, {  # the prompt's tail as masked tool output, so that prompts may differ in length
        "prompt_ids": ids[:, :1], "prompt_mask": zero + 1, "completion_ids": ids[:, 1:], "completion_mask": real[:, 1:], "tool_mask": mask,
        "advantages": advantages, "old_per_token_logps": d["old_logprobs"], "ref_per_token_logps": d["reference_logprobs"]})
    for name, loss in theirs.items():
        case = fixture.cases[name]
        for key, value in {"loss": loss.detach(), **gradients(loss)}.items():
            difference = max(float((a - b).abs() / (1e-3 + a.abs())) for a, b in pairs(case[key], value))
            print(f"  {name}.{key}: {difference:.1e} from TRL's")
            assert difference < 1e-4, f"{name}.{key} differs from TRL's by {difference}"
            (fixture.from_trl if difference < 1e-10 else fixture.like_trl).append(f"cases.{name}.{key}")
    return fixture


# ---- all of them -------------------------------------------------------------------------------------------------------------------------------------

def ppo_code(wheel):
    """TRL's PPO trainer as excerpts of its source."""
    with zipfile.ZipFile(wheel) as files:
        source = files.read("trl/experimental/ppo/ppo_trainer.py").decode()
    functions, scope = {f.name: f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef)}, {"torch": torch}
    for name in ("masked_mean", "masked_var", "masked_whiten"):
        exec(ast.get_source_segment(source, functions[name]), scope)
    return {"kl": excerpt(source, "logr = ref_logprobs - logprobs", "non_score_reward = "), "gae": excerpt(source, "lastgaelam = 0", "returns = advantages + values"),
            "loss": excerpt(source, "vpredclipped = torch.clamp(", "loss = pg_loss + "),
            "statistics": excerpt(source, "pg_clipfrac = masked_mean(", "approxkl = "), "masked_mean": scope["masked_mean"], "masked_whiten": scope["masked_whiten"]}


def main():
    wheel = sys.argv[1]
    here = os.path.dirname(os.path.abspath(__file__))
    directory = sys.argv[2] if len(sys.argv) > 2 else os.path.join(here, "..", "crates", "rlhf", "tests", "fixtures")
    os.makedirs(directory, exist_ok=True)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__,
                "trl_ppo": os.path.basename(wheel).split("-")[1], "numpy": numpy.__version__}
    ppo, random = ppo_code(wheel), torch.Generator().manual_seed(7)
    d = tokens_and_logits(random)
    fixtures = {"kl": kl_fixture(d, ppo), "gae": gae_fixture(d, ppo, random), "ppo": ppo_fixture(d, ppo, random), "grpo": grpo_fixture(d, random),
                "reward": reward_fixture(), "dpo": dpo_fixture(d), "kto": kto_fixture(d), "reinforce": reinforce_fixture(d),
                "end_to_end": end_to_end_fixture(os.path.join(directory, "tiny_lm"), random)}
    total = sum(fixture.write(os.path.join(directory, f"{name}.json"), versions) for name, fixture in fixtures.items())
    print(f"{total} bytes in all")
    assert total < 250_000


if __name__ == "__main__":
    main()
