"""What operators are notified of: alert rules and the operations dashboard, generated from the catalogues."""
