"""What the API answers, by subject: plain frozen records, serialised as they stand."""
