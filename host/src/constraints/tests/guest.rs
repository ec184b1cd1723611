//! Builds guests: a core module in text form, with the canonical ABI by hand, encoded as a component.

use std::fmt::Write;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// Where the verdict is written; the reason of a denial is at 640, what host functions return at 768.
const RESULT: u32 = 512;
/// Where texts are.
const DATA: u32 = 4096;

/// A guest in the making.
pub(super) struct Guest {
    data: Vec<u8>,
    items: String,
    describe: String,
    check_settings: String,
    /// `None`: it does not judge.
    evaluate: Option<String>,
    /// `None`: it does not rewrite.
    rewrite: Option<String>,
    realloc: String,
    pages: u32,
    pub(super) name: String,
    pub(super) settings_schema: String,
    pub(super) resource_types: Vec<String>,
    pub(super) actions: Vec<u8>,
    pub(super) reads: Vec<String>,
    pub(super) writes: Vec<String>,
    pub(super) capabilities: Vec<String>,
}

/// Pointer and length of a text in the guest's memory, as two constants.
pub(super) type Text = String;

impl Guest {
    /// A guest that allows everything.
    pub(super) fn new() -> Self {
        Self {
            data: Vec::new(),
            items: String::new(),
            describe: String::new(),
            check_settings: format!("(i32.store8 (i32.const {RESULT}) (i32.const 0)) (return (i32.const {RESULT}))"),
            evaluate: Some("(return (call $allow))".to_owned()),
            rewrite: None,
            realloc: REALLOC.to_owned(),
            pages: 2,
            name: "guest".to_owned(),
            settings_schema: "{}".to_owned(),
            resource_types: Vec::new(),
            actions: vec![0, 1, 2],
            reads: Vec::new(),
            writes: Vec::new(),
            capabilities: Vec::new(),
        }
    }

    /// A guest that runs this when it is asked. `$op` is the operation; `$doc`, `$i` and `$j` are there to be used.
    pub(super) fn evaluating(body: &str) -> Self {
        Self { evaluate: Some(body.to_owned()), ..Self::new() }
    }

    /// A rewriter that runs this when it is asked, and may edit everything. It does not judge.
    pub(super) fn rewriting(body: &str) -> Self {
        Self { evaluate: None, writes: vec!["*".to_owned()], ..Self::new() }.rewrite(body)
    }

    /// A rewriter that gives these edits: `set`, `append` or `remove`, path, JSON.
    pub(super) fn editing(edits: &[(&str, &str, &str)]) -> Self {
        let mut guest = Self::rewriting("");
        let body = guest.edits(edits);
        guest.rewrite(&format!("(return {body})"))
    }

    /// A guest that reads one path of the state after, and allows.
    pub(super) fn reading(path: &str) -> Self {
        let mut guest = Self::new();
        let path = guest.text(path);
        let body = format!("(call $open_after (local.get $op)) (call $read {path}) (return (call $allow))");
        guest.evaluate(&body)
    }

    /// What it runs when it is asked.
    pub(super) fn evaluate(mut self, body: &str) -> Self {
        self.evaluate = Some(body.to_owned());
        self
    }

    /// What it runs when it is asked to rewrite; the same is there to be used.
    pub(super) fn rewrite(mut self, body: &str) -> Self {
        self.rewrite = Some(body.to_owned());
        self
    }

    /// A call that answers with these edits.
    pub(super) fn edits(&mut self, edits: &[(&str, &str, &str)]) -> String {
        let mut words = Vec::new();
        for (kind, path, json) in edits {
            let kind = ["set", "append", "remove"].iter().position(|known| known == kind).unwrap();
            let [(path, path_len), (json, json_len)] = [path, json].map(|text| self.place(text.as_bytes()));
            words.extend([u32::try_from(kind).unwrap(), path, path_len, json, json_len]);
        }
        let list = self.place_words(&words);
        format!("(call $edit_list (i32.const {list}) (i32.const {}))", edits.len())
    }

    /// What it runs in `describe`, before the answer.
    pub(super) fn describe(mut self, body: &str) -> Self {
        self.describe = body.to_owned();
        self
    }

    /// What it runs in `check-settings`.
    pub(super) fn check_settings(mut self, body: &str) -> Self {
        self.check_settings = body.to_owned();
        self
    }

    /// What it runs when the host wants room in its memory; locals 0 to 3 are the parameters of `cabi_realloc`, `$at` is there
    /// to be used.
    pub(super) fn realloc(mut self, body: &str) -> Self {
        self.realloc = body.to_owned();
        self
    }

