"""Records into answers: one file a question, found by listing the folder."""
