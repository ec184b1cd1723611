//! Every `code` of a problem. What each means and what to do about it is a page of the guide, which a test holds against this
//! list; another one holds the list against the sources.

/// By where they come from: any request, then the resources in the order one comes to need them.
pub const CODES: [&str; 54] = [
    "unauthorized",
    "forbidden",
    "not-found",
    "method-not-allowed",
    "unsupported-media-type",
    "too-large",
    "too-many-requests",
    "overloaded",
    "internal",
    "invalid-body",
    "invalid-query",
    "invalid-path",
    "invalid-name",
    // Tenants and tokens.
    "name-taken",
    "nothing-to-change",
    "invalid-profile",
    "invalid-label",
    "invalid-scope",
    "invalid-user",
    "invalid-expiry",
    // Definitions.
    "invalid-schema",
    "invalid-resource-type",
    "invalid-tightening",
    "invalid-definition",
    "name-differs",
    "resources-break-it",
    "definitions-changed",
    // Plugins: what is wrong with a component.
    "invalid-tag",
    "component-too-large",
    "component-invalid",
    "component-compilation-limit",
    "component-compilation-failed",
    "component-describe-failed",
    "component-descriptor-invalid",
    // Constraints.
    "unknown-version",
    "unknown-revision",
    "invalid-version",
    "invalid-settings",
    "invalid-grants",
    "invalid-mode",
    "invalid-on-fault",
    "too-many-constraints",
    "component-fault",
    // Tables and waivers.
    "invalid-table",
    "not-csv",
    "unknown-contents",
    "too-many-tables",
    "invalid-waiver",
    "too-many-waivers",
    // Everything at once.
    "invalid-constraints",
    "missing-generation",
    "generation-moved",
    // Decisions.
    "which-constraint",
    "not-capturable",
];
