"""Tell kinds of image change apart by aligning one draw of an image with another."""

import torch
from torch import Tensor

# Largest shift that is looked for, in pixels of a 32 to 48 pixel image: padding 4 gives shifts of up to 8.
REACH = 10


def kinds_of_change(stack: Tensor) -> dict[str, float]:
    """Share of pairs that differ by mirroring, vertical flip, shift, colour, erasing or something else.

    stack: (draws, samples, C, H, W). Consecutive draws of a sample are a pair; pairs that are equal count as unchanged.
    """
    first, second = stack[:-1].flatten(0, 1), stack[1:].flatten(0, 1)
    changed = (first != second).flatten(1).any(1)
    # An image without contrast aligns with everything.
    changed &= first.flatten(1).std(1) > 1e-6
    counts: dict[str, int] = {}
    for a, b in zip(first[changed], second[changed], strict=True):
        for kind in _kinds(a, b):
            counts[kind] = counts.get(kind, 0) + 1
    # A pair that aligns badly is now and then taken for something else; what is there shows often.
    often = {k: c for k, c in counts.items() if c >= 0.1 * int(changed.sum())}
    return {kind: count / len(first) for kind, count in sorted(often.items())}


def _kinds(a: Tensor, b: Tensor) -> set[str]:
    """What turns `a` into `b` (C, H, W): the best mirror and shift, then what is left on their common part."""
    flips = {"": b, "mirrored": b.flip(2), "flipped_vertically": b.flip(1)}
    scores = {name: _best_shift(a, image) for name, image in flips.items()}
    name = max(scores, key=lambda n: (scores[n][0], n == ""))
    score, dy, dx = scores[name]
    if score < 0.5:
        return {"other"}
    kinds = {name} if name else set()
    if (dy, dx) != (0, 0):
        kinds.add("shifted")
    x, y = _overlap(a, flips[name], dy, dx)
    return kinds | _residual(x, y) or {"other"}


def _best_shift(a: Tensor, b: Tensor) -> tuple[float, int, int]:
    """Highest correlation of the images on their overlap, and the shift that gives it; small shifts win ties."""
    height, width = a.shape[1:]
    reach = min(REACH, height // 3, width // 3)
    spectrum = torch.fft.rfft2(_centred(a)) * torch.fft.rfft2(_centred(b)).conj()
    surface = torch.fft.irfft2(spectrum, s=(height, width)).sum(0)
    ys, xs = torch.meshgrid(torch.arange(-reach, reach + 1), torch.arange(-reach, reach + 1), indexing="ij")
    candidates = surface[ys % height, xs % width].flatten()
    # Circular correlation wraps around, so the best few are judged again on their true overlap.
    top = candidates.topk(min(12, len(candidates))).indices.tolist()
    shifts = {(int(ys.flatten()[i]), int(xs.flatten()[i])) for i in top} | {(0, 0)}
    judged = [(_correlation(*_overlap(a, b, dy, dx)), -abs(dy) - abs(dx), dy, dx) for dy, dx in shifts]
    best = max(judged)
    return best[0], best[2], best[3]


def _centred(image: Tensor) -> Tensor:
    return image - image.mean((1, 2), keepdim=True)


def _overlap(a: Tensor, b: Tensor, dy: int, dx: int) -> tuple[Tensor, Tensor]:
    """The parts that show the same scene when b is moved by (dy, dx), without a margin that padding may fill."""
    height, width = a.shape[1:]
    x = a[:, max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
    y = b[:, max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
    my, mx = x.shape[1] // 5, x.shape[2] // 5
    return x[:, my : x.shape[1] - my, mx : x.shape[2] - mx], y[:, my : y.shape[1] - my, mx : y.shape[2] - mx]


def _correlation(x: Tensor, y: Tensor) -> float:
    x, y = _centred(x).flatten(), _centred(y).flatten()
    return float(x @ y / (x.norm() * y.norm() + 1e-12))


def _residual(x: Tensor, y: Tensor) -> set[str]:
    """colour when the aligned parts differ by a gain and offset per channel, erased when only in one place."""
    scale = float(x.std()) + 1e-12
    difference = (x - y).abs().amax(0) / scale
    if float(difference.max()) < 0.05:
        return set()
    same = float((difference < 0.05).float().mean())
    if same > 0.3:
        return {"erased"}
    fitted = _fit(x, y)
    return {"colour"} if float((x - fitted).std()) < 0.5 * scale else {"other"}


def _fit(x: Tensor, y: Tensor) -> Tensor:
    """The best mix of y's channels plus an offset, for each channel of x: brightness, contrast, saturation, hue."""
    columns = torch.cat([y.flatten(1), torch.ones(1, y[0].numel())]).T
    solution = torch.linalg.lstsq(columns, x.flatten(1).T).solution
    fitted: Tensor = (columns @ solution).T.reshape(x.shape)
    return fitted
