//! Any bytes as an upload.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use scruple_fuzz_sandbox::contract::COMPONENTS;

fuzz_target!(init: scruple_fuzz_sandbox::the_honest_one_is_taken(), |bytes: &[u8]| {
    scruple_fuzz_sandbox::upload(bytes)
});

// No fuzzer finds a component by chance: one in so many inputs is a valid one, made anew, and then changed as any other.
const ANEW: u32 = 50;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let component = &COMPONENTS[(seed / ANEW) as usize % COMPONENTS.len()];
    let mut size = size;
    if seed.is_multiple_of(ANEW) && component.len() <= max_size {
        data[..component.len()].copy_from_slice(component);
        size = component.len();
    }
    fuzzer_mutate(data, size, max_size)
});
