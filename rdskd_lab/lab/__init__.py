"""The live lab: `from rdskd_lab.lab import Lab; Lab()` in a notebook's cell.

Read `player` first (how anything that yields can be played), then `lab` (what is played and shown).
"""

from .lab import Lab
from .session.player import Player
from .widgets.museum import Museum
from .widgets.playback_buttons import Transport
from .widgets.replay import Replay

__all__ = ["Lab", "Museum", "Player", "Replay", "Transport"]
