//! Takes memory until there is none: the memory limit must stop it.

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict, about};

struct GrowMemory;

impl Constraint for GrowMemory {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(_: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        let mut taken = Vec::new();
        loop {
            // Each page of the kernel's is touched, and no more of it: filling it would use up the fuel before the memory.
            let mut block: Vec<u8> = Vec::with_capacity(1024 * 1024);
            for byte in block.spare_capacity_mut().iter_mut().step_by(4096) {
                byte.write(1);
            }
            taken.push(std::hint::black_box(block));
        }
    }
}

scruple_sdk::export!(GrowMemory);
