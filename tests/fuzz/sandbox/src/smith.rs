//! Made-up guests: any bytes become a module that imports and exports what a world of the contract says, with random code.

use std::iter::successors;

use arbitrary::{Result, Unstructured};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, ExportSection, Function, Instruction};
use wasm_smith::{Config, Module};
use wasmparser::{ExternalKind, FunctionBody, Operator, Parser};

use crate::contract::{WORLDS, World};

/// Where a tame guest has the host put what it passes: an operation's settings, to begin with.
const HERE: i32 = 1024;

/// Bytes of the first word there.
const WORD_BYTES: i32 = 8;

/// Where a tame guest has the host put results.
const THERE: i32 = 2048;

/// Handles are numbered in the order in which a guest gets them.
const OPERATION: i32 = 1;
const DOCUMENT: i32 = 2;

/// Bytes that a module is made of, at least.
const BYTES: usize = 3 << 10;

/// A component; `None` if nothing comes of the bytes.
pub fn component(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = lengthened(bytes);
    let mut bytes = Unstructured::new(&bytes);
    let world = bytes.choose(&WORLDS).ok()?;
    let (is_tame, calls) = (bytes.ratio(3, 4).ok()?, bytes.arbitrary().ok()?);
    let module = Module::new(config(world, &mut bytes).ok()?, &mut bytes).ok()?.to_bytes();
    world.component(if is_tame { tame(world, &module, calls) } else { module })
}

/// The bytes, and as many more as a module is made of: the functions' bodies come last, and where the bytes end, there is
/// only `unreachable`. What follows hangs on the first eight alone, so that a change of any other leaves it as it is.
fn lengthened(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let seed = bytes.iter().take(8).fold(1, |seed: u64, byte| seed << 8 | u64::from(*byte));
    // Xorshift; never 0.
    let next = |state: &u64| {
        let state = state ^ (state << 13);
        let state = state ^ (state >> 7);
        Some(state ^ (state << 17))
    };
    let missing = BYTES.saturating_sub(bytes.len()).div_ceil(8);
    bytes.extend(successors(Some(seed.max(1)), next).skip(8).take(missing).flat_map(u64::to_le_bytes));
    bytes
}

/// Small modules, mostly of what the engine has: what it has not is a second memory of a module, and references other than
/// `funcref`.
fn config(world: &World, bytes: &mut Unstructured<'_>) -> Result<Config> {
    Ok(Config {
        module_shape: Some(world.dummy.clone()),
        disallow_traps: bytes.arbitrary()?,
        reference_types_enabled: bytes.ratio(1, 8)?,
        simd_enabled: bytes.arbitrary()?,
        bulk_memory_enabled: bytes.arbitrary()?,
        max_funcs: 40,
        max_instructions: 100,
        max_memories: if bytes.ratio(1, 16)? { 2 } else { 1 },
        max_tables: 3,
        max_table_elements: 4_000,
        max_memory32_bytes: 4 << 20,
        max_data_segments: 8,
        max_element_segments: 8,
        max_elements: 16,
        max_globals: 16,
        allow_start_export: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        ..Config::default()
    })
}

/// Random code mostly traps before it has called anybody, since hardly any number is an address. A tame guest gives the
/// host room, does nothing when it is initialised, has few constants, and calls the host before it does anything else;
/// `calls` tells how.
fn tame(world: &World, module: &[u8], calls: u32) -> Vec<u8> {
    let body = u32::try_from(world.imports.len()).expect("a few");
    let mut tamer = Tamer { world, body, state: calls, asked: Vec::new(), realloc: None, initialize: None };
    let mut encoded = wasm_encoder::Module::new();
    tamer.parse_core_module(&mut encoded, Parser::new(0), module).expect("a valid module");
    encoded.finish()
}

struct Tamer<'w> {
    world: &'w World,
    /// Index of the function whose body comes next.
    body: u32,
    /// What comes next in place of chance.
    state: u32,
    /// The exports that are given an operation.
    asked: Vec<u32>,
    realloc: Option<u32>,
    initialize: Option<u32>,
}

type Encoded<T> = std::result::Result<T, Error<std::convert::Infallible>>;

