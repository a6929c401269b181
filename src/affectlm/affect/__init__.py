"""What is known of affect: points of words, label sets and how they are related, and how to say it in words."""
