"""Which URLs were requested before, in this run or in an earlier one: duplicates, --resume, --refresh."""
