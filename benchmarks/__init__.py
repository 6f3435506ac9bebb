"""How long seewhy and other libraries take for the same maps, in forward passes of the network."""
