"""Talking to Garmin Connect itself: tokens, manners, the questions that a range of days takes, and logging in."""
