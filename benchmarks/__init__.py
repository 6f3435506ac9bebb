"""How long seewhy and other libraries take for the same maps, in forward passes of the network."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when numpy and torch are first imported; numpy's own would not follow torch's
