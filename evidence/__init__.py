"""What is handed to others: captures under pseudonyms, bundles, and the check of both."""
