"""transformers' own experts modules, to compare with. Finds them; computes nothing itself."""

from __future__ import annotations

import re

import torch
import transformers

from remoe_planner.experts import ExpertId


class StockExperts:
    """The experts modules of a checkpoint loaded by transformers in float32."""

    def __init__(self, directory):
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, experts_implementation="eager"
        ).eval()
        self.modules = {
            int(re.search(r"layers\.(\d+)\.", name)[1]): module
            for name, module in self.model.named_modules()
            if type(module).__name__.endswith("Experts") and hasattr(module, "down_proj")
        }

    @torch.no_grad()
    def forward(self, expert: ExpertId, rows):
        """Rows [n, hidden] (numpy float32) through one expert."""
        chosen = torch.full((len(rows), 1), expert.index)
        weights = torch.ones(len(rows), 1)
        return self.modules[expert.layer](torch.from_numpy(rows), chosen, weights).numpy()
