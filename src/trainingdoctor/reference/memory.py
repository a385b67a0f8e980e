"""What a device without enough memory says, and the sentence for it."""

import torch

from trainingdoctor.errors import UserCodeError, UserError, words_of


def is_out_of_memory(error: BaseException | None) -> bool:
    """CUDA's own error, that of the CPU's allocator, Python's, and those of libraries that could not get their workspace."""
    words = ("can't allocate memory", "ALLOC_FAILED", "out of memory")
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or (isinstance(error, RuntimeError) and any(word in words_of(error) for word in words))


def let_go(error: UserCodeError) -> None:
    """Free what an error of that kind still holds: the frames that it came through hold their tensors."""
    for one in (error, error.error):
        if one is not None:
            one.__traceback__ = one.__cause__ = one.__context__ = None
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def no_memory(device: torch.device | str, what: str) -> UserError:
    """The sentence for a device that is too small, or full."""
    return UserError(f"{device} has no memory for {what}: `trainingdoctor env` tells who holds it; or use --device cpu")


def keep_to(gib: float, device: str) -> None:
    """Give this process no more than so much of a GPU's memory: beyond it the allocator says that it is out of memory.

    Raises UserError where the GPU has less.
    """
    total = torch.cuda.get_device_properties(device).total_memory / 2**30
    if gib > total:
        raise UserError(f"--vram {gib:g}: {device} has {total:.1f} GiB; leave it out, or give less")
    torch.cuda.set_per_process_memory_fraction(gib / total, device)
