"""Whether a reply declines to answer."""


def is_refusal(text: str) -> bool:
    """Whether a reply declines to answer."""
    return False
