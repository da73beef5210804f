"""What a frozen stage shows the public: the dataset with its card, the report, their pictures."""
