"""Pictures of measurements, by matplotlib; loaded only when one is drawn."""
