"""A small arithmetic self-test of the device."""

from typing import Any

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.calling import user_code

# float32 rounding over 256 terms, and TF32's 10 bits where a GPU uses them (NVIDIA A100 whitepaper): 2^-10 per product.
EXACT, TF32 = 1e-4, 5e-3


def self_test(environment: Any) -> tuple[str, dict[str, float], dict[str, float]]:
    """Device, relative errors and tolerances. Raises Unavailable when torch cannot be imported."""
    if environment.torch is None:
        raise Unavailable("torch cannot be imported")
    import torch
    from torch.nn import functional

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=generator, dtype=torch.float64) for _ in range(2))
    image, kernel = (
        torch.randn(4, 8, 16, 16, generator=generator).double(),
        torch.randn(8, 8, 3, 3, generator=generator).double(),
    )
    operations: dict[str, Any] = {
        "matmul": lambda dev, kind: a.to(dev, kind) @ b.to(dev, kind),
        "convolution": lambda dev, kind: functional.conv2d(image.to(dev, kind), kernel.to(dev, kind), padding=1),
        "sum": lambda dev, kind: a.abs().to(dev, kind).sum(0),
        "softmax": lambda dev, kind: a.to(dev, kind).softmax(1),
    }
    errors = {}
    with user_code(f"arithmetic on {device}"):
        for name, operation in operations.items():
            exact, found = operation("cpu", torch.float64), operation(device, torch.float32).double().cpu()
            errors[name] = float((exact - found).abs().max() / exact.abs().max())
    rounded = ("matmul", "convolution") if device.type == "cuda" else ()
    return str(device), errors, {name: TF32 if name in rounded else EXACT for name in errors}
