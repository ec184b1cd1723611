//! What `wit-bindgen` makes of the contract: the only place where generated code enters, and only for WebAssembly.
//!
//! Authors never see it. [`crate::guest`] translates to and from it. The generated code is `unsafe`: calling an import and
//! lifting its result from linear memory is the canonical ABI, raw pointers whose lengths come from the host.
//!
//! A component exports `about`, and `check`, `rewrite` or both. `wit-bindgen` exports all of a world or nothing, so each
//! export is a world of its own here; the encoder puts together those that a component has. Imports that it does not use
//! are dropped by the linker.

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
    inline: "
        package scruple:sdk;
        world only-about {
            import scruple:constraint/scim@0.1.0;
            import scruple:constraint/report@0.1.0;
            import scruple:constraint/log@0.1.0;
            import scruple:constraint/directory@0.1.0;
            import scruple:constraint/tables@0.1.0;
            export scruple:constraint/about@0.1.0;
        }
    ",
    world: "scruple:sdk/only-about",
    pub_export_macro: true,
    export_macro_name: "__export_about",
    default_bindings_module: "scruple_sdk::guest",
    generate_all,
});

pub mod check {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package scruple:sdk;
            world only-check {
                export scruple:constraint/check@0.1.0;
            }
        ",
        world: "scruple:sdk/only-check",
        pub_export_macro: true,
        export_macro_name: "__export_check",
        default_bindings_module: "scruple_sdk::guest::check",
        with: {
            "scruple:constraint/types@0.1.0": crate::bindings::scruple::constraint::types,
            "scruple:constraint/scim@0.1.0": crate::bindings::scruple::constraint::scim,
        },
        generate_all,
    });
}

pub mod rewrite {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package scruple:sdk;
            world only-rewrite {
                export scruple:constraint/rewrite@0.1.0;
            }
        ",
        world: "scruple:sdk/only-rewrite",
        pub_export_macro: true,
        export_macro_name: "__export_rewrite",
        default_bindings_module: "scruple_sdk::guest::rewrite",
        with: {
            "scruple:constraint/types@0.1.0": crate::bindings::scruple::constraint::types,
            "scruple:constraint/scim@0.1.0": crate::bindings::scruple::constraint::scim,
        },
        generate_all,
    });
}
