//! How much work a component is for the compiler, counted before it is compiled.
//!
//! Its length in bytes does not bound that: 300 KB of types inside each other overflow the stack of whoever reads them by
//! recursion, 240 KB of components inside each other took 56 s and 12 GiB, 400 KB of empty functions 10 s and 600 MiB.

use wasmparser::Payload;

use super::ComponentError;

/// Modules and components inside each other. 32: those of toolchains are 2 deep, composed ones one deeper each time.
pub(in crate::constraints) const DEPTH_MAX: usize = 32;

/// Modules and components in all. 256: CPython with its libraries is some 40.
pub(in crate::constraints) const PARTS_MAX: usize = 256;

/// Types of components and instances inside those of others, in one section. 200: the contract's own have none. 900 are
/// read on a stack of 2 MiB.
pub(in crate::constraints) const NESTED_TYPES_MAX: usize = 200;

/// Core functions in all. 50,000: SpiderMonkey has about 15,000. An empty one costs 0.1 ms and 6 KiB to compile, so
/// that these are 5 s and 300 MiB.
pub(in crate::constraints) const FUNCTIONS_MAX: usize = 50_000;

/// Bytes of one core function. 512 KiB: the largest of interpreters, their main loop, are about 100 KB. One made to
/// hurt costs 8 s and 360 MiB for each MB.
pub(in crate::constraints) const FUNCTION_BYTES_MAX: usize = 512 << 10;

/// Bytes of code in all. 16 MiB: half of what a component may have, the other half is data. The largest we know of have 10.
pub(in crate::constraints) const CODE_BYTES_MAX: usize = 16 << 20;

/// What has been counted so far.
#[derive(Default)]
pub(super) struct Extent {
    depth: usize,
    parts: usize,
    functions: usize,
    code_bytes: usize,
}

impl Extent {
    /// How many modules and components enclose what is read now.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Counts one payload of the component's bytes.
    pub(super) fn count(&mut self, payload: &Payload<'_>, bytes: &[u8]) -> Result<(), ComponentError> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.depth = self.depth.saturating_add(1);
                self.parts = self.parts.saturating_add(1);
                at_most("modules and components inside each other", self.depth, DEPTH_MAX)?;
                at_most("modules and components", self.parts, PARTS_MAX)
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Payload::ComponentTypeSection(section) => {
                let section = bytes.get(section.range()).unwrap_or_default();
                at_most("types of instances inside each other", nested_types(section), NESTED_TYPES_MAX)
            }
            Payload::FunctionSection(section) => {
                let count = usize::try_from(section.count()).unwrap_or(usize::MAX);
                self.functions = self.functions.saturating_add(count);
                at_most("functions", self.functions, FUNCTIONS_MAX)
            }
            Payload::CodeSectionEntry(body) => {
                let length = body.range().len();
                self.code_bytes = self.code_bytes.saturating_add(length);
                at_most("bytes of code in one function", length, FUNCTION_BYTES_MAX)?;
                at_most("bytes of code", self.code_bytes, CODE_BYTES_MAX)
            }
            _ => Ok(()),
        }
    }
}

fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), ComponentError> {
    if found > most { Err(ComponentError::TooMuch { what, found, most }) } else { Ok(()) }
}

/// How deep types of components (0x41) and instances (0x42) can at most be inside each other: each inner one is a
/// declaration (0x01) of the outer one. Counted where these bytes stand side by side, whatever they mean there, because
/// reading them for what they mean is the recursion that is to be bounded.
fn nested_types(section: &[u8]) -> usize {
    section.windows(2).filter(|pair| matches!(pair, [0x01, 0x41 | 0x42])).count()
}
