"""What is kept on disk: records and folders of runs, and earlier measurements and answers."""
