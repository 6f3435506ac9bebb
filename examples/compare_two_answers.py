"""Why a tiger cat and not a tabby? Two maps for two answers, and one for their difference. Run from the root of the checkout."""

import seewhy
from seewhy.targets import Contrast

with seewhy.Session() as session:
    answers = session.explain(
        "examples/photos/cat.jpg", ["tiger cat", "tabby", Contrast("tiger cat", "tabby")], "hires-cam"
    )
    for name, explanation in zip(("tiger-cat", "tabby", "difference"), answers, strict=True):
        path = explanation.save(f"{name}.png", force=True)
        print(f"{explanation.targets[0]}: {explanation.score[0]:.2f} {explanation.unit}; wrote {path}")