    /// How many pages of 64 KiB its memory has from the start.
    pub(super) fn pages(mut self, pages: u32) -> Self {
        self.pages = pages;
        self
    }

    /// Further items of the module.
    pub(super) fn with(mut self, items: &str) -> Self {
        self.items.push_str(items);
        self
    }

    pub(super) fn reads(mut self, reads: &[&str]) -> Self {
        self.reads = reads.iter().map(|read| (*read).to_owned()).collect();
        self
    }

    pub(super) fn writes(mut self, writes: &[&str]) -> Self {
        self.writes = writes.iter().map(|write| (*write).to_owned()).collect();
        self
    }

    pub(super) fn capabilities(mut self, capabilities: &[&str]) -> Self {
        self.capabilities = capabilities.iter().map(|capability| (*capability).to_owned()).collect();
        self
    }

    /// Puts a text into memory.
    pub(super) fn text(&mut self, text: &str) -> Text {
        let (pointer, length) = self.place(text.as_bytes());
        format!("(i32.const {pointer}) (i32.const {length})")
    }

    fn place(&mut self, bytes: &[u8]) -> (u32, u32) {
        while !self.data.len().is_multiple_of(8) {
            self.data.push(0);
        }
        let pointer = DATA + u32::try_from(self.data.len()).unwrap();
        self.data.extend_from_slice(bytes);
        (pointer, u32::try_from(bytes.len()).unwrap())
    }

    fn place_words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.place(&bytes).0
    }

    fn place_texts(&mut self, texts: &[String]) -> [u32; 2] {
        let words: Vec<u32> = texts
            .iter()
            .flat_map(|text| {
                let (pointer, length) = self.place(text.as_bytes());
                [pointer, length]
            })
            .collect();
        [self.place_words(&words), u32::try_from(texts.len()).unwrap()]
    }

    fn place_descriptor(&mut self) -> u32 {
        let texts = [self.name.clone(), "1.0.0".into(), "A guest of a test.".into(), self.settings_schema.clone()];
        let mut words = Vec::new();
        for text in texts {
            let (pointer, length) = self.place(text.as_bytes());
            words.extend([pointer, length]);
        }
        words.extend(self.place_texts(&self.resource_types.clone()));
        let actions = self.actions.clone();
        let (pointer, length) = self.place(&actions);
        words.extend([pointer, length]);
        words.extend(self.place_texts(&self.reads.clone()));
        words.extend(self.place_texts(&self.writes.clone()));
        words.extend(self.place_texts(&self.capabilities.clone()));
        words.extend([0, 0]);
        self.place_words(&words)
    }

    /// The core module.
    pub(super) fn module(mut self) -> Vec<u8> {
        let descriptor = self.place_descriptor();
        let mut data = String::new();
        for byte in &self.data {
            write!(data, "\\{byte:02x}").unwrap();
        }
        let Self { items, describe, check_settings, evaluate, rewrite, realloc, pages, .. } = self;
        let asked = [("check@0.1.0#evaluate", evaluate), ("rewrite@0.1.0#rewrite", rewrite)];
        let asked: String = asked
            .into_iter()
            .filter_map(|(export, body)| Some((export, body?)))
            .map(|(export, body)| {
                format!(
                    "(func (export \"scruple:constraint/{export}\")
                        (param $op i32) (param $ptr i32) (param $len i32) (result i32)
                        (local $i i32) (local $j i32)
                        {body}
                        unreachable)"
                )
            })
            .collect();
        // Only what the text uses is imported, so that a guest imports what it needs and no more.
        let body = format!("{PRELUDE} {items} {realloc} {describe} {check_settings} {asked}");
        let imports: String = IMPORTS
            .iter()
            .filter(|(name, ..)| body.contains(&format!("${name} ")) || body.contains(&format!("${name})")))
            .map(|(name, interface, function, signature)| {
                format!("(import \"scruple:constraint/{interface}@0.1.0\" \"{function}\" (func ${name} {signature}))\n")
            })
            .collect();
        let text = format!(
            r#"(module {imports}
            (memory (export "memory") {pages})
            (global $next (mut i32) (i32.const 65536))
            (global $doc (mut i32) (i32.const 0))
            (data (i32.const {DATA}) "{data}")
            {PRELUDE}
            {items}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                {realloc})
            (func (export "scruple:constraint/about@0.1.0#describe") (result i32)
                (local $i i32) (local $j i32)
                {describe}
                (i32.const {descriptor}))
            (func (export "scruple:constraint/about@0.1.0#check-settings") (param $ptr i32) (param $len i32) (result i32)
                (local $i i32) (local $j i32)
                {check_settings}
                unreachable)
            {asked})"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The component.
    pub(super) fn component(self) -> Vec<u8> {
        let world = match (&self.evaluate, &self.rewrite) {
            (_, None) => "constraint",
            (None, Some(_)) => "rewriter",
            (Some(_), Some(_)) => "rewriting-constraint",
        };
        let mut module = self.module();
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let (package, _) = resolve.push_dir(wit).unwrap();
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
    }
}

