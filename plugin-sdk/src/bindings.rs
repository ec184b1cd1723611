//! What `wit-bindgen` makes of the contract: the only place where generated code enters, and only for WebAssembly.
//!
//! Authors never see it. [`crate::guest`] translates to and from it. The generated code is `unsafe`: calling an import and
//! lifting its result from linear memory is the canonical ABI, raw pointers whose lengths come from the host.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../wit",
    // The widest world: imports that a constraint does not use are dropped by the linker.
    world: "constraint",
    pub_export_macro: true,
    export_macro_name: "__export_component",
    default_bindings_module: "scruple_sdk::guest",
    generate_all,
});
