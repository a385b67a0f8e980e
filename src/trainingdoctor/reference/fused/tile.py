"""The sizes that the kernels have by number of channels, for those who launch them."""

from dataclasses import dataclass

CHANNELS = (16, 32, 64)
# Threads of all kernels but `kernel_gradient`.
THREADS = 256
# The last block to finish adds the shares up in so much shared memory.
SHARED_FOR_SUMS = 12 * 1024


@dataclass(frozen=True)
class Tile:
    """What a block takes from a layer with so many channels at a time: some rows of an image, or whole images."""

    channels: int

    @property
    def side(self) -> int:
        """Of an image, in pixels."""
        return 512 // self.channels

    @property
    def pixels(self) -> int:
        """Of a tile."""
        return 128 if self.channels == 64 else 256

    @property
    def convolve_shared(self) -> int:
        """Bytes of shared memory: the kernels, and two tiles with their rim."""
        return max(9 * self.channels * self._stride + 2 * self._rimmed, SHARED_FOR_SUMS)

    @property
    def gradient_shared(self) -> int:
        """Bytes of shared memory: two tiles with their rim and two without, of the gradient behind."""
        return 2 * (self._rimmed + self.pixels * self._stride)

    @property
    def gradient_threads(self) -> int:
        """Of `kernel_gradient`."""
        return 384 if self.channels == 16 else 288

    @property
    def gradient_halves(self) -> int:
        """Into how many parts the channels that go in are cut."""
        return 2 if self.channels == 64 else 1

    @property
    def _stride(self) -> int:
        return 2 * self.channels + 16

    @property
    def _rimmed(self) -> int:
        rows = 8 if self.channels == 16 else self.side
        images = self.pixels // (rows * self.side)
        return images * (rows + 2) * (self.side + 2) * self._stride
