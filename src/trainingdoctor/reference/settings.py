"""What one reference run is."""

from dataclasses import asdict, dataclass
from typing import Any

from trainingdoctor.reference.recipe import Recipe


@dataclass(frozen=True)
class Settings:
    """What one run is: recipe, model depth, seed, device, precision ("bfloat16", "float16" or "float32").

    float16 goes with a loss scale (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2).  vram: GiB of the GPU's memory to
    keep to, None for all of it.

    iterations: where the run ends, if that is before the last epoch's end.  graph: whether the step is replayed as a CUDA
    graph.  compiled: whether the residual blocks go through torch.compile, a kernel for each of their five shapes.  fused: whether
    chains of equal blocks train on this package's own kernels (`reference.fused`).
    """

    recipe: Recipe
    depth: int
    epochs: int
    batch_size: int
    seed: int
    device: str
    precision: str
    channels_last: bool = True
    iterations: int | None = None
    graph: bool = False
    compiled: bool = False
    fused: bool = False
    vram: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return asdict(self)
