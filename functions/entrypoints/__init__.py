"""What the cloud calls: translate, hand to a use case, answer. No decisions."""
