"""The live lab: `from rdskd_lab.lab import Lab; Lab()` in a notebook's cell.

Read `session/player.py` first (how anything that yields can be played), then `lab.py` (what is played and shown).
"""

from .lab import Lab
from .session.player import Player
from .widgets.museum import Museum
from .widgets.playback_buttons import PlaybackButtons
from .widgets.replay import Replay

__all__ = ["Lab", "Museum", "PlaybackButtons", "Player", "Replay"]
