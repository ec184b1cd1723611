//! The reference of the contract is made from the WIT, so that it says what the WIT says.

use std::fmt::Write;
use std::fs;

use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, Resolve, Type, TypeDef, TypeDefKind, World, WorldItem, WorldKey,
};

use super::{page_path, root};

/// Set to write the page anew.
const RENEW: &str = "SCRUPLE_RENEW_CONTRACT";
const COMMAND: &str = "SCRUPLE_RENEW_CONTRACT=1 cargo nextest run --workspace contract_reference";

#[test]
fn the_contract_reference_says_what_the_wit_says() {
    let made = reference();
    let path = page_path("contract.md");
    if std::env::var_os(RENEW).is_some() {
        fs::write(&path, made).unwrap();
        return;
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let line = there.lines().zip(made.lines()).position(|(there, made)| there != made);
    let line = line.unwrap_or_else(|| there.lines().count().min(made.lines().count()));
    assert!(there == made, "{}:{}: not what `wit/` says; renew it: {COMMAND}", path.display(), line + 1);
}

/// Interfaces in the order in which one needs them.
const ORDER: [&str; 9] = ["check", "rewrite", "about", "scim", "directory", "tables", "report", "log", "types"];

fn reference() -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).unwrap();
    let package = &resolve.packages[package];
    let mut page = format!(
        "# The contract\n\n<!-- Made from wit/ by a test. To renew it: {COMMAND} -->\n\n\
         `{}`: what a component may import, and what it exports. This is the reference for every language; each SDK has the \
         same under names of its own. The text is that of the files in `wit/`, of which every project has a copy.\n",
        package.name
    );
    docs(&mut page, &package.docs);
    page.push_str("\n## Worlds\n");
    for world in package.worlds.values() {
        of_world(&mut page, &resolve, &resolve.worlds[*world]);
    }
    assert_eq!(package.interfaces.len(), ORDER.len(), "an interface without a place in the reference");
    for name in ORDER {
        of_interface(&mut page, &resolve, &resolve.interfaces[package.interfaces[name]]);
    }
    page
}

fn docs(page: &mut String, docs: &Docs) {
    if let Some(text) = &docs.contents {
        write!(page, "\n{}\n", text.trim_end()).unwrap();
    }
}

fn of_world(page: &mut String, resolve: &Resolve, world: &World) {
    write!(page, "\n### World `{}`\n", world.name).unwrap();
    docs(page, &world.docs);
    let names = |items: &mut dyn Iterator<Item = (&WorldKey, &WorldItem)>| {
        let name = |(key, _): (&WorldKey, &WorldItem)| match key {
            WorldKey::Name(name) => format!("`{name}`"),
            WorldKey::Interface(id) => format!("`{}`", resolve.interfaces[*id].name.as_ref().unwrap()),
        };
        items.map(name).collect::<Vec<_>>().join(", ")
    };
    write!(page, "\nImports {}; ", names(&mut world.imports.iter())).unwrap();
    writeln!(page, "exports {}.", names(&mut world.exports.iter())).unwrap();
}

fn of_interface(page: &mut String, resolve: &Resolve, interface: &Interface) {
    write!(page, "\n## Interface `{}`\n", interface.name.as_ref().unwrap()).unwrap();
    docs(page, &interface.docs);
    for id in interface.types.values() {
        let definition = &resolve.types[*id];
        // `use types.{…}`: told where it is defined.
        if !matches!(definition.kind, TypeDefKind::Type(_)) {
            of_type(page, resolve, interface, definition);
        }
    }
    for function in interface.functions.values().filter(|function| function.kind == FunctionKind::Freestanding) {
        of_function(page, resolve, function, "###");
    }
}

fn of_type(page: &mut String, resolve: &Resolve, interface: &Interface, definition: &TypeDef) {
    let name = definition.name.as_ref().unwrap();
    write!(page, "\n### `{} {name}`\n", definition.kind.as_str()).unwrap();
    docs(page, &definition.docs);
    let mut members = Vec::new();
    match &definition.kind {
        TypeDefKind::Record(record) => {
            members.extend(record.fields.iter().map(|field| (&field.name, Some(&field.ty), &field.docs)));
        }
        TypeDefKind::Variant(variant) => {
            members.extend(variant.cases.iter().map(|case| (&case.name, case.ty.as_ref(), &case.docs)));
        }
        TypeDefKind::Enum(cases) => members.extend(cases.cases.iter().map(|case| (&case.name, None, &case.docs))),
        TypeDefKind::Resource => {}
        other => panic!("the reference has no words for {}", other.as_str()),
    }
    if !members.is_empty() {
        page.push('\n');
    }
    for (name, of, docs) in members {
        let of = of.map_or_else(String::new, |of| format!(": {}", type_name(resolve, of)));
        let text = docs.contents.as_deref().unwrap_or_default().trim_end().replace('\n', "\n  ");
        writeln!(page, "* `{name}{of}`{}{text}", if text.is_empty() { "" } else { "  \n  " }).unwrap();
    }
    let is_method =
        |function: &&Function| function.kind.resource().is_some_and(|id| resolve.types[id].name.as_ref() == Some(name));
    for method in interface.functions.values().filter(is_method) {
        of_function(page, resolve, method, "####");
    }
}

fn of_function(page: &mut String, resolve: &Resolve, function: &Function, level: &str) {
    // The first parameter of a method is what it is called on.
    let own = usize::from(function.kind.resource().is_some());
    let parameter =
        |parameter: &wit_parser::Param| format!("{}: {}", parameter.name, type_name(resolve, &parameter.ty));
    let parameters: Vec<String> = function.params.iter().skip(own).map(parameter).collect();
    let result = function.result.as_ref().map_or_else(String::new, |of| format!(" -> {}", type_name(resolve, of)));
    write!(page, "\n{level} `{}: func({}){result}`\n", function.item_name(), parameters.join(", ")).unwrap();
    docs(page, &function.docs);
}

/// A type as WIT spells it.
fn type_name(resolve: &Resolve, of: &Type) -> String {
    let Type::Id(id) = of else {
        return match of {
            Type::Bool => "bool",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S64 => "s64",
            Type::F64 => "f64",
            Type::String => "string",
            other => panic!("the reference has no word for {other:?}"),
        }
        .to_owned();
    };
    let definition = &resolve.types[*id];
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let side = |side: &Option<Type>| side.as_ref().map_or_else(|| "_".to_owned(), |of| type_name(resolve, of));
    match &definition.kind {
        TypeDefKind::Option(of) => format!("option<{}>", type_name(resolve, of)),
        TypeDefKind::List(of) => format!("list<{}>", type_name(resolve, of)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(|of| type_name(resolve, of)).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Result(result) if result.ok.is_none() && result.err.is_none() => "result".to_owned(),
        TypeDefKind::Result(result) if result.err.is_none() => format!("result<{}>", side(&result.ok)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", side(&result.ok), side(&result.err)),
        TypeDefKind::Handle(Handle::Own(id)) => resolve.types[*id].name.clone().unwrap(),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", resolve.types[*id].name.as_ref().unwrap()),
        other => panic!("the reference has no word for {}", other.as_str()),
    }
}
