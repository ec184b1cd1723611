//! Scruple.

fn main() {}
