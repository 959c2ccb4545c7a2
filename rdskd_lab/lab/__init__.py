"""The live lab: `from rdskd_lab.lab import Lab; Lab()` in a notebook's cell.

Read `player` first (how anything that yields can be played), then `lab` (what is played and shown).
"""

from .lab import Lab
from .museum import Museum
from .player import Player
from .replay import Replay
from .transport import Transport

__all__ = ["Lab", "Museum", "Player", "Replay", "Transport"]
