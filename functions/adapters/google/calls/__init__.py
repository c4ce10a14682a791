"""How any call to Google is made: it is retried, its rate and its time are limited, and its errors are translated."""
