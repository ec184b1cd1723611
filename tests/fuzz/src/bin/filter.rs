//! Any text as a filter.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| scruple_fuzz::filter(text));
