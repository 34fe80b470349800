"""Every parser of what others send, and what must hold for it whatever the bytes are."""
