"""How long seewhy and other libraries take for the same maps, in forward passes of the network."""

import os

# Read when numpy and torch are first imported. Without it numpy's algebra takes every core, and its threads wait by spinning, which
# counts as processor time: the singular values of the package grad-cam then seem to cost three times as much.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
