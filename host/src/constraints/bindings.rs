//! The only host `bindgen!`: what `wit/` says, as Rust.
//!
//! Nothing outside this folder sees a type from here; [`super::convert`] turns them into ours. Reads and look-ups are
//! `async` because the answer may have to come from the store (members, groups, other resources), which may be far.
//!
//! The world is that of every component at once. Which of its exports one has is found out by [`super::exports`].

#![expect(unreachable_pub, reason = "generated code knows nothing of where it stands")]

pub use super::state::{DocumentHandle, OperationHandle};

wasmtime::component::bindgen!({
    path: "../wit",
    world: "rewriting-constraint",
    imports: {
        "scruple:constraint/scim@0.1.0.[method]document.read": async | trappable,
        "scruple:constraint/scim@0.1.0.[method]document.read-all": async | trappable,
        "scruple:constraint/scim@0.1.0.[method]document.has": async | trappable,
        "scruple:constraint/scim@0.1.0.[method]document.matches": async | trappable,
        "scruple:constraint/scim@0.1.0.[method]document.json": async | trappable,
        "scruple:constraint/scim@0.1.0.[method]operation.differences": async | trappable,
        "scruple:constraint/scim@0.1.0.[method]operation.changes": async | trappable,
        "scruple:constraint/directory@0.1.0": async | trappable,
        "scruple:constraint/tables@0.1.0": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    trappable_error_type: { "scruple:constraint/types.read-error" => super::state::ReadFailure },
    with: {
        "scruple:constraint/scim.document": DocumentHandle,
        "scruple:constraint/scim.operation": OperationHandle,
    },
});
