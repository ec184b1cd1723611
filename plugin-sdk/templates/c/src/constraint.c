// Between the contract and the rule. What is taken from the heap is not given back: an instance lives for one call.

#include <stdlib.h>
#include <string.h>

#include "constraint.h"
#include "rule.h"

typedef constraint_string_t string;
typedef constraint_list_string_t strings;
typedef scruple_constraint_scim_borrow_operation_t operation;
typedef scruple_constraint_scim_own_document_t document;

static const char WORK_ADDRESS[] = "emails[type eq \"work\"].value";
%if tables
static const char DEPARTMENT[] = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
// The table of the tenant that has the code of each department.
static const char DEPARTMENTS[] = "departments";
%end

// A pattern of JSON Schema, so that a domain has no `@` and nothing that JSON escapes.
static const char SETTINGS_SCHEMA[] =
    "{\"type\":\"object\",\"required\":[\"domain\"],\"additionalProperties\":false,\"properties\":{\"domain\":{"
    "\"description\":\"The domain of every work address: `example.com`, or `*.example.com` for every domain below it.\","
    "\"type\":\"string\",\"pattern\":\"^(\\\\*\\\\.)?[A-Za-z0-9.-]+$\"}}}";

static string string_of(const char *from) {
    string made;
    constraint_string_dup(&made, from);
    return made;
}

static text view(string from) { return (text){ from.ptr, from.len }; }

// Three texts in a row.
static string joined(text one, text two, text three) {
    size_t length = one.length + two.length + three.length;
    uint8_t *bytes = malloc(length);
    memcpy(bytes, one.at, one.length);
    memcpy(bytes + one.length, two.at, two.length);
    memcpy(bytes + one.length + two.length, three.at, three.length);
    return (string){ bytes, length };
}

static strings list(size_t count, const char *const texts[]) {
    string *made = malloc(count * sizeof *made);
    for (size_t at = 0; at < count; at++) made[at] = string_of(texts[at]);
    return (strings){ made, count };
}

void exports_scruple_constraint_about_describe(exports_scruple_constraint_about_descriptor_t *described) {
    static const char *const types[] = { "User" };
    uint8_t *actions = malloc(2);
    actions[0] = SCRUPLE_CONSTRAINT_TYPES_ACTION_CREATE;
    actions[1] = SCRUPLE_CONSTRAINT_TYPES_ACTION_UPDATE;
    memset(described, 0, sizeof *described);
    described->name = string_of("{{name}}");
    described->version = string_of("0.1.0");
    described->summary = string_of("Work addresses belong to the company");
    described->settings_schema = string_of(SETTINGS_SCHEMA);
    described->resource_types = list(1, types);
    described->actions.ptr = actions;
    described->actions.len = 2;
%if tables
    static const char *const reads[] = { "emails.value", "emails.type", DEPARTMENT };
    described->reads = list(3, reads);
%end
%if not tables
    static const char *const reads[] = { "emails.value", "emails.type" };
    described->reads = list(2, reads);
%end
%if directory or tables
    static const char *const capabilities[] = {
%if directory
        "directory:User",
%end
%if tables
        "tables:departments",
%end
    };
    described->capabilities = list(sizeof capabilities / sizeof capabilities[0], capabilities);
%end
}

bool exports_scruple_constraint_about_check_settings(
    string *settings, exports_scruple_constraint_about_list_settings_problem_t *problems) {
    return true;
}

// What the host refused, as the message of an error: a fault, and no denial.
static bool refused(scruple_constraint_types_read_error_t *error, string *message) {
    static const char *const kinds[] = { "invalid: ", "not granted: ", "budget exhausted: ", "unavailable: ", "other: " };
    string said = error->val.invalid;
    *message = joined(text_of(kinds[error->tag]), view(said), text_of(""));
    return false;
}

// Every text at a path.
static bool read_all(document from, const char *path, strings *found, string *message) {
    string asked = string_of(path);
    scruple_constraint_scim_list_value_t values;
    scruple_constraint_scim_read_error_t error;
    scruple_constraint_scim_borrow_document_t borrowed = scruple_constraint_scim_borrow_document(from);
    if (!scruple_constraint_scim_method_document_read_all(borrowed, &asked, &values, &error)) return refused(&error, message);
    found->ptr = malloc(values.len * sizeof *found->ptr);
    found->len = 0;
    for (size_t at = 0; at < values.len; at++) {
        if (values.ptr[at].tag == SCRUPLE_CONSTRAINT_TYPES_VALUE_TEXT) found->ptr[found->len++] = values.ptr[at].val.text;
    }
    return true;
}

static bool has(strings all, string one) {
    for (size_t at = 0; at < all.len; at++) {
        if (same(view(all.ptr[at]), view(one))) return true;
    }
    return false;
}

// The texts at a path that are there after the operation and were not before. Old data must not stop a change of something else.
static bool read_new(operation asked, const char *path, strings *found, string *message) {
    document before, after;
    strings old = { NULL, 0 }, all;
    found->len = 0;
    if (!scruple_constraint_scim_method_operation_after(asked, &after)) return true;
    if (!read_all(after, path, &all, message)) return false;
    if (scruple_constraint_scim_method_operation_before(asked, &before) && !read_all(before, path, &old, message)) return false;
    found->ptr = malloc(all.len * sizeof *found->ptr);
    for (size_t at = 0; at < all.len; at++) {
        if (!has(old, all.ptr[at])) found->ptr[found->len++] = all.ptr[at];
    }
    return true;
}

