"""Kinds of operations that rules of several methods treat alike."""

LINEAR = frozenset(
    [
        *(
            "convolution",
            "transposed convolution",
            "linear",
            "batch norm",
            "average pool",
            "interpolate",
            "grid_sample",
        ),
        *("add", "sub", "neg", "negative", "sum", "mean", "cumsum", "trace", "sum_to_size"),
        *("scatter", "scatter_add", "index_add", "index_copy", "masked_select", "fill", "zero", "tril", "triu"),
        *("fft_fft", "fft_ifft", "fft_fft2", "fft_ifft2", "fft_rfft", "fft_irfft", "fft_rfft2", "fft_irfft2"),
        *("fft_fftn", "fft_ifftn", "fft_rfftn", "fft_irfftn", "view_as_real", "view_as_complex", "real", "imag"),
    ]
)
"""Linear, up to a constant, in what hangs on the input, while weights do not."""

PRODUCTS = frozenset(["mul", "matmul", "einsum", "bilinear", "addcmul", "lerp"])
"""Sums of products of two things, of which one or both may hang on the input."""

NORMS = frozenset(["layer norm", "group norm", "instance norm", "rms norm", "normalize", "local_response_norm"])
"""Divide by a spread that hangs on the input."""

LARGEST = frozenset(["max pool", "adaptive max pool", "amax", "amin", "max", "min", "maximum", "minimum"])
"""Choose the largest or the least."""

CHOICES = frozenset(["where", "masked_fill"])
"""Choose by a mask."""
