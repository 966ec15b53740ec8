"""Where the image's columns are inside a network: the arithmetic of receptive fields along x.

A tensor with columns covers the image in steps: its column c sees the input columns
[c * stride - before, c * stride + after]. A line's right padding repeats its last column, so every column
that sees nothing but padding, and not the right border, is equal to its neighbours: it is *steady*.
In an image narrower by a multiple of the network's total stride, every layer is narrower by a whole number of
columns, and its columns right of a steady one are the published columns, moved left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Columns:
    """A tensor's columns: they lie on `axis`, `width` of them at the published input width.

    `stride`, `before`, `after`: input columns, see above. `bands` > 1: rows of the feature map were
    flattened, so that the axis holds `bands` x `width` columns, band after band.
    """

    axis: int
    width: int
    stride: int = 1
    before: int = 0
    after: int = 0
    bands: int = 1

    def through(self, window: Window, width: int) -> Columns:
        """The columns of a convolution or pooling over these, `width` of them."""
        reach = (window.size - 1) * window.dilation
        return replace(
            self,
            width=width,
            stride=self.stride * window.stride,
            before=self.before + window.padding * self.stride,
            after=self.after + (reach - window.padding) * self.stride,
        )

    def joined(self, other: Columns) -> Columns:
        """The columns of an elementwise operation on two tensors whose columns lie alike."""
        return replace(self, before=max(self.before, other.before), after=max(self.after, other.after))

    def lie_like(self, other: Columns) -> bool:
        return (self.width, self.stride, self.bands) == (other.width, other.stride, other.bands)

    def steady_from_right(self, published: int) -> int:
        """Columns from the last one that does not see the right border to the end: index -n is steady."""
        return self.width - (published - 1 - self.after) // self.stride

    def margin(self, published: int) -> int:
        """Input columns needed right of the content for that column to be steady."""
        steady = self.width - self.steady_from_right(published)
        return max(0, published - 1 - steady * self.stride + self.before)


@dataclass(frozen=True, slots=True)
class Window:
    """One sliding window along x: kernel `size`, `stride`, `dilation` and left `padding`, in columns."""

    size: int
    stride: int
    dilation: int
    padding: int
