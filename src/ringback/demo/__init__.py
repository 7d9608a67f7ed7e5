"""The demo: the product on real models, real pictures and real failures; it decides nothing the product does not."""