// A verdict has at most 32 reasons.
typedef struct {
    scruple_constraint_types_reason_t list[32];
    size_t count;
} reasons;

static void add(reasons *to, const char *code, string message, const char *path, const char *scim_type) {
    if (to->count == sizeof to->list / sizeof to->list[0]) return;
    scruple_constraint_types_reason_t *reason = &to->list[to->count++];
    reason->code = string_of(code);
    reason->message = message;
    reason->paths = list(1, &path);
    reason->scim_type.is_some = true;
    reason->scim_type.val = string_of(scim_type);
}
%if directory

// `emails.value eq "…"`: the text as one of JSON, so that it stays within its quotes.
static string filter_of(text address) {
    static const char digits[] = "0123456789abcdef";
    uint8_t *bytes = malloc(6 * address.length);
    size_t length = 0;
    for (size_t at = 0; at < address.length; at++) {
        uint8_t byte = address.at[at];
        if (byte < ' ' || byte == '"' || byte == '\\') {
            const uint8_t escaped[] = { '\\', 'u', '0', '0', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15] };
            memcpy(bytes + length, escaped, sizeof escaped);
            length += sizeof escaped;
        } else {
            bytes[length++] = byte;
        }
    }
    return joined(text_of("emails.value eq \""), (text){ bytes, length }, text_of("\""));
}

// Whether somebody else has the address. Look-ups answer as of before the operation.
static bool is_taken(operation asked, string address, bool *taken, string *message) {
    document before;
    constraint_option_string_t own = { false, { NULL, 0 } };
    if (scruple_constraint_scim_method_operation_before(asked, &before)) {
        own.is_some = scruple_constraint_scim_method_document_id(scruple_constraint_scim_borrow_document(before), &own.val);
    }
    string type = string_of("User"), filter = filter_of(view(address));
    scruple_constraint_directory_list_own_document_t found;
    scruple_constraint_directory_read_error_t error;
    if (!scruple_constraint_directory_find(&type, &filter, 2, &found, &error)) return refused(&error, message);
    *taken = false;
    for (size_t at = 0; at < found.len; at++) {
        string id;
        bool has_id = scruple_constraint_scim_method_document_id(scruple_constraint_scim_borrow_document(found.ptr[at]), &id);
        if (has_id && !(own.is_some && same(view(id), view(own.val)))) *taken = true;
    }
    return true;
}
%end

static bool judge_addresses(operation asked, text domain, reasons *found, string *message) {
    strings addresses;
    if (!read_new(asked, WORK_ADDRESS, &addresses, message)) return false;
    for (size_t at = 0; at < addresses.len; at++) {
        string address = addresses.ptr[at];
        if (!is_at_domain(view(address), domain)) {
            string start = joined(text_of("`"), view(address), text_of("` is not an address at "));
            add(found, "foreign-domain", joined(view(start), domain, text_of("")), "emails", "invalidValue");
        }
%if directory
        bool taken;
        if (!is_taken(asked, address, &taken, message)) return false;
        if (taken) {
            string why = joined(text_of("another user has the address `"), view(address), text_of("`"));
            add(found, "address-taken", why, "emails", "uniqueness");
        }
%end
    }
    return true;
}
%if tables

static bool judge_departments(operation asked, reasons *found, string *message) {
    strings departments;
    if (!read_new(asked, DEPARTMENT, &departments, message)) return false;
    for (size_t at = 0; at < departments.len; at++) {
        string table = string_of(DEPARTMENTS), department = departments.ptr[at];
        bool known;
        scruple_constraint_tables_read_error_t error;
        if (!scruple_constraint_tables_contains(&table, &department, &known, &error)) return refused(&error, message);
        if (!known) {
            string why = joined(text_of("there is no department `"), view(department), text_of("`"));
            add(found, "unknown-department", why, DEPARTMENT, "invalidValue");
        }
    }
    return true;
}
%end

bool exports_scruple_constraint_check_evaluate(
    exports_scruple_constraint_check_own_operation_t owned, string *settings,
    exports_scruple_constraint_check_verdict_t *verdict, string *message) {
    operation asked = scruple_constraint_scim_borrow_operation(owned);
    reasons found = { .count = 0 };
    text domain;
    if (!domain_of(view(*settings), &domain)) {
        *message = string_of("settings: they are not `{\"domain\": \"…\"}`");
        return false;
    }
    if (!judge_addresses(asked, domain, &found, message)) return false;
%if tables
    if (!judge_departments(asked, &found, message)) return false;
%end
    if (found.count == 0) {
        verdict->tag = SCRUPLE_CONSTRAINT_TYPES_VERDICT_ALLOW;
        return true;
    }
    size_t bytes = found.count * sizeof found.list[0];
    verdict->tag = SCRUPLE_CONSTRAINT_TYPES_VERDICT_DENY;
    verdict->val.deny.ptr = memcpy(malloc(bytes), found.list, bytes);
    verdict->val.deny.len = found.count;
    return true;
}
