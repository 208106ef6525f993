"""Words and grids as data, in English and Chinese; no logic lives here."""