/// Name here, interface, function, signature in the canonical ABI.
const IMPORTS: &[(&str, &str, &str, &str)] = &[
    ("op_time", "scim", "[method]operation.time", "(param i32) (result i64)"),
    ("op_before", "scim", "[method]operation.before", "(param i32 i32)"),
    ("op_after", "scim", "[method]operation.after", "(param i32 i32)"),
    ("op_changes", "scim", "[method]operation.changes", "(param i32 i32 i32 i32)"),
    ("op_differences", "scim", "[method]operation.differences", "(param i32 i32 i32 i32 i32)"),
    ("op_drop", "scim", "[resource-drop]operation", "(param i32)"),
    ("doc_drop", "scim", "[resource-drop]document", "(param i32)"),
    ("doc_read", "scim", "[method]document.read", "(param i32 i32 i32 i32)"),
    ("doc_read-all", "scim", "[method]document.read-all", "(param i32 i32 i32 i32)"),
    ("doc_has", "scim", "[method]document.has", "(param i32 i32 i32 i32)"),
    ("doc_matches", "scim", "[method]document.matches", "(param i32 i32 i32 i32)"),
    ("doc_json", "scim", "[method]document.json", "(param i32 i32 i32 i32 i32)"),
    ("warn", "report", "warn", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)"),
    ("note", "report", "note", "(param i32 i32 i32 i32)"),
    ("fail", "report", "fail", "(param i32 i32)"),
    ("log", "log", "write", "(param i32 i32 i32)"),
    ("dir_get", "directory", "get", "(param i32 i32 i32 i32 i32)"),
    ("dir_find", "directory", "find", "(param i32 i32 i32 i32 i32 i32)"),
    ("dir_count", "directory", "count", "(param i32 i32 i32 i32 i32)"),
    ("dir_is_member", "directory", "is-member", "(param i32 i32 i32 i32 i32 i32)"),
    ("table_contains", "tables", "contains", "(param i32 i32 i32 i32 i32)"),
    ("table_get", "tables", "get", "(param i32 i32 i32 i32 i32)"),
];

/// Allocation without end.
const REALLOC: &str = "(local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at)";

/// What guests are made of: the answers, opening a document, reading from it.
const PRELUDE: &str = r#"
(func $allow (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store8 (i32.const 516) (i32.const 0))
    (i32.const 512))
(func $deny (param $code i32) (param $code_len i32) (result i32)
    (i32.store (i32.const 640) (local.get $code)) (i32.store (i32.const 644) (local.get $code_len))
    (i32.store (i32.const 648) (local.get $code)) (i32.store (i32.const 652) (local.get $code_len))
    (call $deny_list (i32.const 640) (i32.const 1)))
(func $deny_list (param $list i32) (param $list_len i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store8 (i32.const 516) (i32.const 2))
    (i32.store (i32.const 520) (local.get $list))
    (i32.store (i32.const 524) (local.get $list_len))
    (i32.const 512))
(func $edit_list (param $list i32) (param $list_len i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (local.get $list))
    (i32.store (i32.const 520) (local.get $list_len))
    (i32.const 512))
(func $edits (param $list_len i32) (result i32) (call $edit_list (i32.const 65536) (local.get $list_len)))
(func $cannot (param $message i32) (param $message_len i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 1))
    (i32.store (i32.const 516) (local.get $message))
    (i32.store (i32.const 520) (local.get $message_len))
    (i32.const 512))
(func $open_after (param $op i32)
    (call $op_after (local.get $op) (i32.const 768))
    (global.set $doc (i32.load (i32.const 772))))
(func $read (param $path i32) (param $path_len i32)
    (call $doc_read (global.get $doc) (local.get $path) (local.get $path_len) (i32.const 768)))
"#;
