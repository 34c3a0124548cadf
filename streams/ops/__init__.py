"""What every process shows of itself: metrics, health, log lines."""
