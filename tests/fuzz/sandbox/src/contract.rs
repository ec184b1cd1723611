//! The contract's worlds as wit-component sees them: what a module has to import and export, and how it becomes a component.

use std::path::Path;
use std::sync::LazyLock;

use wasm_encoder::MemoryType;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasmparser::{Parser, Payload, TypeRef, ValType};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

/// Pages of memory that every guest has from the start.
const PAGES: u64 = 2;

/// A world of the contract, spelled in one of the two ways in which modules name its functions.
pub struct World {
    resolve: Resolve,
    world: WorldId,
    /// A module that imports and exports what the world says; its functions trap.
    pub dummy: Vec<u8>,
    /// The functions that it imports.
    pub imports: Vec<Import>,
}

/// A function of the host. All of its parameters are `i32`.
pub struct Import {
    /// Without the interface: `[method]document.read`.
    pub name: String,
    /// How many parameters it has.
    pub parameters: usize,
    /// How many results it has.
    pub results: usize,
}

/// Every world in both spellings.
pub static WORLDS: LazyLock<Vec<World>> = LazyLock::new(|| {
    let names = ["pure-constraint", "constraint", "rewriter", "rewriting-constraint"];
    let spellings = [ManglingAndAbi::Legacy(LiftLowerAbi::Sync), ManglingAndAbi::Standard32];
    names.iter().flat_map(|name| spellings.map(|spelling| World::new(name, spelling))).collect()
});

/// Components that are valid, as different from each other as the contract has them: the first one answers, the others are
/// dummies.
pub static COMPONENTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let honest = wat::parse_str(include_str!("honest.wat")).expect("valid text");
    let modules = WORLDS.iter().map(|world| (world, world.dummy.clone()));
    let modules = [(&WORLDS[0], honest)].into_iter().chain(modules);
    modules.map(|(world, module)| world.component(module).expect("it fits its world")).collect()
});

impl World {
    fn new(name: &str, spelling: ManglingAndAbi) -> Self {
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../wit");
        let (package, _) = resolve.push_dir(wit).expect("the contract");
        let world = resolve.select_world(&[package], Some(name)).expect("a world of the contract");
        let dummy = with_memory(&dummy_module(&resolve, world, spelling));
        let imports = imports(&dummy);
        Self { resolve, world, dummy, imports }
    }

    /// Makes a component of a module that has the world's imports and exports.
    pub fn component(&self, mut module: Vec<u8>) -> Option<Vec<u8>> {
        embed_component_metadata(&mut module, &self.resolve, self.world, StringEncoding::UTF8).ok()?;
        ComponentEncoder::default().module(&module).ok()?.encode().ok()
    }
}

/// The same module with memory: the dummy's has no pages, and a module of its shape would have none either.
fn with_memory(module: &[u8]) -> Vec<u8> {
    struct WithMemory;

    impl Reencode for WithMemory {
        type Error = std::convert::Infallible;

        fn memory_type(&mut self, memory: wasmparser::MemoryType) -> Result<MemoryType, Error<Self::Error>> {
            let memory = utils::memory_type(self, memory);
            Ok(MemoryType { minimum: PAGES, ..memory })
        }
    }

    let mut encoded = wasm_encoder::Module::new();
    WithMemory.parse_core_module(&mut encoded, Parser::new(0), module).expect("a valid module");
    encoded.finish()
}

fn imports(module: &[u8]) -> Vec<Import> {
    let (mut types, mut imports) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload.expect("a valid module") {
            Payload::TypeSection(section) => {
                types.extend(section.into_iter_err_on_gc_types().map(|ty| ty.expect("a function's type")));
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.expect("a valid import");
                    let TypeRef::Func(index) = import.ty else { continue };
                    let (parameters, results) = (types[index as usize].params(), types[index as usize].results().len());
                    assert!(parameters.iter().all(|parameter| *parameter == ValType::I32), "{parameters:?}");
                    imports.push(Import { name: import.name.to_owned(), parameters: parameters.len(), results });
                }
            }
            _ => {}
        }
    }
    imports
}