impl Reencode for Tamer<'_> {
    type Error = std::convert::Infallible;

    fn parse_export(&mut self, exports: &mut ExportSection, export: wasmparser::Export<'_>) -> Encoded<()> {
        match export.name {
            _ if export.kind != ExternalKind::Func => {}
            "cabi_realloc" | "cm32p2_realloc" => self.realloc = Some(export.index),
            "_initialize" | "cm32p2_initialize" => self.initialize = Some(export.index),
            // `scruple:constraint/check@0.1.0#evaluate`, or `cm32p2|scruple:constraint/check@0.1|evaluate`.
            name if name.ends_with("evaluate") || name.ends_with("rewrite") => self.asked.push(export.index),
            _ => {}
        }
        utils::parse_export(self, exports, export)
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Encoded<()> {
        let index = self.body;
        self.body += 1;
        if Some(index) == self.realloc || Some(index) == self.initialize {
            let mut function = Function::new([]);
            if Some(index) == self.realloc {
                function.instruction(&Instruction::I32Const(HERE));
            }
            function.instruction(&Instruction::End);
            code.function(&function);
            return Ok(());
        }
        let mut function = self.new_function_with_parsed_locals(&body)?;
        if self.asked.contains(&index) {
            self.open_documents(&mut function);
        }
        self.call_the_host(&mut function);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            function.instruction(&self.parse_instruction(&mut reader)?);
        }
        code.function(&function);
        Ok(())
    }

    fn instruction<'a>(&mut self, operator: Operator<'a>) -> Encoded<Instruction<'a>> {
        Ok(match utils::instruction(self, operator)? {
            Instruction::I32Const(number) => Instruction::I32Const(constant(number)),
            other => other,
        })
    }
}

impl Tamer<'_> {
    /// Before the body of an export that is given an operation: opens both its documents, as far as it has them.
    fn open_documents(&self, function: &mut Function) {
        for method in ["operation.after", "operation.before"] {
            let Some(callee) = self.world.imports.iter().position(|import| import.name.ends_with(method)) else {
                continue;
            };
            function.instruction(&Instruction::LocalGet(0));
            function.instruction(&Instruction::I32Const(THERE));
            function.instruction(&Instruction::Call(u32::try_from(callee).expect("a few")));
        }
    }

    /// Before any body: some calls of the host, of which random code has few.
    fn call_the_host(&mut self, function: &mut Function) {
        for _ in 0..self.random() % 6 {
            let callee = self.random() % u32::try_from(self.world.imports.len()).expect("a few");
            let import = &self.world.imports[callee as usize];
            for parameter in 0..import.parameters {
                let number = match self.random() {
                    number if number.is_multiple_of(16) => constant((number >> 4).cast_signed()),
                    _ => likely(&import.name, parameter, parameter + 1 == import.parameters),
                };
                function.instruction(&Instruction::I32Const(number));
            }
            function.instruction(&Instruction::Call(callee));
            for _ in 0..import.results {
                function.instruction(&Instruction::Drop);
            }
        }
    }

    /// Steele and Vigna's way of making a counter look random, shortened.
    fn random(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9);
        let mixed = (self.state ^ (self.state >> 16)).wrapping_mul(0x85eb_ca6b);
        mixed ^ (mixed >> 13)
    }
}

/// What mostly fits: the handle that the operation or its document has, the address and the length of a text, the place
/// of a result.
fn likely(name: &str, parameter: usize, is_last: bool) -> i32 {
    let is_method = name.contains("operation.") || name.contains("document.");
    // Their text is optional.
    let has_flag = name.ends_with("operation.differences") || name.ends_with("document.json");
    match (parameter, is_method) {
        (0, true) if name.contains("operation.") => OPERATION,
        (0, true) => DOCUMENT,
        (1, _) if has_flag => 1,
        _ if is_last => THERE,
        (place, _) if (place + usize::from(is_method) + usize::from(has_flag)).is_multiple_of(2) => HERE,
        _ => WORD_BYTES,
    }
}

/// The address of a text, the length of its first word, a place for results, a handle or a flag; sometimes another one.
fn constant(number: i32) -> i32 {
    match number & 7 {
        0..=1 => HERE,
        2..=3 => WORD_BYTES,
        4 => THERE,
        5..=6 => (number >> 3) & 3,
        _ => (number >> 3) & 0xfff,
    }
}
