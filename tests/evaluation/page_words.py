"""The page's own words; every number on it comes from a table instead."""

from __future__ import annotations

HEAD = """\
# Evaluation

Written by `make eval-page` from the tables in [evaluation/](evaluation); `make eval` runs
everything anew. Under each table stand the command that made it, its inputs, and its profile: how
long modules take, **measured** on the machine named, or **stated** by makers of hardware that was
not at hand. Prices are an assumption of the paper's kind: so much for a GiB-second of CPU memory,
a multiple of it for GPU memory.

Costs are told in two ways. The cost of *work* is the paper's: memory times price while something
computes. The cost of *every second awake* adds what a payer really sees: cold starts, idle seconds
until what was kept alive sleeps, and fees per call. Plans and forecasters are made from prompts
that no table is made from.
"""

CONTENDERS = """\
## Contenders

| contender | where experts are |
|---|---|
| CPU | everything in CPU memory, computed there |
| GPU | everything in GPU memory; *fused kernels*: one launch for a layer's experts |
| MIX | routed experts on the CPU, everything else on the GPU, all resident |
| Fetch | the paper's ideal offloading: experts in CPU memory too, those needed already on the GPU |
| Remoe as printed | the paper's five steps, formulas as printed |
| **Remoe** | as `remoe plan` plans it, main model on the GPU; *no GPU*: main model on CPUs, too |
| function per expert | every expert a function of its own, on demand, in the cheapest size |
| function per layer | one function for all experts of a layer, woken when it is called |
| transformers alone | plain `generate` on the same CPU |
| llama.cpp | all experts on the same CPU, the same weights converted |

All of Remoe's contenders run the same kernels at the same prices with the same prompts, in the
product itself or in a simulator that uses its planner, its forecaster and its rules of waking.
"""

MEASURED = """\
## 2. Measured

The demo model (30 layers of 8 experts, top-2), processes on one CPU machine. Rows whose profile is
*stated* did not run: a machine without a GPU cannot; they are simulated.
"""

SIMULATED = """\
## 3. Simulated at paper scale

Discrete events, one main replica with continuous batching. Machines are **stated** profiles:
rooflines from the makers' figures. Where routing is *resampled*, a real model's traces were
brought to the other's layers, experts and top-k, with their skew and the likeness of prompts.
"""

LIMIT = """\
## 4. Against the limit

An oracle knows each request's routing beforehand and gets the exact optimum at the same SLO. The
waterfall leads from it to Remoe, one cause at a time.
"""

NOT_SHOWN = """\
## 5. What this does not show

- **No GPU was measured.** Every figure with a GPU in it, thus everything against MIX, GPU and
  Fetch, rests on stated bandwidths, arithmetic and an assumed share of them that kernels reach.
- **One machine.** What was measured was measured on one small virtual machine with shared cores,
  as processes; networks, other nodes and their noise exist in section 3 alone, as numbers.
- **Small weights.** The demo model is so small that a process weighs more than its experts: its
  costs show the mechanism and check the simulator, not what a large model saves.
- **Prices are assumptions**, memory-seconds as the paper's. No provider's bill was compared; who
  sells GPU memory only in whole cards sells a different product.
- **Routing is partly resampled.** Prompts of DeepSeek-V2-Lite are real; the end of each recorded
  text stands in for its answer, and longer ones are drawn from it; Qwen3, Mixtral, DeepSeek-V3 and
  GPT2-moe have no traces of their own here at all.
- **The day is 57 minutes long.** The Azure trace is stretched to 24 hours: its bursts keep their
  ratio to its pauses, but a real day has a night.
- **Expert kernels are launched one by one** on the GPU, for every contender, as the paper's
  prototype does; *GPU, fused kernels* is the one exception, and ours never puts experts there.
- **Functions have cores and bandwidth of their own**, a core for each GiB, as in a cloud. On the
  paper's one server they would share its memory's: six functions of 10 GiB draw more than it has.
- **Warm for nothing.** Where work alone is paid for, hundreds of GiB of functions stand ready and
  nobody pays for them; no provider gives that away without limit.
- **Only the mean of a load is known.** The planner counts how many requests a rate brings together,
  and promises nothing beyond what a main model can do; the bursts of a day are not in its rate.
- **Cold starts share cores.** On the demo's two cores thirty functions start together and slow
  down the main model's start; the simulator starts each as if alone, and is far too rosy there.
- **A token's experts in two functions are summed in another order**, and rounding may choose
  another word: answers of such plans are not the resident ones to the letter.
- **One main replica.** No contender scales its main model out, so a day's bursts queue in front of
  each of them.
- **GPUs start as fast as stated.** Cold starts of a GPU's node, drivers and images are not in
  them.
- **Quality of answers is not compared**: all contenders compute the same model, and experts in 8
  or 4 bits were left out.
- **The paper's own numbers cannot be checked**: it prints ratios and pictures, and does not say
  against which baseline its 57 % is.
"""

AGAIN = """\
## Run it again

```sh
make eval DATA=DIR          # everything; DIR holds prompts.jsonl, routing/ and the Azure trace
make eval DATA=DIR EVAL_ARGS='--only ratios --only day'
make eval-page              # this page and its pictures, from the tables
```

`python tests/evaluation/eval.py --help` tells of steps to skip, quick runs and other folders.
"""
