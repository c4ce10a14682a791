"""Ask Meet, and keep its answers until one commit stores them. Only data that an error would lose is written here."""
