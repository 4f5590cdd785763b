"""Public datasets: what they are, and how their cases become clean, checked lists."""
