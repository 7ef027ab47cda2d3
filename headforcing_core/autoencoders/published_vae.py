"""What a published file of a Wan autoencoder holds, and the module that its weights make."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from ..decoding import CausalDecoder, PictureRecoder
from ..files import TensorSource, json_of, open_tensors, placed, read_text, shown
from ..models import StoredWeight, check_finite, check_shapes, read_weight
from .decoding_room import DecodingRoom
from .latent_space import SPACES, LatentSpace
from .vae_names import vae_names

# weights that give the sizes of an autoencoder
IN, OUT = "encoder.conv_in.weight", "decoder.conv_out.weight"
LAST, LATENT = "decoder.norm_out.gamma", "post_quant_conv.weight"
SIZED = {IN: 5, OUT: 5, LAST: 4, LATENT: 5}
# of Wan 2.2, whose blocks have a way around them
AROUND = "decoder.up_blocks.0.upsampler.resample.1.weight"
COLOURS = 3
# channels beyond any autoencoder: what is made of them before all weights are compared
MOST_CHANNELS = 1 << 14
# where an autoencoder lies in the folders that diffusers, and its authors, publish
FOLDER, FILES = "vae", "*_VAE.pth"
CONFIG, KIND = "config.json", "AutoencoderKLWan"
LARGEST_CONFIG = 1_000_000


@dataclass(frozen=True)
class Autoencoder:
    """A Wan autoencoder, and the way to it from latents as a model gives them.

    Args:
        module: diffusers' ``AutoencoderKLWan``.
        space: of its latents.
        patch: side of the squares of pixels that it packs in channels.
    """

    module: nn.Module
    space: LatentSpace
    patch: int

    @property
    def decoder(self) -> CausalDecoder:
        """Its way back, of latents as ``taken`` gives them."""
        return CausalDecoder(self.module, _in_colours, self.patch)

    def taken(self, latent: Tensor) -> Tensor:
        """Return what it takes for a normalised latent ``[B, C, F, Y, X]``, where it works."""
        weight = self.module.post_quant_conv.weight
        return self.space.unnormalised(latent.float()).to(weight.device, weight.dtype)

    @torch.no_grad()
    def encode(self, picture: Tensor) -> Tensor:
        """Return the normalised latent of one picture, ``[1, C, 1, Y, X]``, float32.

        Args:
            picture: ``[1, 3, H, W]`` from 0 to 1.
        """
        weight = self.module.post_quant_conv.weight
        given = (2 * picture[:, :, None] - 1).to(weight.device, weight.dtype)
        latent = self.module.encode(given).latent_dist.mode()
        return self.space.normalised(latent.float())

    def recoder(self, frames: int) -> PictureRecoder:
        """Return what encodes pictures of a video again, see ``PictureRecoder``."""
        return PictureRecoder(self.decoder, self.taken, self.encode, frames)


@dataclass(frozen=True)
class PublishedVae:
    """A whole Wan autoencoder in a file, of which no weight is read yet.

    Args:
        weights: all of them, under diffusers' names.
        base, last: channels of the encoder's first layer, and of the decoder's last.
        channels: of its latents.
        given, made: channels of pictures, with what is packed in them.
        around: whether it is of Wan 2.2's kind.
    """

    source: TensorSource
    weights: tuple[StoredWeight, ...]
    base: int
    last: int
    channels: int
    given: int
    made: int
    around: bool

    @property
    def patch(self) -> int:
        return 2 if self.made == 4 * COLOURS else 1

    @property
    def pixels(self) -> int:
        """Pixels of a picture, across and down, per latent column and row."""
        return 8 * self.patch

    def room(self, rows: int, columns: int, dtype: torch.dtype, frames: int = 1) -> int:
        """Return the bytes that it takes to decode a video: weights, past, and a moment's work.

        Args:
            rows, columns: of a latent.
            frames: that are decoded together, in a chunk.
        """
        numbers = sum(prod(self.source.shapes[weight.at]) for weight in self.weights)
        sizes = self.last, self.channels, self.made, self.around
        room = DecodingRoom(*sizes, rows, columns, dtype)
        return numbers * dtype.itemsize + room.remembered + room.moment + room.pictures(frames)

    def empty(self) -> nn.Module:
        """Return the module without numbers.

        Raises:
            RuntimeError: if diffusers is not installed.
        """
        try:
            from diffusers import AutoencoderKLWan
        except ImportError:
            raise RuntimeError(
                "reading a VAE needs diffusers, which is not installed: "
                'pip install "headforcing[words]"'
            ) from None
        space = SPACES[self.channels]
        with torch.device("meta"):
            return AutoencoderKLWan(
                base_dim=self.base,
                decoder_base_dim=self.last,
                z_dim=self.channels,
                latents_mean=list(space.mean),
                latents_std=list(space.std),
                is_residual=self.around,
                in_channels=self.given,
                out_channels=self.made,
                patch_size=self.patch if self.patch > 1 and self.given == self.made else None,
                scale_factor_spatial=self.pixels,
            )

    def build(
        self, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> Autoencoder:
        """Read its weights, one at a time in their final dtype and place.

        Raises:
            ValueError: if they are no finite numbers.
        """
        module = self.empty()
        weights = {
            w.name: read_weight(w, self.source).to(device, dtype, copy=True) for w in self.weights
        }
        check_finite(weights)
        module.load_state_dict(weights, assign=True)
        module.eval().requires_grad_(False)
        return Autoencoder(module, SPACES[self.channels], self.patch)


def open_vae(path: str | Path) -> PublishedVae:
    """Tell what a file holds: of the authors, of ComfyUI, or diffusers' folder or its root.

    Qwen-Image's autoencoder is Wan 2.1's with another decoder, trained on single pictures: names,
    shapes and latents are the same, and a file of it is taken for Wan's; only the configuration in
    diffusers' folder tells.

    Raises:
        ValueError: if it is no whole autoencoder of Wan's, with the reason.
        RuntimeError: if diffusers is not installed.
    """
    place = _vae_in(Path(path))
    _check_kind(place)
    return read_vae(open_tensors(place))


def read_vae(source: TensorSource) -> PublishedVae:
    """Tell what tensors are those of a Wan autoencoder.

    Raises:
        ValueError: if they are not those of a whole one, with the reason.
        RuntimeError: if diffusers is not installed.
    """
    names = vae_names(source.shapes)
    shapes = {name: source.shapes[at] for name, at in names.items()}
    for name, dims in SIZED.items():
        shape = shapes.get(name)
        if shape is None:
            raise ValueError(f"the file must hold a whole Wan VAE, but it has no {name}")
        if len(shape) != dims or not all(0 < length <= MOST_CHANNELS for length in shape):
            raise ValueError(f"{names[name]} must be that of a video VAE, got {list(shape)}")
    channels = shapes[LATENT][0]
    if channels not in SPACES:
        raise ValueError(
            f"a Wan VAE must have {' or '.join(map(str, SPACES))} latent channels, got {channels}"
        )
    if shapes[OUT][0] < COLOURS:
        raise ValueError(f"a VAE must make {COLOURS} colours at least, got {shapes[OUT][0]}")
    vae = PublishedVae(
        source=source,
        weights=tuple(StoredWeight(name, at, None, False) for name, at in names.items()),
        base=shapes[IN][0],
        last=shapes[LAST][0],
        channels=channels,
        given=shapes[IN][1],
        made=shapes[OUT][0],
        around=AROUND in shapes,
    )
    expected = {name: tuple(x.shape) for name, x in vae.empty().state_dict().items()}
    check_shapes("a Wan VAE", expected, shapes)
    return vae


def _vae_in(path: Path) -> Path:
    """Return the autoencoder of a folder that holds a whole repository; other paths as they are."""
    try:
        if (path / FOLDER).is_dir():
            return path / FOLDER
        found = sorted(path.glob(FILES)) if path.is_dir() else []
    except (OSError, ValueError):  # the latter of a name with a zero byte; opening it will tell
        return path
    if len(found) > 1:
        raise ValueError(f"a folder must hold one VAE, got {len(found)} in {placed(path)}")
    return found[0] if found else path


def _check_kind(folder: Path) -> None:
    """Refuse a folder whose configuration says another kind of autoencoder."""
    try:
        said = read_text(folder / CONFIG, LARGEST_CONFIG, "a configuration must exist")
        about = json_of(said)
    except (ValueError, OSError):  # none, or none that can be read: the weights will tell
        return
    kind = about.get("_class_name") if isinstance(about, dict) else None
    if kind not in (None, KIND):
        raise ValueError(f"{placed(folder)} must be a Wan VAE, {KIND}, got {shown(kind)}")


def _in_colours(raw: Tensor) -> Tensor:
    return ((raw + 1) / 2).clamp(0, 1)
