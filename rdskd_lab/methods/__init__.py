"""The methods, one file each; `rdskd` first, `registry` names them all."""
