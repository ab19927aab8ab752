"""How quickly the views for analysts answer once years of benchmarks lie in the database."""
