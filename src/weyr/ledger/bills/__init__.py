"""What does a provider's bill say, and where does it differ from the journal?"""
