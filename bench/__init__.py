"""Speed and quality, measured side by side with what they are compared to."""
