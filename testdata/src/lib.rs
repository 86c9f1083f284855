//! Bundled test data: a catalog of instance types, a seeded workload generator, and the case corpus.
