"""The text that `fabgen show` prints of a process or a card."""
