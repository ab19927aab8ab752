"""From what people send to what a model sees, and back: decoding, the edit region, compositing, encoding."""
