//! Any bytes as a guest's code.
#![no_main]

use libfuzzer_sys::Corpus;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(component) = scruple_fuzz_sandbox::smith::component(bytes) else { return Corpus::Reject };
    scruple_fuzz_sandbox::guest(component);
    Corpus::Keep
});
