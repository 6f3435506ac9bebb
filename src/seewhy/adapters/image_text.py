"""Networks that compare pictures with texts (CLIP): the side of pictures is explained, the side of texts only embeds prompts."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seewhy.errors import ModelError, optional


class PictureSide(nn.Module):
    """The part of a CLIP network that embeds pictures: tower and projection. Its answer is the embedding, before it is normalized.

    Args:
        network: `transformers.CLIPModel`, or a network with `vision_model` and `visual_projection`.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.vision_model, self.visual_projection = network.vision_model, network.visual_projection

    def forward(self, pixels: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Return the embedding of each picture."""
        embedding: Tensor = self.visual_projection(self.vision_model(pixel_values=pixels).pooler_output)
        return embedding


class TextSide:
    """The part of a CLIP network that embeds texts, as `output` of a model: it hands on pictures' embeddings as they are.

    Args:
        network: `transformers.CLIPModel`.
        place: the folder or name of the network, for its tokenizer, which is read when first wanted.
    """

    def __init__(self, network: Any, place: str) -> None:
        self._text, self._projection, self._place = network.text_model, network.text_projection, place
        self.scale = float(network.logit_scale.detach().exp())
        self._known: dict[tuple[str, ...], Tensor] = {}

    def __call__(self, output: Tensor) -> Tensor:
        """Return the embeddings of pictures."""
        return output

    def __deepcopy__(self, memo: dict[int, Any]) -> "TextSide":
        """Return itself: it is never changed, and the side of texts need not be held twice."""
        return self

    def embedded(self, texts: tuple[str, ...]) -> Float[Tensor, "n d"]:
        """Return the embedding of each text, remembered.

        Raises:
            MissingExtra: transformers is not installed.
            ModelError: the tokenizer is not there, or a text is longer than the network takes.
        """
        if texts not in self._known:
            tokens = self._tokens(texts)
            with torch.inference_mode(mode=False), torch.no_grad():
                self._known[texts] = self._projection(self._text(**tokens).pooler_output).detach().float().cpu()
        return self._known[texts]

    def _tokens(self, texts: tuple[str, ...]) -> Mapping[str, Tensor]:
        tokenizer = self._tokenizer()
        tokens = dict(tokenizer(list(texts), padding=True, return_tensors="pt"))
        longest, most = int(tokens["input_ids"].shape[1]), int(self._text.config.max_position_embeddings)
        if longest > most:
            raise ModelError(f"a prompt has {longest} tokens, and the network takes {most}; write a shorter one")
        if len(tokens["input_ids"].unique(dim=0)) < len(texts):
            raise ModelError(
                f"the tokenizer of hf:{self._place} makes the same tokens of two prompts, so the network cannot tell them apart: {texts}"
            )
        return {name: tokens[name] for name in ("input_ids", "attention_mask") if name in tokens}

    def _tokenizer(self) -> Any:
        transformers: Any = optional("transformers", "hub")
        known = int(self._text.config.vocab_size)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                self._place, local_files_only=True, trust_remote_code=False
            )
            if 2 * len(tokenizer) < known:  # without its files transformers makes one that knows no word
                raise ValueError(f"it knows {len(tokenizer)} tokens, and the network {known}")
        except Exception as error:  # OSError, ValueError, KeyError, TypeError, each with its own words
            raise ModelError(
                f"hf:{self._place} holds no tokenizer that can be used ({type(error).__name__}: {' '.join(str(error).split())[:200]}), so prompts cannot be "
                "read; add its files (tokenizer.json, or vocab.json with merges.txt), or give embeddings: seewhy.targets.Prompts(names, embeddings=...)"
            ) from error
        return tokenizer


def image_text_network(network: Any, place: str) -> tuple[nn.Module, Mapping[str, Any]]:
    """Return the side of pictures of a CLIP network, and what its model states of the answer."""
    return PictureSide(network).eval(), {"output": TextSide(network.eval(), place), "probability": "none"}
